package org.cliffwatch.quantizer.scheme;

import org.cliffwatch.quantizer.InvalidInputException;

/** Which elements of a weight matrix (rows, columns) share a scale. */
public sealed interface Blocks {
  /** How many scales there are. */
  int count();

  /** The scale of an element. */
  int index(int row, int column);

  /** The first column after {@code column} of the row that may have another scale. */
  int end(int row, int column);

  /**
   * Rectangles, those at the right and lower edge cut off; scales are (rows of blocks, columns of
   * blocks), row-major.
   *
   * @param height rows of a block
   * @param width columns of a block
   */
  record Grid(int rows, int columns, int height, int width) implements Blocks {
    /** Blocks in a row of them. */
    private int across() {
      return Blocks.parts(columns, width);
    }

    @Override
    public int count() {
      return bounded((long) Blocks.parts(rows, height) * across());
    }

    @Override
    public int index(int row, int column) {
      return row / height * across() + column / width;
    }

    @Override
    public int end(int row, int column) {
      return Math.min(columns, column - column % width + width);
    }
  }

  /**
   * Groups of columns that need not lie together, as GPTQ's order by activations leaves them;
   * scales are (rows, groups), row-major.
   *
   * @param group (columns) of each its group
   */
  record Permuted(int rows, int groups, int[] group) implements Blocks {
    @Override
    public int count() {
      return bounded((long) rows * groups);
    }

    @Override
    public int index(int row, int column) {
      return row * groups + group[column];
    }

    @Override
    public int end(int row, int column) {
      return column + 1;
    }
  }

  /**
   * As many elements after one another, in row-major order and across the ends of rows:
   * bitsandbytes' blocks.
   */
  record Flat(int rows, int columns, int size) implements Blocks {
    @Override
    public int count() {
      return bounded(Blocks.parts((long) rows * columns, (long) size));
    }

    @Override
    public int index(int row, int column) {
      return (int) (((long) row * columns + column) / size);
    }

    @Override
    public int end(int row, int column) {
      long into = ((long) row * columns + column) % size;
      return (int) Math.min(columns, column + size - into);
    }
  }

  /** {@link Flat} blocks, as a {@link Grid} where rows are whole blocks. */
  static Blocks flat(int rows, int columns, int size) {
    return columns % size == 0 ? new Grid(rows, columns, 1, size) : new Flat(rows, columns, size);
  }

  /** How many parts of that size, the last of them perhaps smaller, {@code n} is made of. */
  static int parts(int n, int size) {
    return n / size + (n % size == 0 ? 0 : 1);
  }

  /** As {@link #parts(int, int)}. */
  static long parts(long n, long size) {
    return n / size + (n % size == 0 ? 0 : 1);
  }

  private static int bounded(long count) {
    if (count > Integer.MAX_VALUE - 8) {
      throw new InvalidInputException(
          "found " + count + " scales of one matrix, expected no more than an array holds");
    }
    return (int) count;
  }
}
