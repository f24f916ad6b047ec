package org.cliffwatch.quantizer.kernel.vector;

import static org.cliffwatch.quantizer.kernel.vector.VectorMath.LANES;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.constant;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.TokenRuns;

/**
 * Causal attention over a forest of token runs, one key head at a time. The keys and values on the
 * way from a tree's root to a run lie in a panel, by position; going from a run to the next, only
 * what differs is written, so that a shared prefix is copied once.
 *
 * <p>The panel has the keys transposed, {@link #LANES} keys to a vector, so that {@link #ROWS}
 * query vectors are multiplied with {@code 2 · LANES} keys at once in registers. The query vectors
 * of a block are those of neighbouring rows and of the query heads that share the key head. A score
 * is one chain of fused multiply-adds over the head's values and a result one over the keys by
 * position, so neither depends on what stands in the block beside it.
 */
final class VectorAttention {
  /** Query vectors multiplied at once. */
  private static final int ROWS = 4;

  /** Keys, and values of a head, multiplied at once. */
  private static final int STEP = 2 * LANES;

  /** Blocks of keys begin at its multiples, so that the parts of a sum are those of positions. */
  private static final int ALIGNMENT = Math.max(STEP, VectorMath.PARTS);

  /** Keys of the longest panel a thread keeps: what one unusually long sequence took is freed. */
  private static final int KEPT_KEYS = 4096;

  /** The score of a key that a row does not look at: less than any, and finite. */
  private static final float UNSEEN = -Float.MAX_VALUE;

  private final ThreadLocal<Panel> panels = ThreadLocal.withInitial(Panel::new);

  void apply(float[] q, float[] k, float[] v, TokenRuns runs, AttentionShape shape, float[] y) {
    Panel panel = panels.get();
    panel.fit(runs, shape);
    for (int keyHead = 0; keyHead < shape.keyHeads(); keyHead++) {
      panel.clear();
      for (int run = 0; run < runs.runs(); run++) {
        panel.load(k, v, runs, run, shape, keyHead);
        attend(q, panel, runs, run, shape, keyHead, y);
      }
    }
    if (panel.capacity > KEPT_KEYS) {
      panels.remove();
    }
  }

  /** All rows of a run, all query heads of a key head, in blocks of {@link #ROWS}. */
  private static void attend(
      float[] q,
      Panel panel,
      TokenRuns runs,
      int run,
      AttentionShape shape,
      int keyHead,
      float[] y) {
    int group = shape.heads() / shape.keyHeads();
    int queries = (runs.start()[run + 1] - runs.start()[run]) * group;
    for (int first = 0; first < queries; first += ROWS) {
      int real = Math.min(ROWS, queries - first);
      for (int b = 0; b < ROWS; b++) {
        int query = Math.min(first + b, queries - 1);
        int row = runs.start()[run] + query / group;
        int head = keyHead * group + query % group;
        panel.head[b] = head;
        panel.queryAt[b] = (row * shape.heads() + head) * shape.headSize();
        panel.position[b] = runs.position()[run] + query / group;
        panel.firstKey[b] =
            shape.window() == 0 ? 0 : Math.max(0, panel.position[b] - shape.window() + 1);
      }
      panel.attend(q, shape, real, y);
    }
  }

  /** Keys and values by position, and the scores of one block; one a thread. */
  private static final class Panel {
    /** (keys / STEP, headSize, STEP). */
    private float[] keys = {};

    /** (width / STEP, keys, STEP). */
    private float[] values = {};

    /**
     * (ROWS, headSize). What loops over all rows read has an array a row, so that one index serves
     * all of them: the reckoning of places would cost as much as the products.
     */
    private final float[][] query = new float[ROWS][0];

    /** (ROWS, keys), padded to {@link #STEP}. */
    private final float[][] scores = new float[ROWS][0];

    /** (ROWS, width). */
    private float[] mixed = {};

    /** The runs whose keys are in the panel, from a root down. */
    private int[] path = {};

    private int depth;
    private int[] chain = {};
    private int size;

    /** The head's size, padded to {@link #STEP}. */
    private int width;

    private int capacity;

    // The block at hand.
    private final int[] head = new int[ROWS];
    private final int[] queryAt = new int[ROWS];
    private final int[] position = new int[ROWS];
    private final int[] firstKey = new int[ROWS];

    void fit(TokenRuns runs, AttentionShape shape) {
      capacity = (runs.longest() + STEP - 1) / STEP * STEP;
      size = shape.headSize();
      width = (size + STEP - 1) / STEP * STEP;
      keys = atLeast(keys, capacity * size);
      values = atLeast(values, capacity * width);
      for (int b = 0; b < ROWS; b++) {
        query[b] = atLeast(query[b], size);
        scores[b] = atLeast(scores[b], capacity);
      }
      mixed = atLeast(mixed, ROWS * width);
      path = path.length < runs.runs() ? new int[runs.runs()] : path;
      chain = chain.length < runs.runs() ? new int[runs.runs()] : chain;
    }

