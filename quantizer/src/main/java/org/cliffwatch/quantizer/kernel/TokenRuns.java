package org.cliffwatch.quantizer.kernel;

/**
 * The packed rows of a batch as a forest of token runs. Run r covers rows {@code start[r] ..
 * start[r + 1])} and continues its parent; a parent comes before its children. A row attends to all
 * rows of its run's ancestors, in order from the root, then to its own run's rows up to itself: so
 * key number j of a row is always the token at position j of its sequence.
 *
 * @param start (runs + 1) first row of each run, ascending; {@code start[runs]} is the number of
 *     rows
 * @param parent (runs) index of the run it continues, or -1; its whole length is the prefix
 * @param position (runs) position of the run's first row in its sequence: the ancestors' lengths
 */
public record TokenRuns(int[] start, int[] parent, int[] position) {
  public int runs() {
    return parent.length;
  }

  public int rows() {
    return start[parent.length];
  }

  /** (rows) the position of each row in its sequence. */
  public int[] positions() {
    int[] positions = new int[rows()];
    for (int run = 0; run < runs(); run++) {
      for (int row = start[run]; row < start[run + 1]; row++) {
        positions[row] = position[run] + row - start[run];
      }
    }
    return positions;
  }
}
