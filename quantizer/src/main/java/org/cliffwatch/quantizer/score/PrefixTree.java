package org.cliffwatch.quantizer.score;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.kernel.TokenRuns;
import org.cliffwatch.quantizer.model.Batch;
import org.cliffwatch.quantizer.model.Batches;

/** A batch's sequences packed so that every shared prefix is one token run. */
final class PrefixTree {
  private final List<TokenSequence> sequences;
  private final int[][] rowsOfTargets;

  private int[] tokens = new int[64];
  private int rows;
  private int[] start = new int[16];
  private int[] parent = new int[16];
  private int[] position = new int[16];
  private int runs;

  /** Of sequences sorted by input. */
  private PrefixTree(List<TokenSequence> sequences) {
    this.sequences = sequences;
    this.rowsOfTargets = new int[sequences.size()][];
    branch(0, sequences.size(), 0, -1);
    start = Arrays.copyOf(start, runs + 1);
    start[runs] = rows;
  }

  /**
   * Sequences in batches.
   *
   * @param slots where among the targets those of each sequence are, in its order
   */
  record Packed(Batches batches, int[][] slots) {}

  /**
   * Packs sequences into batches. Sorted, those that share a prefix are neighbours; where a batch
   * is full it is cut between two of its last that share least.
   *
   * @param wanted tokens that a batch's sequences all begin with → its rows beyond those of its
   *     first sequence, ascending
   * @param most rows a batch may have; no sequence is longer
   */
  static Packed pack(List<TokenSequence> sequences, IntUnaryOperator wanted, int most) {
    Integer[] order = new Integer[sequences.size()];
    Arrays.setAll(order, i -> i);
    Arrays.sort(
        order, (i, j) -> Arrays.compare(sequences.get(i).input(), sequences.get(j).input()));
    Targets targets = new Targets(sequences);
    List<Batch> batches = new ArrayList<>();
    for (int from = 0; from < order.length; ) {
      int to = end(sequences, order, from, wanted, most);
      int[] chosen = Arrays.stream(order, from, to).mapToInt(i -> i).toArray();
      PrefixTree tree = new PrefixTree(Arrays.stream(chosen).mapToObj(sequences::get).toList());
      batches.add(tree.batch(targets.add(tree, chosen)));
      from = to;
    }
    return new Packed(targets.of(batches), targets.slots);
  }

  /** The targets of all batches, numbered row by row. */
  private static final class Targets {
    private final int[] tokens;
    private final int[] first;
    private final int[][] slots;
    private int rows;
    private int count;

    Targets(List<TokenSequence> sequences) {
      tokens = new int[sequences.stream().mapToInt(s -> s.targets().length).sum()];
      first = new int[tokens.length + 1];
      slots = new int[sequences.size()][];
    }

    /**
     * @param chosen the tree's sequences among all
     * @return the rows of the tree that have targets
     */
    int[] add(PrefixTree tree, int[] chosen) {
      int[] wanted = new int[tree.rows];
      for (int[] found : tree.rowsOfTargets) {
        for (int row : found) {
          wanted[row]++;
        }
      }
      int[] next = new int[tree.rows];
      for (int row = 0; row < tree.rows; row++) {
        next[row] = count;
        if (wanted[row] > 0) {
          count += wanted[row];
          first[++rows] = count;
        }
      }
      for (int s = 0; s < chosen.length; s++) {
        int[] found = tree.rowsOfTargets[s];
        int[] slot = new int[found.length];
        for (int k = 0; k < found.length; k++) {
          slot[k] = next[found[k]]++;
          tokens[slot[k]] = tree.sequences.get(s).targets()[k];
        }
        slots[chosen[s]] = slot;
      }
      return IntStream.range(0, tree.rows).filter(row -> wanted[row] > 0).toArray();
    }

    Batches of(List<Batch> batches) {
      return new Batches(batches, Arrays.copyOf(first, rows + 1), tokens);
    }
  }

  /** Where the batch ends that begins with the {@code from}th. */
  private static int end(
      List<TokenSequence> sequences, Integer[] order, int from, IntUnaryOperator wanted, int most) {
    TokenSequence last = sequences.get(order[from]);
    int largest = most - last.input().length;
    int rows = 0;
    int common = last.input().length;
    int cut = order.length;
    int least = Integer.MAX_VALUE;
    for (int i = from + 1; i < order.length; i++) {
      TokenSequence next = sequences.get(order[i]);
      int shared = shared(last, next);
      common = Math.min(common, shared);
      int room = wanted.applyAsInt(common);
      if (rows >= room / 4 * 3 && shared <= least) {
        least = shared;
        cut = i;
      }
      rows += next.input().length - shared;
      if (rows > Math.min(room, largest)) {
        return Math.min(cut, i);
      }
      last = next;
    }
    return order.length;
  }

  /** Length of the inputs' common prefix. */
  static int shared(TokenSequence a, TokenSequence b) {
    int mismatch = Arrays.mismatch(a.input(), b.input());
    return mismatch < 0 ? a.input().length : mismatch;
  }

  /**
   * Adds the runs of sequences {@code from .. to}, which share {@code depth} tokens and no more.
   */
  private void branch(int from, int to, int depth, int above) {
    int next;
    for (int first = from; first < to; first = next) {
      int token = sequences.get(first).input()[depth];
      next = first + 1;
      while (next < to && sequences.get(next).input()[depth] == token) {
        next++;
      }
      // Sorted: what the first and the last share, all between share.
      int end = shared(sequences.get(first), sequences.get(next - 1));
      int run = add(sequences.get(first).input(), depth, end, above);
      int longer = first;
      while (longer < next && sequences.get(longer).input().length == end) {
        locate(longer++, run);
      }
      branch(longer, next, end, run);
    }
  }

  private int add(int[] input, int from, int to, int above) {
    if (rows + to - from > tokens.length) {
      tokens = Arrays.copyOf(tokens, Math.max(2 * tokens.length, rows + to - from));
    }
    if (runs + 1 >= start.length) {
      start = Arrays.copyOf(start, 2 * start.length);
      parent = Arrays.copyOf(parent, 2 * parent.length);
      position = Arrays.copyOf(position, 2 * position.length);
    }
    System.arraycopy(input, from, tokens, rows, to - from);
    start[runs] = rows;
    parent[runs] = above;
    position[runs] = from;
    rows += to - from;
    return runs++;
  }

  /** Finds the rows of a sequence that ends with {@code run}, from its end backwards. */
  private void locate(int sequence, int run) {
    int length = sequences.get(sequence).input().length;
    int count = sequences.get(sequence).targets().length;
    int[] found = new int[count];
    int at = run;
    for (int k = count - 1; k >= 0; k--) {
      int p = length - count + k;
      while (position[at] > p) {
        at = parent[at];
      }
      found[k] = start[at] + p - position[at];
    }
    rowsOfTargets[sequence] = found;
  }

  private Batch batch(int[] scoredRows) {
    TokenRuns tree =
        new TokenRuns(start, Arrays.copyOf(parent, runs), Arrays.copyOf(position, runs));
    return new Batch(Arrays.copyOf(tokens, rows), tree, scoredRows);
  }
}
