package org.cliffwatch.quantizer.checkpoint;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.function.LongUnaryOperator;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * A tensor in a checkpoint's file, not loaded: elements are read when asked for, widened exactly to
 * float32. Safe for use by many threads.
 */
public final class StoredTensor {
  private static final int CHUNK_BYTES = 1 << 15;
  private static final int DIGEST_BYTES = 1 << 20;
  private static final int EXPONENT = 0x7f800000;

  private final String name;
  private final StorageType type;
  private final long[] shape;
  private final Order order;
  private final MappedFile file;
  private final long offset;
  private final boolean streamed;

  /**
   * @param name the tensor's Hugging Face name
   * @param shape its shape in the file; transposed for an order that is
   * @param offset of its first byte in {@code file}; that it lies inside has been checked
   */
  StoredTensor(
      String name, StorageType type, long[] shape, Order order, MappedFile file, long offset) {
    this(
        name,
        type,
        order.transposed ? new long[] {shape[1], shape[0]} : shape,
        order,
        file,
        offset,
        false);
  }

  private StoredTensor(
      String name,
      StorageType type,
      long[] shape,
      Order order,
      MappedFile file,
      long offset,
      boolean streamed) {
    this.name = name;
    this.type = type;
    this.shape = shape;
    this.order = order;
    this.file = file;
    this.offset = offset;
    this.streamed = streamed;
  }

  /**
   * The same tensor, read past the mapping: for what is read once from front to back, whose pages
   * would otherwise count as this process's memory.
   */
  public StoredTensor streamed() {
    return new StoredTensor(name, type, shape, order, file, offset, true);
  }

  public String name() {
    return name;
  }

  public StorageType type() {
    return type;
  }

  /** The lengths of the dimensions, outermost first; empty for a scalar. */
  public long[] shape() {
    return shape.clone();
  }

  /** The number of elements. */
  public long elements() {
    long elements = 1;
    for (long length : shape) {
      elements *= length;
    }
    return elements;
  }

  /** Bytes in the file. */
  public long bytes() {
    return elements() / type.blockElements() * type.blockBytes();
  }

  /** The file it lies in. */
  public Path file() {
    return file.path();
  }

  /** Where it is, for messages: the file and the tensor's name. */
  public String where() {
    return file.path() + ": tensor " + name;
  }

  /**
   * Reads elements {@code [first, first + count)} in row-major order to {@code out[at .. at +
   * count)}, widened exactly to float32.
   *
   * @throws InvalidInputException if one of them is infinite or NaN, or the type is not one of
   *     weights
   */
  public void read(long first, float[] out, int at, int count) {
    if (first < 0 || count < 0 || first > elements() - count) {
      throw new IndexOutOfBoundsException(
          where() + ": elements " + first + " to " + (first + count) + " of " + elements());
    }
    requireWeight();
    if (order.transposed) {
      for (int i = 0; i < count; i++) {
        long row = (first + i) / shape[1];
        long column = (first + i) % shape[1];
        widen(column * shape[0] + row, out, at + i, 1);
      }
    } else if (order.rows != null) {
      long length = shape.length == 2 ? shape[1] : 1;
      for (int done = 0; done < count; ) {
        long row = (first + done) / length;
        long column = (first + done) % length;
        int step = (int) Math.min(length - column, count - done);
        widen(order.rows.applyAsLong(row) * length + column, out, at + done, step);
        done += step;
      }
    } else {
      widen(first, out, at, count);
    }
    if (order.added != 0) {
      for (int i = at; i < at + count; i++) {
        out[i] -= order.added;
      }
    }
    requireFinite(first, out, at, count);
  }

  /**
   * Copies stored bytes as they are, from byte {@code from} of the tensor on: of types that pack
   * several weights into an element.
   */
  public void bytes(long from, byte[] out, int at, int count) {
    if (from < 0 || count < 0 || from > bytes() - count) {
      throw new IndexOutOfBoundsException(
          where() + ": bytes " + from + " to " + (from + count) + " of " + bytes());
    }
    for (int done = 0; done < count; ) {
      int step = Math.min(count - done, MappedFile.MAX_SLICE);
      bytes(offset + from + done, step).get(0, out, at + done, step);
      done += step;
    }
  }

