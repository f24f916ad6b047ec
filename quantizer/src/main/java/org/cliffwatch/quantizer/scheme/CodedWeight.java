package org.cliffwatch.quantizer.scheme;

import java.util.Optional;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * A weight matrix (rows = outputs, columns = inputs) as codes, packed: {@code ŵ[r, c] = (value of
 * codes[r, c] − zero) · scale} in float32, in this order, zero and scale those of the element's
 * block. Codes of up to 4 bits take 4 in memory, others 8. Rows are unpacked when they are read.
 */
public final class CodedWeight implements WeightRows {
  private static final int NIBBLE = 4;

  private final String name;
  private final int rows;
  private final int columns;
  private final float[] values;
  private final Scales scales;
  private final byte[] packed;
  private final int rowBytes;

  /** Of each row, the one whose scales it has; null: its own. */
  private final int[] scaleRow;

  /**
   * What codes stand for.
   *
   * @param scales one a block
   * @param zeros one a block, or null: all are 0
   */
  public record Scales(Blocks blocks, float[] scales, float[] zeros) {
    public Scales {
      if (scales.length != blocks.count() || (zeros != null && zeros.length != scales.length)) {
        throw new IllegalArgumentException(
            "%s scales, expected %s".formatted(scales.length, blocks.count()));
      }
    }
  }

  /**
   * A weight whose codes are all 0, until {@link #put}.
   *
   * @param values what each code stands for: of 16 codes or fewer, or of up to 256
   * @param scaleRow of each row, the one whose scales it has; null: its own
   */
  CodedWeight(String name, int rows, int columns, float[] values, Scales scales, int[] scaleRow) {
    this.name = name;
    this.rows = rows;
    this.columns = columns;
    this.values = values;
    this.scales = scales;
    this.scaleRow = scaleRow;
    this.rowBytes = nibbles() ? (columns + 1) / 2 : columns;
    if ((long) rows * rowBytes > Integer.MAX_VALUE - 8) {
      throw new InvalidInputException(
          "%s: found (%s, %s), expected no more codes than an array holds"
              .formatted(name, rows, columns));
    }
    this.packed = new byte[rows * rowBytes];
  }

  /** Of signed codes with scales for groups of columns. */
  public static CodedWeight of(QuantizedWeight weight) {
    int columns = weight.columns();
    Blocks blocks = new Blocks.Grid(weight.rows(), columns, 1, weight.group());
    int smallest = -(1 << (weight.bits() - 1));
    CodedWeight coded =
        new CodedWeight(
            weight.name(),
            weight.rows(),
            columns,
            integers(weight.bits(), smallest),
            new Scales(blocks, weight.scales(), null),
            null);
    byte[] row = new byte[columns];
    for (int r = 0; r < weight.rows(); r++) {
      for (int c = 0; c < columns; c++) {
        row[c] = (byte) (weight.codes()[r * columns + c] - smallest);
      }
      coded.put(r, row, 0);
    }
    return coded;
  }

  /**
   * The values of integer codes.
   *
   * @param smallest what code 0 stands for
   */
  public static float[] integers(int bits, int smallest) {
    float[] values = new float[1 << bits];
    for (int code = 0; code < values.length; code++) {
      values[code] = smallest + code;
    }
    return values;
  }

  private boolean nibbles() {
    return values.length <= 1 << NIBBLE;
  }

  /**
   * Sets the codes of a row.
   *
   * @param codes unsigned, below the number of values, at {@code codes[at .. at + columns)}
   */
  void put(int row, byte[] codes, int at) {
    int to = row * rowBytes;
    if (!nibbles()) {
      System.arraycopy(codes, at, packed, to, columns);
      return;
    }
    int pairs = columns / 2;
    for (int i = 0; i < pairs; i++) {
      packed[to + i] = (byte) (codes[at + 2 * i] | codes[at + 2 * i + 1] << NIBBLE);
    }
    if (columns % 2 == 1) {
      packed[to + pairs] = codes[at + columns - 1];
    }
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
  public void row(int r, float[] out) {
    unpack(r * rowBytes, out);
    Blocks blocks = scales.blocks();
    float[] zeros = scales.zeros();
    int scaled = scaleRow(r);
    for (int c = 0; c < columns; ) {
      int end = blocks.end(scaled, c);
      int block = blocks.index(scaled, c);
      scale(out, c, end, zeros == null ? 0 : zeros[block], scales.scales()[block]);
      c = end;
    }
  }

  private int scaleRow(int r) {
    return scaleRow == null ? r : scaleRow[r];
  }

  private void unpack(int from, float[] out) {
    if (!nibbles()) {
      for (int c = 0; c < columns; c++) {
        out[c] = values[packed[from + c] & 0xff];
      }
      return;
    }
    int pairs = columns / 2;
    for (int i = 0; i < pairs; i++) {
      int pair = packed[from + i];
      out[2 * i] = values[pair & 0xf];
      out[2 * i + 1] = values[pair >> NIBBLE & 0xf];
    }
    if (columns % 2 == 1) {
      out[columns - 1] = values[packed[from + pairs] & 0xf];
    }
  }

  private static void scale(float[] out, int from, int to, float zero, float scale) {
    for (int c = from; c < to; c++) {
      out[c] = (out[c] - zero) * scale;
    }
  }

  /** Rows {@code source[0]}, {@code source[1]}, … of this. */
  @Override
  public CodedWeight select(int[] source) {
    int[] own = IntStream.of(source).map(this::scaleRow).toArray();
    CodedWeight chosen = new CodedWeight(name, source.length, columns, values, scales, own);
    for (int r = 0; r < source.length; r++) {
      System.arraycopy(packed, source[r] * rowBytes, chosen.packed, r * rowBytes, rowBytes);
    }
    return chosen;
  }

  /**
   * As signed codes of 8 bits with one scale a row, if that is what this is: what a product of
   * integers takes.
   */
  Optional<QuantizedWeight> integers() {
    boolean rowScales = scales.blocks() instanceof Blocks.Grid grid && grid.width() >= columns;
    boolean integral = scales.zeros() == null && values.length == 256;
    for (int code = 0; integral && code < values.length; code++) {
      float value = values[code];
      integral = value == (byte) value;
    }
    if (!rowScales || !integral) {
      return Optional.empty();
    }
    byte[] codes = new byte[packed.length];
    float[] own = new float[rows];
    for (int r = 0; r < rows; r++) {
      own[r] = scales.scales()[scales.blocks().index(scaleRow(r), 0)];
      for (int c = 0; c < columns; c++) {
        codes[r * columns + c] = (byte) values[packed[r * columns + c] & 0xff];
      }
    }
    return Optional.of(new QuantizedWeight(name, rows, columns, Byte.SIZE, codes, columns, own));
  }

  /** Bytes of codes, scales and zeros. */
  public long bytes() {
    int numbers = scales.zeros() == null ? 1 : 2;
    return packed.length + (long) Float.BYTES * scales.scales().length * numbers;
  }
}