    private static float[] atLeast(float[] array, int length) {
      return array.length < length ? new float[length] : array;
    }

    void clear() {
      depth = 0;
    }

    /** Brings the panel to what the run's rows see. */
    void load(float[] k, float[] v, TokenRuns runs, int run, AttentionShape shape, int keyHead) {
      int length = 0;
      for (int at = run; at >= 0; at = runs.parent()[at]) {
        length++;
      }
      int shared = length;
      for (int at = run, level = length - 1; at >= 0; at = runs.parent()[at], level--) {
        chain[level] = at;
        if (level >= depth || path[level] != at) {
          shared = level;
        }
      }
      for (int level = shared; level < length; level++) {
        int at = chain[level];
        path[level] = at;
        for (int row = runs.start()[at]; row < runs.start()[at + 1]; row++) {
          int from = (row * shape.keyHeads() + keyHead) * size;
          append(k, v, from, runs.position()[at] + row - runs.start()[at]);
        }
      }
      depth = length;
    }

    private void append(float[] k, float[] v, int from, int key) {
      int column = key / STEP * STEP * size + key % STEP;
      for (int i = 0; i < size; i++) {
        keys[column + i * STEP] = k[from + i];
      }
      for (int i = 0; i < size; i += STEP) {
        System.arraycopy(v, from + i, values, value(i, key), Math.min(STEP, size - i));
      }
    }

    /** Attention of the block at hand; only its first {@code real} results are written. */
    void attend(float[] q, AttentionShape shape, int real, float[] y) {
      int begin = firstKey[0] / ALIGNMENT * ALIGNMENT;
      int end = (position[ROWS - 1] + STEP) / STEP * STEP;
      for (int b = 0; b < ROWS; b++) {
        System.arraycopy(q, queryAt[b], query[b], 0, size);
      }
      for (int block = begin; block < end; block += STEP) {
        score(block, shape.scale());
      }
      for (int b = 0; b < ROWS; b++) {
        bias(b, begin, end, shape);
      }
      float[] sums = new float[ROWS];
      for (int b = 0; b < ROWS; b++) {
        sums[b] = exponentials(b, begin, end);
      }
      mix();
      int whole = size - size % LANES;
      for (int b = 0; b < real; b++) {
        int at = b * width;
        for (int i = 0; i < whole; i += LANES) {
          VectorMath.load(mixed, at + i).div(sums[b]).intoArray(y, queryAt[b] + i);
        }
        for (int i = whole; i < size; i++) {
          y[queryAt[b] + i] = mixed[at + i] / sums[b];
        }
      }
    }

    /** scores[b, block ..] = q_b · k · scale for {@link #STEP} keys. */
    private void score(int block, float scale) {
      float[] panel = keys;
      int at = block * size;
      float[] q0 = query[0];
      float[] q1 = query[1];
      float[] q2 = query[2];
      float[] q3 = query[3];
      FloatVector s00 = constant(0);
      FloatVector s01 = s00;
      FloatVector s10 = s00;
      FloatVector s11 = s00;
      FloatVector s20 = s00;
      FloatVector s21 = s00;
      FloatVector s30 = s00;
      FloatVector s31 = s00;
      for (int i = 0; i < size; i++) {
        FloatVector k0 = VectorMath.load(panel, at + i * STEP);
        FloatVector k1 = VectorMath.load(panel, at + i * STEP + LANES);
        FloatVector a = constant(q0[i]);
        s00 = a.fma(k0, s00);
        s01 = a.fma(k1, s01);
        FloatVector b = constant(q1[i]);
        s10 = b.fma(k0, s10);
        s11 = b.fma(k1, s11);
        FloatVector c = constant(q2[i]);
        s20 = c.fma(k0, s20);
        s21 = c.fma(k1, s21);
        FloatVector d = constant(q3[i]);
        s30 = d.fma(k0, s30);
        s31 = d.fma(k1, s31);
      }
      s00.mul(scale).intoArray(scores[0], block);
      s01.mul(scale).intoArray(scores[0], block + LANES);
      s10.mul(scale).intoArray(scores[1], block);
      s11.mul(scale).intoArray(scores[1], block + LANES);
      s20.mul(scale).intoArray(scores[2], block);
      s21.mul(scale).intoArray(scores[2], block + LANES);
      s30.mul(scale).intoArray(scores[3], block);
      s31.mul(scale).intoArray(scores[3], block + LANES);
    }

    /** The soft cap and ALiBi, and {@link #UNSEEN} where the row does not look. */
    private void bias(int b, int begin, int end, AttentionShape shape) {
      float[] row = scores[b];
      if (shape.softCap() != 0) {
        for (int j = begin; j < end; j += LANES) {
          FloatVector score = VectorMath.load(row, j);
          FloatVector capped = VectorMath.tanh(score.div(shape.softCap())).mul(shape.softCap());
          // An infinite score would be capped to a plausible one: it less itself is NaN.
          capped.add(score.sub(score)).intoArray(row, j);
        }
      }
      if (shape.alibi() != null) {
        float slope = shape.alibi()[head[b]];
        for (int j = begin; j <= position[b]; j++) {
          row[j] += slope * (j - position[b]);
        }
      }
      Arrays.fill(row, begin, firstKey[b], UNSEEN);
      Arrays.fill(row, position[b] + 1, end, UNSEEN);
    }