  /** Feeds the bytes as they are stored to a hash. */
  void digest(MessageDigest digest) {
    long bytes = bytes();
    for (long done = 0; done < bytes; done += DIGEST_BYTES) {
      digest.update(file.stream(offset + done, (int) Math.min(DIGEST_BYTES, bytes - done)));
    }
  }

  /** All elements, which must fit an array. */
  public float[] read() {
    long elements = elements();
    if (elements > Integer.MAX_VALUE - 8) {
      throw new InvalidInputException(where() + ": " + elements + " elements do not fit an array");
    }
    float[] all = new float[(int) elements];
    read(0, all, 0, all.length);
    return all;
  }

  /**
   * How elements lie in the file against their Hugging Face order.
   *
   * @param rows the row of the file that is a row of Hugging Face, or null where they are the same
   * @param transposed whether the file has columns where Hugging Face has rows
   * @param added what the file's elements have had added to them in float32
   */
  record Order(LongUnaryOperator rows, boolean transposed, float added) {
    static final Order AS_STORED = new Order(null, false, 0);

    /**
     * The two rotary halves of a head interleaved: row 2 · i + j of the file is row j · head / 2 +
     * i of Hugging Face.
     *
     * @param head its rows
     */
    static Order rotaryInterleaved(int head) {
      int half = head / 2;
      return new Order(
          r -> {
            long within = r % head;
            return r - within + 2 * (within % half) + within / half;
          },
          false,
          0);
    }

    /**
     * All queries, then all keys, then all values, where Hugging Face has each key head's together:
     * its queries, its key, its value.
     *
     * @param head rows of one head
     */
    static Order fused(long heads, long keyHeads, long head) {
      long queries = heads / keyHeads * head;
      long group = queries + 2 * head;
      return new Order(
          r -> {
            long keyHead = r / group;
            long within = r % group;
            if (within < queries) {
              return keyHead * queries + within;
            }
            long key = within - queries;
            long before = heads + (key < head ? 0 : keyHeads) + keyHead;
            return before * head + key % head;
          },
          false,
          0);
    }

    static Order transposing() {
      return new Order(null, true, 0);
    }

    /** Elements that have had {@code added} added to them. */
    static Order plus(float added) {
      return new Order(null, false, added);
    }
  }

  /** This tensor's rows, of a tensor of two dimensions (rows, columns). */
  public WeightRows rows() {
    return new Rows(this, dimension(0), dimension(1), 1);
  }

  /**
   * This tensor's columns as rows: the transpose of (columns, rows). For layouts that keep a linear
   * layer as (in, out), such as GPT-2's.
   */
  public WeightRows columns() {
    int rows = dimension(1);
    int columns = dimension(0);
    return order.transposed
        ? new Rows(
            new StoredTensor(name, type, new long[] {rows, columns}, Order.AS_STORED, file, offset),
            rows,
            columns,
            0)
        : new Columns(this, rows, columns);
  }

  /**
   * Checks the shape.
   *
   * @throws InvalidInputException naming file and tensor if it is another
   */
  public StoredTensor requireShape(long... expected) {
    if (!Arrays.equals(shape, expected)) {
      throw new InvalidInputException(
          where()
              + ": found shape "
              + Arrays.toString(shape)
              + ", expected "
              + Arrays.toString(expected));
    }
    return this;
  }

  /**
   * Checks that elements are numbers that can be read as float32.
   *
   * @throws InvalidInputException naming file and tensor if they are of another type
   */
  public StoredTensor requireWeight() {
    if (!type.isWeight()) {
      throw new InvalidInputException(
          where() + ": stored as " + type + ", expected a type of weights (F32, F16 or BF16)");
    }
    return this;
  }

  private int dimension(int d) {
    if (shape.length != 2 || shape[d] > Integer.MAX_VALUE - 8) {
      throw new InvalidInputException(
          where() + ": found shape " + Arrays.toString(shape) + ", expected a matrix");
    }
    return (int) shape[d];
  }

