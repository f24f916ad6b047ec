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

  /** Tokens of a run's sequence up to its end, its ancestors' included. */
  public int length(int run) {
    return position[run] + start[run + 1] - start[run];
  }

  /** The most tokens of any sequence; 0 without runs. */
  public int longest() {
    int longest = 0;
    for (int run = 0; run < runs(); run++) {
      longest = Math.max(longest, length(run));
    }
    return longest;
  }

  /** The row of the token at each position of a run's sequence, its ancestors' first. */
  public int[] keyRows(int run) {
    int[] rows = new int[length(run)];
    for (int at = run; at >= 0; at = parent[at]) {
      for (int row = start[at]; row < start[at + 1]; row++) {
        rows[position[at] + row - start[at]] = row;
      }
    }
    return rows;
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
