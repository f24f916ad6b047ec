package org.cliffwatch.quantizer.kernel.cuda;

import org.cliffwatch.quantizer.kernel.TokenRuns;

/**
 * A batch's rows as attention takes them: in tiles of neighbouring rows of one token run, which see
 * the same keys up to their own.
 *
 * @param tiles (count, 4): first row, rows, position of the first row, where its keys begin in
 *     {@code keyRows}
 * @param keyRows for each run the rows of its sequence's tokens, by position
 */
record AttentionTiles(int count, int[] tiles, int[] keyRows) {
  /** {@code ATTENTION_TILE} of attention.cu. */
  static final int ROWS = 16;

  static AttentionTiles of(TokenRuns runs) {
    int keys = 0;
    int count = 0;
    for (int run = 0; run < runs.runs(); run++) {
      keys = Math.addExact(keys, runs.length(run));
      count += (runs.start()[run + 1] - runs.start()[run] + ROWS - 1) / ROWS;
    }
    int[] keyRows = new int[keys];
    int[] tiles = new int[4 * count];
    int offset = 0;
    int tile = 0;
    for (int run = 0; run < runs.runs(); run++) {
      int length = runs.length(run);
      System.arraycopy(runs.keyRows(run), 0, keyRows, offset, length);
      int first = runs.start()[run];
      for (int row = first; row < runs.start()[run + 1]; row += ROWS) {
        tiles[tile++] = row;
        tiles[tile++] = Math.min(ROWS, runs.start()[run + 1] - row);
        tiles[tile++] = runs.position()[run] + row - first;
        tiles[tile++] = offset;
      }
      offset += length;
    }
    return new AttentionTiles(count, tiles, keyRows);
  }
}
