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
    int[] length = new int[runs.runs()];
    int keys = 0;
    int count = 0;
    for (int run = 0; run < runs.runs(); run++) {
      int rows = runs.start()[run + 1] - runs.start()[run];
      length[run] = runs.position()[run] + rows;
      keys = Math.addExact(keys, length[run]);
      count += (rows + ROWS - 1) / ROWS;
    }
    int[] keyRows = new int[keys];
    int[] tiles = new int[4 * count];
    int offset = 0;
    int tile = 0;
    int[] offsets = new int[runs.runs()];
    for (int run = 0; run < runs.runs(); run++) {
      offsets[run] = offset;
      int position = runs.position()[run];
      int above = runs.parent()[run];
      if (above >= 0) {
        System.arraycopy(keyRows, offsets[above], keyRows, offset, position);
      }
      int first = runs.start()[run];
      for (int i = position; i < length[run]; i++) {
        keyRows[offset + i] = first + i - position;
      }
      for (int row = first; row < runs.start()[run + 1]; row += ROWS) {
        tiles[tile++] = row;
        tiles[tile++] = Math.min(ROWS, runs.start()[run + 1] - row);
        tiles[tile++] = position + row - first;
        tiles[tile++] = offset;
      }
      offset += length[run];
    }
    return new AttentionTiles(count, tiles, keyRows);
  }
}
