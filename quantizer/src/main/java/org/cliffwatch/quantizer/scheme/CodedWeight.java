package org.cliffwatch.quantizer.scheme;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * A weight matrix (rows = outputs, columns = inputs) as codes, packed: {@code ŵ[r, c] = (value of
 * codes[r, c] − zero) · scale} in float32, in this order, zero and scale those of the element's
 * block. Codes of up to 4 bits take 4 in memory, others 8. Rows are unpacked when they are read.
 *
 * <p>Vectors of ints unpack them by shifts: element {@code 16 k + w} of a chunk of 16 words lies in
 * word {@code w}, at bit {@code k · bits}. A row is whole chunks, what is beyond its columns code
 * 0.
 */
public final class CodedWeight implements WeightRows {
  /** Words of a chunk; a multiple of any vector's lanes. */
  public static final int WORDS = 16;

  private static final int NIBBLE = 4;

  private final String name;
  private final int rows;
  private final int columns;
  private final float[] values;
  private final Scales scales;
  private final int bits;

  /** Columns of a chunk, as a power of two. */
  private final int chunk;

  /** Ints, little-endian: on the heap, or wherever a backend has put them. */
  private final ByteBuffer words;

  private final int rowBytes;
  private final float smallest;

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
    this(name, rows, columns, values, scales, scaleRow, null);
  }

  /**
   * @param words of another weight; null: all codes are 0, on the heap
   */
  private CodedWeight(
      String name,
      int rows,
      int columns,
      float[] values,
      Scales scales,
      int[] scaleRow,
      ByteBuffer words) {
    this.name = name;
    this.rows = rows;
    this.columns = columns;
    this.values = values;
    this.scales = scales;
    this.scaleRow = scaleRow;
    this.bits = values.length <= 1 << NIBBLE ? NIBBLE : Byte.SIZE;
    this.chunk = Integer.numberOfTrailingZeros(WORDS * Integer.SIZE / bits);
    this.rowBytes = Blocks.parts(columns, 1 << chunk) * WORDS * Integer.BYTES;
    if ((long) rows * rowBytes > Integer.MAX_VALUE - 8) {
      throw new InvalidInputException(
          "%s: found (%s, %s), expected no more codes than an array holds"
              .formatted(name, rows, columns));
    }
    this.words =
        words == null ? ByteBuffer.allocate(rows * rowBytes).order(ByteOrder.LITTLE_ENDIAN) : words;
    this.smallest = isConsecutive(values) ? values[0] : Float.NaN;
  }

  private static boolean isConsecutive(float[] values) {
    return IntStream.range(0, values.length).allMatch(code -> values[code] == values[0] + code);
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
      coded.put(r, 0, row, 0, columns);
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

  /** Quantizes a weight's rows. */
  static CodedWeight quantized(WeightRows weight, RowQuantizer quantizer) {
    int columns = weight.columns();
    int size = quantizer.group() == 0 ? columns : Math.min(columns, quantizer.group());
    return quantized(
        weight,
        new Blocks.Grid(weight.rows(), columns, 1, size),
        size,
        quantizer.element().table(),
        quantizer::quantize);
  }

  /** How elements that share a scale become codes. */
  interface BlockQuantizer {
    /**
     * @param v the elements, all finite, at {@code v[0 .. n)}
     * @param codes unsigned, written at {@code codes[0 .. n)}
     */
    RowQuantizer.Grid quantize(float[] v, int n, byte[] codes);
  }

  /**
   * Quantizes a weight, block by block in row-major order.
   *
   * @param blocks of columns of a row, or flat
   * @param size elements of a block, but of those cut off
   * @param values what each code stands for
   */
  static CodedWeight quantized(
      WeightRows weight, Blocks blocks, int size, float[] values, BlockQuantizer quantizer) {
    int columns = weight.columns();
    float[] scales = new float[blocks.count()];
    float[] zeros = new float[scales.length];
    Scales own = new Scales(blocks, scales, zeros);
    CodedWeight coded = new CodedWeight(weight.name(), weight.rows(), columns, values, own, null);
    float[] row = new float[columns];
    float[] block = new float[size];
    byte[] codes = new byte[size];
    int n = 0;
    for (int r = 0; r < weight.rows(); r++) {
      weight.row(r, row);
      Schemes.requireFinite(weight, r, row);
      for (int c = 0; c < columns; ) {
        int index = blocks.index(r, c);
        int end = blocks.end(r, c);
        System.arraycopy(row, c, block, n, end - c);
        n += end - c;
        c = end;
        if (coded.next(r, end) != index) {
          RowQuantizer.Grid grid = quantizer.quantize(block, n, codes);
          if (!Float.isFinite(grid.scale())) {
            throw new InvalidInputException(
                "%s: row %s, columns up to %s: found a scale of %s, expected weights whose range is finite"
                    .formatted(weight.name(), r, end - 1, grid.scale()));
          }
          scales[index] = grid.scale();
          zeros[index] = grid.zero();
          coded.put((long) r * columns + end - n, codes, n);
          n = 0;
        }
      }
    }
    boolean symmetric = IntStream.range(0, zeros.length).allMatch(b -> zeros[b] == 0);
    return symmetric ? coded.with(new Scales(blocks, scales, null)) : coded;
  }

  /** The block of the element after column {@code end − 1} of a row, or −1. */
  private int next(int row, int end) {
    if (end < columns) {
      return blocks().index(row, end);
    }
    return row + 1 < rows ? blocks().index(row + 1, 0) : -1;
  }

  /** Sets codes from an element on, counted in row-major order. */
  private void put(long element, byte[] codes, int n) {
    for (int done = 0; done < n; ) {
      int row = (int) ((element + done) / columns);
      int column = (int) ((element + done) % columns);
      int step = Math.min(n - done, columns - column);
      put(row, column, codes, done, step);
      done += step;
    }
  }

  /**
   * Sets codes of a row that are all 0 until now.
   *
   * @param column the first
   * @param codes unsigned, below the number of values, at {@code codes[at .. at + n)}
   */
  void put(int row, int column, byte[] codes, int at, int n) {
    for (int i = 0; i < n; i++) {
      int c = column + i;
      int word = word(row, c);
      words.putInt(word, words.getInt(word) | (codes[at + i] & 0xff) << shift(c));
    }
  }

  /** Where the word of an element is in {@link #words}. */
  private int word(int row, int column) {
    return row * rowBytes + ((column >> chunk) * WORDS + column % WORDS) * Integer.BYTES;
  }

  private int shift(int column) {
    return (column & (1 << chunk) - 1) / WORDS * bits;
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
    values(r, out);
    int row = scaleRow(r);
    for (int c = 0; c < columns; ) {
      int block = blocks().index(row, c);
      int end = blocks().end(row, c);
      float zero = zero(block);
      float scale = scale(block);
      for (; c < end; c++) {
        out[c] = (out[c] - zero) * scale;
      }
    }
  }

  /** Writes what the codes of row {@code r} stand for, without zero points and scales. */
  public void values(int r, float[] out) {
    int mask = (1 << bits) - 1;
    for (int first = 0; first < columns; first += WORDS) {
      int word = word(r, first);
      int shift = shift(first);
      for (int w = 0; w < Math.min(WORDS, columns - first); w++) {
        out[first + w] = values[words.getInt(word + w * Integer.BYTES) >>> shift & mask];
      }
    }
  }

  /** (rows, columns) codes, unsigned, a byte each. */
  byte[] codes() {
    byte[] codes = new byte[Math.multiplyExact(rows, columns)];
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        codes[r * columns + c] = (byte) (words.getInt(word(r, c)) >>> shift(c) & (1 << bits) - 1);
      }
    }
    return codes;
  }

  /** Scales by block. */
  float[] scales() {
    return scales.scales().clone();
  }

  /** Zero points by block; null: all are 0. */
  float[] zeros() {
    return scales.zeros() == null ? null : scales.zeros().clone();
  }

  /** Bits that a code takes: 4 or 8. */
  public int bits() {
    return bits;
  }

  /** All codes, a row after the other, as little-endian ints. */
  public ByteBuffer words() {
    return words;
  }

  /** Bytes of a row in {@link #words}. */
  public int rowBytes() {
    return rowBytes;
  }

  /**
   * The same weight, its codes in other memory.
   *
   * @param memory of as many bytes as {@link #words} has, overwritten
   */
  public CodedWeight in(ByteBuffer memory) {
    ByteBuffer moved = memory.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    moved.put(0, words, 0, words.capacity());
    return new CodedWeight(name, rows, columns, values, scales, scaleRow, moved);
  }

  /** What code 0 stands for, if every code stands for one more than the code before; else NaN. */
  public float smallest() {
    return smallest;
  }

  /** Which elements share a scale, by {@link #scaleRow}. */
  public Blocks blocks() {
    return scales.blocks();
  }

  /** The scale of a block. */
  public float scale(int block) {
    return scales.scales()[block];
  }

  /** The zero point of a block. */
  public float zero(int block) {
    return scales.zeros() == null ? 0 : scales.zeros()[block];
  }

  /** The row of {@link #blocks} that a row has its scales from. */
  public int scaleRow(int r) {
    return scaleRow == null ? r : scaleRow[r];
  }

  /** Rows {@code source[0]}, {@code source[1]}, … of this. */
  @Override
  public CodedWeight select(int[] source) {
    int[] own = IntStream.of(source).map(this::scaleRow).toArray();
    CodedWeight chosen = new CodedWeight(name, source.length, columns, values, scales, own);
    for (int r = 0; r < source.length; r++) {
      chosen.words.put(r * rowBytes, words, source[r] * rowBytes, rowBytes);
    }
    return chosen;
  }

  /** The same codes with other scales. */
  CodedWeight rescaled(UnaryOperator<float[]> change) {
    return with(new Scales(blocks(), change.apply(scales.scales()), scales.zeros()));
  }

  private CodedWeight with(Scales other) {
    return new CodedWeight(name, rows, columns, values, other, scaleRow, words);
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
    byte[] codes = new byte[Math.multiplyExact(rows, columns)];
    float[] own = new float[rows];
    float[] row = new float[columns];
    for (int r = 0; r < rows; r++) {
      own[r] = scale(blocks().index(scaleRow(r), 0));
      values(r, row);
      for (int c = 0; c < columns; c++) {
        codes[r * columns + c] = (byte) row[c];
      }
    }
    return Optional.of(new QuantizedWeight(name, rows, columns, Byte.SIZE, codes, columns, own));
  }

  /** Bytes of codes, scales and zeros. */
  public long bytes() {
    int numbers = scales.zeros() == null ? 1 : 2;
    return words.capacity() + (long) Float.BYTES * scales.scales().length * numbers;
  }
}
