package org.cliffwatch.quantizer.scheme;

import java.util.function.Supplier;

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
  private final Supplier<Scales> scales;
  private final InputQuantizer inputs;
  private final double bits;

  /** The band read last, and the scales of all; null after the last row. */
  private CodedWeight band;

  private Scales loaded;
  private int bandStart;

  FileWeight(
      String name,
      int rows,
      int columns,
      float[] values,
      Codes codes,
      Supplier<Scales> scales,
      InputQuantizer inputs,
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
  public InputQuantizer inputs() {
    return inputs;
  }

  @Override
  public double bits() {
    return bits;
  }

  @Override
  public CodedWeight coded() {
    Scales s = scales.get();
    CodedWeight coded =
        new CodedWeight(name, rows, columns, values, s.blocks(), s.scales(), s.zeros());
    byte[] some = new byte[Math.multiplyExact(Math.min(BAND, rows), columns)];
    for (int first = 0; first < rows; first += BAND) {
      int count = Math.min(BAND, rows - first);
      codes.read(first, count, some);
      for (int r = 0; r < count; r++) {
        coded.put(first + r, some, r * columns);
      }
    }
    return coded;
  }

  @Override
  public synchronized void row(int r, float[] out) {
    int start = r - r % BAND;
    if (band == null || start != bandStart) {
      loaded = loaded == null ? scales.get() : loaded;
      band = read(start, Math.min(BAND, rows - start));
      bandStart = start;
    }
    band.row(r - start, out);
    if (r == rows - 1) {
      band = null;
      loaded = null;
    }
  }

  private CodedWeight read(int first, int count) {
    byte[] some = new byte[Math.multiplyExact(count, columns)];
    codes.read(first, count, some);
    return CodedWeight.band(
        name,
        first,
        count,
        columns,
        values,
        loaded.blocks(),
        loaded.scales(),
        loaded.zeros(),
        some);
  }
}
