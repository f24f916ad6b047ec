package org.cliffwatch.quantizer.score;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.IntUnaryOperator;
import org.cliffwatch.quantizer.kernel.TokenRuns;
import org.cliffwatch.quantizer.model.Batch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PrefixTreeTest {
  /** Rows that no batch here has. */
  private static final int MANY = 100_000;

  /** Rows of a batch, beyond those of its first sequence. */
  private static final IntUnaryOperator WANTED = shared -> 384;

  @Test
  void sharedPrefixIsOneRun() {
    PrefixTree.Packed packed =
        PrefixTree.pack(
            List.of(
                sequence(new int[] {1, 2, 3, 4}, 9),
                sequence(new int[] {1, 2, 5}, 7, 8),
                sequence(new int[] {1, 2}, 6)),
            WANTED,
            MANY);
    assertThat(packed.batches().batches()).hasSize(1);
    Batch batch = packed.batches().batches().get(0);
    assertThat(batch.tokens()).containsExactly(1, 2, 3, 4, 5);
    assertThat(batch.runs().start()).containsExactly(0, 2, 4, 5);
    assertThat(batch.runs().parent()).containsExactly(-1, 0, 0);
    assertThat(batch.runs().position()).containsExactly(0, 2, 2);
    assertThat(batch.scoredRows()).containsExactly(1, 3, 4);
    assertThat(packed.batches().firstTarget()).containsExactly(0, 2, 3, 4);
    assertThat(packed.batches().targets()).containsExactly(6, 7, 9, 8);
    assertThat(packed.slots()).isDeepEqualTo(new int[][] {{2}, {1, 3}, {0}});
  }

  @Test
  void nothingToPackGivesNoBatch() {
    PrefixTree.Packed packed = PrefixTree.pack(List.of(), WANTED, MANY);
    assertThat(packed.batches().batches()).isEmpty();
    assertThat(packed.batches().firstTarget()).containsExactly(0);
    assertThat(packed.slots()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void everySequenceCanBeReadBack(long seed) {
    Random random = new Random(seed);
    List<TokenSequence> sequences = new ArrayList<>();
    int count = 1 + random.nextInt(200);
    // Few tokens: many shared prefixes, equal sequences, and sequences that begin others.
    int alphabet = 1 + random.nextInt(4);
    for (int i = 0; i < count; i++) {
      int[] input = random.ints(1 + random.nextInt(40), 0, alphabet).toArray();
      int[] targets = random.ints(1 + random.nextInt(input.length), 0, 100).toArray();
      sequences.add(new TokenSequence(input, targets));
    }
    // Half of the time little more than the longest sequence.
    int most = seed % 2 == 0 ? MANY : 45;
    PrefixTree.Packed packed = PrefixTree.pack(sequences, WANTED, most);
    List<Batch> batchOfRow = new ArrayList<>();
    List<Integer> rowInBatch = new ArrayList<>();
    for (Batch batch : packed.batches().batches()) {
      assertThat(batch.runs().rows()).isEqualTo(batch.tokens().length);
      assertThat(batch.tokens().length).isLessThanOrEqualTo(most);
      assertThat(prefixes(batch)).as("no prefix twice").doesNotHaveDuplicates();
      for (int row : batch.scoredRows()) {
        batchOfRow.add(batch);
        rowInBatch.add(row);
      }
    }
    int[] firstTarget = packed.batches().firstTarget();
    int[] targets = packed.batches().targets();
    assertThat(firstTarget).hasSize(batchOfRow.size() + 1);
    Set<Integer> seen = new HashSet<>();
    for (int s = 0; s < count; s++) {
      TokenSequence sequence = sequences.get(s);
      int[] slots = packed.slots()[s];
      assertThat(slots).hasSameSizeAs(sequence.targets());
      for (int k = 0; k < slots.length; k++) {
        assertThat(seen.add(slots[k])).isTrue();
        assertThat(targets[slots[k]]).isEqualTo(sequence.targets()[k]);
        int scored = Arrays.binarySearch(firstTarget, slots[k]);
        scored = scored >= 0 ? scored : -scored - 2;
        int length = sequence.input().length - slots.length + k + 1;
        assertThat(prefix(batchOfRow.get(scored), rowInBatch.get(scored)))
            .isEqualTo(Arrays.copyOf(sequence.input(), length));
      }
    }
    assertThat(seen).hasSameSizeAs(targets);
  }

  @Test
  void fullBatchIsCutWhereLeastIsShared() {
    // Documents of four choices that share forty tokens: no document may be cut in two.
    List<TokenSequence> sequences = new ArrayList<>();
    for (int document = 0; document < 40; document++) {
      for (int choice = 0; choice < 4; choice++) {
        int[] input = new int[50];
        Arrays.fill(input, 0, 40, document);
        Arrays.fill(input, 40, 50, choice);
        sequences.add(sequence(input, 1));
      }
    }
    List<Batch> batches = PrefixTree.pack(sequences, WANTED, MANY).batches().batches();
    assertThat(batches).hasSizeGreaterThan(2);
    for (Batch batch : batches) {
      assertThat(batch.tokens().length % 80).isZero();
      assertThat(batch.scoredRows()).hasSize(batch.tokens().length / 80 * 4);
    }
  }

  @Test
  void aBatchIsLargerBesideALongPrefix() {
    // Two subjects of thirty questions, each with its examples, and then questions without any.
    List<TokenSequence> sequences = new ArrayList<>();
    for (int subject = 0; subject < 3; subject++) {
      int examples = subject < 2 ? 400 : 0;
      for (int question = 0; question < 30; question++) {
        int[] input = new int[examples + 50];
        Arrays.fill(input, 0, examples, subject);
        Arrays.fill(input, examples, input.length, 10 * subject + 100 + question);
        sequences.add(sequence(input, 1));
      }
    }
    List<Integer> rows =
        PrefixTree.pack(sequences, shared -> Math.max(384, 4 * shared), MANY)
            .batches()
            .batches()
            .stream()
            .map(batch -> batch.tokens().length)
            .toList();
    assertThat(rows.subList(0, 2)).as("a subject each").containsOnly(400 + 30 * 50);
    assertThat(rows.subList(2, rows.size())).allMatch(n -> n <= 50 + 384);
    assertThat(rows.stream().mapToInt(n -> n).sum()).isEqualTo(2 * 400 + 90 * 50);
  }

  private static TokenSequence sequence(int[] input, int... targets) {
    return new TokenSequence(input, targets);
  }

  private static List<List<Integer>> prefixes(Batch batch) {
    List<List<Integer>> all = new ArrayList<>();
    for (int row = 0; row < batch.tokens().length; row++) {
      all.add(Arrays.stream(prefix(batch, row)).boxed().toList());
    }
    return all;
  }

  /** The tokens a row sees, its own last. */
  private static int[] prefix(Batch batch, int row) {
    TokenRuns runs = batch.runs();
    int run = 0;
    while (runs.start()[run + 1] <= row) {
      run++;
    }
    int end = row + 1;
    List<int[]> parts = new ArrayList<>();
    for (int at = run; at >= 0; at = runs.parent()[at]) {
      parts.add(0, Arrays.copyOfRange(batch.tokens(), runs.start()[at], end));
      if (runs.parent()[at] >= 0) {
        end = runs.start()[runs.parent()[at] + 1];
      }
    }
    return parts.stream().flatMapToInt(Arrays::stream).toArray();
  }
}
