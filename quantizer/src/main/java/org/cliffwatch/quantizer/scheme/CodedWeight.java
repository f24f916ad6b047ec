package org.cliffwatch.quantizer.scheme;

import java.util.Optional;
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
  private final int[] words;
  private final int rowWords;
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
    this.name = name;
    this.rows = rows;
    this.columns = columns;
    this.values = values;
    this.scales = scales;
    this.scaleRow = scaleRow;
    this.bits = values.length <= 1 << NIBBLE ? NIBBLE : Byte.SIZE;
    this.rowWords = Blocks.parts(columns, WORDS * Integer.SIZE / bits) * WORDS;
    if ((long) rows * rowWords > Integer.MAX_VALUE - 8) {
      throw new InvalidInputException(
          "%s: found (%s, %s), expected no more codes than an array holds"
              .formatted(name, rows, columns));
    }
    this.words = new int[rows * rowWords];
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

  /**
   * Sets the codes of a row, all 0 until now.
   *
   * @param codes unsigned, below the number of values, at {@code codes[at .. at + columns)}
   */
  void put(int row, byte[] codes, int at) {
    for (int first = 0; first < columns; first += WORDS) {
      int word = word(row, first);
      int shift = shift(first);
      for (int w = 0; w < Math.min(WORDS, columns - first); w++) {
        words[word + w] |= (codes[at + first + w] & 0xff) << shift;
      }
    }
  }

  /** The first of the words that hold {@link #WORDS} columns from {@code first} on. */
  private int word(int row, int first) {
    return row * rowWords + first / (WORDS * Integer.SIZE / bits) * WORDS;
  }

  private int shift(int first) {
    return first / WORDS % (Integer.SIZE / bits) * bits;
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
        out[first + w] = values[words[word + w] >>> shift & mask];
      }
    }
  }

  /** Bits that a code takes: 4 or 8. */
  public int bits() {
    return bits;
  }

  /** All codes, a row after the other. */
  public int[] words() {
    return words;
  }

  /** Words of a row. */
  public int rowWords() {
    return rowWords;
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
      System.arraycopy(words, source[r] * rowWords, chosen.words, r * rowWords, rowWords);
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
    return (long) Integer.BYTES * words.length
        + (long) Float.BYTES * scales.scales().length * numbers;
  }
}
