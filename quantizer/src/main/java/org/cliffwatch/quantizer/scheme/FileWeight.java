package org.cliffwatch.quantizer.scheme;

import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * A {@link StoredWeight} whose rows are read a band at a time: files pack codes along either axis.
 */
final class FileWeight implements StoredWeight {
  /** A multiple of what any format packs into a word. */
  private static final int BAND = 64;

  private final String name;
  private final int rows;
  private final int columns;
  private final float[] values;
  private final Codes codes;
  private final Supplier<CodedWeight.Scales> scales;
  private final RowQuantizer inputs;
  private final double bits;

  /** The band read last, and the scales of all; null after the last row. */
  private CodedWeight band;

  private CodedWeight.Scales loaded;
  private int bandStart;

  FileWeight(
      String name,
      int rows,
      int columns,
      float[] values,
      Codes codes,
      Supplier<CodedWeight.Scales> scales,
      RowQuantizer inputs,
      double bits) {
    this.name = name;
    this.rows = rows;
    this.columns = columns;
    this.values = values;
    this.codes = codes;
    this.scales = scales;
    this.inputs = inputs;
    this.bits = bits;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public int rows() {
    return rows;
  }

  @Override
  public int columns() {
    return columns;
  }

  @Override
  public RowQuantizer inputs() {
    return inputs;
  }

  @Override
  public double bits() {
    return bits;
  }

  @Override
  public CodedWeight coded() {
    return coded(scales.get(), 0, rows);
  }

  /** Rows {@code [first, first + count)}. */
  private CodedWeight coded(CodedWeight.Scales ofAll, int first, int count) {
    int[] scaleRow = count == rows ? null : IntStream.range(first, first + count).toArray();
    CodedWeight coded = new CodedWeight(name, count, columns, values, ofAll, scaleRow);
    byte[] some = new byte[Math.multiplyExact(Math.min(BAND, count), columns)];
    for (int done = 0; done < count; done += BAND) {
      int step = Math.min(BAND, count - done);
      codes.read(first + done, step, some);
      for (int r = 0; r < step; r++) {
        coded.put(done + r, 0, some, r * columns, columns);
      }
    }
    return coded;
  }

  @Override
  public synchronized void row(int r, float[] out) {
    int start = r - r % BAND;
    if (band == null || start != bandStart) {
      loaded = loaded == null ? scales.get() : loaded;
      band = coded(loaded, start, Math.min(BAND, rows - start));
      bandStart = start;
    }
    band.row(r - start, out);
    if (r == rows - 1) {
      band = null;
      loaded = null;
    }
  }
}