    /**
     * Replaces a row of scores by e^(score − maximum), 0 where it does not look; their sum, NaN
     * where a score is not finite.
     */
    private float exponentials(int b, int begin, int end) {
      float[] row = scores[b];
      FloatVector maxima = constant(UNSEEN);
      IntVector magnitudes = IntVector.zero(VectorMath.INTS);
      for (int j = begin; j < end; j += LANES) {
        FloatVector score = VectorMath.load(row, j);
        maxima = maxima.max(score);
        magnitudes = magnitudes.max(score.reinterpretAsInts().and(VectorMath.MAGNITUDE));
      }
      if (magnitudes.reduceLanes(VectorOperators.MAX) >= VectorMath.INFINITY) {
        return Float.NaN;
      }
      float max = maxima.reduceLanes(VectorOperators.MAX);
      for (int j = begin; j < end; j += LANES) {
        VectorMath.exp(VectorMath.load(row, j).sub(max)).intoArray(row, j);
      }
      Arrays.fill(row, begin, firstKey[b], 0);
      Arrays.fill(row, position[b] + 1, end, 0);
      return VectorMath.sum(row, begin, end - begin);
    }

    /**
     * mixed[b] = Σ_j scores[b, j] · v_j, by ascending j: the keys all rows of the block see at
     * once, those that only some see a row at a time, before and after.
     */
    private void mix() {
      Arrays.fill(mixed, 0, ROWS * width, 0);
      int from = firstKey[ROWS - 1];
      int to = position[0] + 1;
      for (int b = 0; b < ROWS; b++) {
        mixRow(b, firstKey[b], Math.min(from, position[b] + 1));
      }
      if (from < to) {
        for (int column = 0; column < width; column += STEP) {
          mixBlock(column, from, to);
        }
      }
      for (int b = 0; b < ROWS; b++) {
        mixRow(b, Math.max(from, to), position[b] + 1);
      }
    }

    private void mixRow(int b, int from, int to) {
      float[] row = scores[b];
      int at = b * width;
      for (int j = from; j < to; j++) {
        FloatVector p = constant(row[j]);
        for (int i = 0; i < width; i += LANES) {
          p.fma(VectorMath.load(values, value(i, j)), VectorMath.load(mixed, at + i))
              .intoArray(mixed, at + i);
        }
      }
    }

    /** Where value {@code i} of a key lies. */
    private int value(int i, int key) {
      return i / STEP * STEP * capacity + key * STEP + i % STEP;
    }

    private void mixBlock(int column, int from, int to) {
      float[] panel = values;
      int at = value(column, 0);
      float[] p0 = scores[0];
      float[] p1 = scores[1];
      float[] p2 = scores[2];
      float[] p3 = scores[3];
      int row1 = width + column;
      int row2 = 2 * width + column;
      int row3 = 3 * width + column;
      FloatVector m00 = VectorMath.load(mixed, column);
      FloatVector m01 = VectorMath.load(mixed, column + LANES);
      FloatVector m10 = VectorMath.load(mixed, row1);
      FloatVector m11 = VectorMath.load(mixed, row1 + LANES);
      FloatVector m20 = VectorMath.load(mixed, row2);
      FloatVector m21 = VectorMath.load(mixed, row2 + LANES);
      FloatVector m30 = VectorMath.load(mixed, row3);
      FloatVector m31 = VectorMath.load(mixed, row3 + LANES);
      for (int j = from; j < to; j++) {
        FloatVector v0 = VectorMath.load(panel, at + j * STEP);
        FloatVector v1 = VectorMath.load(panel, at + j * STEP + LANES);
        FloatVector a = constant(p0[j]);
        m00 = a.fma(v0, m00);
        m01 = a.fma(v1, m01);
        FloatVector b = constant(p1[j]);
        m10 = b.fma(v0, m10);
        m11 = b.fma(v1, m11);
        FloatVector c = constant(p2[j]);
        m20 = c.fma(v0, m20);
        m21 = c.fma(v1, m21);
        FloatVector d = constant(p3[j]);
        m30 = d.fma(v0, m30);
        m31 = d.fma(v1, m31);
      }
      m00.intoArray(mixed, column);
      m01.intoArray(mixed, column + LANES);
      m10.intoArray(mixed, row1);
      m11.intoArray(mixed, row1 + LANES);
      m20.intoArray(mixed, row2);
      m21.intoArray(mixed, row2 + LANES);
      m30.intoArray(mixed, row3);
      m31.intoArray(mixed, row3 + LANES);
    }
  }
}