  private void widen(long first, float[] out, int at, int count) {
    if (type == StorageType.F32) {
      for (int done = 0; done < count; ) {
        int step = Math.min(count - done, MappedFile.MAX_SLICE / 4);
        ByteBuffer slice = bytes(offset + 4 * (first + done), 4 * step);
        slice.asFloatBuffer().get(0, out, at + done, step);
        done += step;
      }
      return;
    }
    int block = type.blockElements();
    byte[] bytes = new byte[chunkBytes(count)];
    float[] edge = block > 1 ? new float[block] : null;
    for (int done = 0; done < count; ) {
      long element = first + done;
      int skip = (int) (element % block);
      int whole = (count - done) / block;
      if (skip > 0 || whole == 0) {
        // The range begins or ends inside a block.
        fetch(element / block, bytes, 1);
        type.widen(bytes, edge, 0, 1);
        int step = Math.min(block - skip, count - done);
        System.arraycopy(edge, skip, out, at + done, step);
        done += step;
      } else {
        int blocks = Math.min(whole, bytes.length / type.blockBytes());
        fetch(element / block, bytes, blocks);
        type.widen(bytes, out, at + done, blocks);
        done += blocks * block;
      }
    }
  }

  private int chunkBytes(int count) {
    long needed = ((long) count / type.blockElements() + 1) * type.blockBytes();
    return (int) Math.min(needed, CHUNK_BYTES);
  }

  private void fetch(long firstBlock, byte[] bytes, int blocks) {
    int count = blocks * type.blockBytes();
    bytes(offset + firstBlock * type.blockBytes(), count).get(0, bytes, 0, count);
  }

  private ByteBuffer bytes(long from, int count) {
    return streamed ? file.stream(from, count) : file.slice(from, count);
  }

  private void requireFinite(long first, float[] out, int at, int count) {
    int special = 0;
    for (int i = at; i < at + count; i++) {
      // Overflows into the sign bit exactly where the exponent is all ones.
      special |= (Float.floatToRawIntBits(out[i]) & EXPONENT) + (1 << 23);
    }
    if (special >= 0) {
      return;
    }
    for (int i = 0; i < count; i++) {
      if (!Float.isFinite(out[at + i])) {
        throw new InvalidInputException(
            where()
                + ": element "
                + (first + i)
                + " is "
                + out[at + i]
                + ", expected finite weights");
      }
    }
  }

  private record Rows(StoredTensor tensor, int rows, int columns, int inputAxis)
      implements WeightRows {
    @Override
    public String name() {
      return tensor.name;
    }

    @Override
    public void row(int r, float[] out) {
      tensor.read((long) r * columns, out, 0, columns);
    }
  }

  /** Reads a band of columns at a time, so that the file is not walked once for every column. */
  private static final class Columns implements WeightRows {
    private static final int BAND = 64;

    private final StoredTensor tensor;
    private final int rows;
    private final int columns;
    private final int most;
    private float[] band;
    private int bandStart = -1;

    Columns(StoredTensor tensor, int rows, int columns) {
      this.tensor = tensor;
      this.rows = rows;
      this.columns = columns;
      this.most = Math.max(1, Math.min(BAND, (Integer.MAX_VALUE - 8) / Math.max(1, columns)));
    }

    @Override
    public String name() {
      return tensor.name;
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
    public int inputAxis() {
      return 0;
    }

    @Override
    public synchronized void row(int r, float[] out) {
      int start = r - r % most;
      int width = Math.min(most, rows - start);
      if (start != bandStart) {
        if (band == null) {
          band = new float[columns * Math.min(most, rows)];
        }
        bandStart = -1;
        for (int c = 0; c < columns; c++) {
          tensor.read((long) c * rows + start, band, c * width, width);
        }
        bandStart = start;
      }
      for (int c = 0; c < columns; c++) {
        out[c] = band[c * width + r - start];
      }
    }
  }
}
