package org.cliffwatch.quantizer.model;

/**
 * The arrays one forward pass works in, kept for the next: nothing is allocated a layer. Sized for
 * the largest batch it has seen.
 */
final class Workspace {
  private static final int STEP = 256;

  /** (rows, hidden): the residual stream. */
  float[] x = {};

  /** (rows, hidden): x normalized. */
  float[] normalized = {};

  /** (rows, hidden): what a block's half adds to x. */
  float[] update = {};

  /** (rows, heads · head size). */
  float[] query = {};

  /** (rows, key heads · head size). */
  float[] key = {};

  /** (rows, key heads · head size). */
  float[] value = {};

  /** (rows, heads · head size). */
  float[] attended = {};

  /** (rows, intermediate): what is activated. */
  float[] gate = {};

  /** (rows, intermediate): what the activated is multiplied by, in gated feed-forwards. */
  float[] up = {};

  /** (rows, embedding width), where that is not the hidden width. */
  float[] embedded = {};

  /** (embedding width). */
  float[] row = {};

  /** (rows): positions in their sequences. */
  int[] positions = {};

  private int capacity;

  /**
   * Makes room for a batch: in steps, so that batches a little larger need no new arrays.
   *
   * @param most rows that arrays can have, at least {@code wanted}
   */
  void reserve(Architecture a, int wanted, int most) {
    if (wanted <= capacity) {
      return;
    }
    int rows = (int) Math.min(most, ((long) wanted + STEP - 1) / STEP * STEP);
    int queries = queries(a);
    int keys = keys(a);
    x = new float[rows * a.hidden()];
    normalized = new float[rows * a.hidden()];
    update = new float[rows * a.hidden()];
    query = new float[rows * queries];
    key = new float[rows * keys];
    value = new float[rows * keys];
    attended = new float[rows * queries];
    gate = new float[rows * a.intermediate()];
    up = a.gated() ? new float[rows * a.intermediate()] : up;
    embedded = isProjected(a) ? new float[rows * a.embeddingWidth()] : embedded;
    row = new float[a.embeddingWidth()];
    positions = new int[rows];
    capacity = rows;
  }

  /** Rows there is room for. */
  int capacity() {
    return capacity;
  }

  /** Floats a row takes in the widest array. */
  static int widest(Architecture a) {
    int inBlock = Math.max(a.intermediate(), Math.max(queries(a), keys(a)));
    return Math.max(inBlock, Math.max(a.hidden(), a.embeddingWidth()));
  }

  /** Bytes a row takes in all arrays. */
  static long rowBytes(Architecture a) {
    long floats = 3L * a.hidden() + 2L * queries(a) + 2L * keys(a);
    floats += (a.gated() ? 2L : 1L) * a.intermediate();
    floats += isProjected(a) ? a.embeddingWidth() : 0;
    return Float.BYTES * floats + Integer.BYTES;
  }

  private static boolean isProjected(Architecture a) {
    return a.embeddingWidth() != a.hidden();
  }

  private static int queries(Architecture a) {
    return a.attention().stream().mapToInt(s -> s.heads() * s.headSize()).max().orElse(0);
  }

  private static int keys(Architecture a) {
    return a.attention().stream().mapToInt(s -> s.keyHeads() * s.headSize()).max().orElse(0);
  }
}
