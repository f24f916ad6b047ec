package org.cliffwatch.tasks.format;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.BigIntegerNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.FloatNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.LongNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.BaseIntVector;
import org.apache.arrow.vector.BitVector;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.Float4Vector;
import org.apache.arrow.vector.Float8Vector;
import org.apache.arrow.vector.LargeVarCharVector;
import org.apache.arrow.vector.NullVector;
import org.apache.arrow.vector.UInt8Vector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.complex.FixedSizeListVector;
import org.apache.arrow.vector.complex.LargeListVector;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.complex.StructVector;
import org.apache.arrow.vector.ipc.ArrowFileReader;
import org.apache.arrow.vector.ipc.ArrowReader;
import org.apache.arrow.vector.ipc.ArrowStreamReader;
import org.apache.arrow.vector.types.pojo.DictionaryEncoding;
import org.apache.arrow.vector.util.ByteArrayReadableSeekableByteChannel;
import org.cliffwatch.tasks.format.Format.FormatException;

/**
 * An Arrow file's rows by Arrow's library, as the JSON that Parquet's give: an index of a {@code
 * ClassLabel} stays an integer, what a dictionary encodes is its value. Offsets are checked before
 * they are followed.
 */
final class ArrowRecords {
  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

  /** Beside the messages, of which every one is in memory once. */
  private static final long MEMORY_BESIDE = 64L << 20;

  /** Rows of a byte: columns of nothing but nulls have no bytes that would end them. */
  private static final long ROWS_A_BYTE = 8;

  private final byte[] file;

  ArrowRecords(byte[] file) {
    this.file = file;
  }

  List<SourceRecord> read() throws FormatException {
    List<SourceRecord> records = new ArrayList<>();
    try (RootAllocator memory = new RootAllocator(2L * file.length + MEMORY_BESIDE);
        ArrowReader reader = reader(memory)) {
      VectorSchemaRoot batch = reader.getVectorSchemaRoot();
      if (batch.getFieldVectors().isEmpty()) {
        throw new FormatException("cannot be read as Arrow: found no columns");
      }
      while (reader.loadNextBatch()) {
        if (records.size() + (long) batch.getRowCount() > ROWS_A_BYTE * file.length) {
          throw new FormatException(
              "cannot be read as Arrow: found "
                  + batch.getRowCount()
                  + " rows in a file of "
                  + file.length
                  + " bytes");
        }
        for (int row = 0; row < batch.getRowCount(); row++) {
          records.add(record("row " + records.size(), reader, batch.getFieldVectors(), row));
        }
      }
      // Arrow's readers meet damage with many kinds of unchecked exceptions, and with assertions
      // where Java checks those.
    } catch (IOException | RuntimeException | AssertionError e) {
      throw new FormatException("cannot be read as Arrow: " + e.getMessage(), e);
    }
    return records;
  }

  private ArrowReader reader(RootAllocator memory) {
    return ArrowFraming.isFile(file)
        ? new ArrowFileReader(new ByteArrayReadableSeekableByteChannel(file), memory)
        : new ArrowStreamReader(new ByteArrayInputStream(file), memory);
  }

  private static SourceRecord record(
      String place, ArrowReader reader, List<FieldVector> columns, int row) throws IOException {
    ObjectNode fields = JSON.objectNode();
    try {
      for (FieldVector column : columns) {
        fields.set(column.getName(), value(reader, column, row));
      }
    } catch (NotUtf8Exception e) {
      return SourceRecord.malformed(place, "found bytes that are not UTF-8");
    }
    return SourceRecord.of(place, fields);
  }

  private static final class NotUtf8Exception extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  private static JsonNode value(ArrowReader reader, FieldVector vector, int row)
      throws IOException {
    if (vector instanceof NullVector || vector.isNull(row)) {
      return NullNode.getInstance();
    }
    DictionaryEncoding encoding = vector.getField().getDictionary();
    if (encoding != null && vector instanceof BaseIntVector indices) {
      FieldVector values = reader.lookup(encoding.getId()).getVector();
      return value(reader, values, position(indices.getValueAsLong(row), values.getValueCount()));
    }
    if (vector instanceof VarCharVector text) {
      ArrowBuf offsets = text.getOffsetBuffer();
      long at = (long) row * VarCharVector.OFFSET_WIDTH;
      return text(
          text.getDataBuffer(),
          offsets.getInt(at),
          offsets.getInt(at + VarCharVector.OFFSET_WIDTH));
    }
    if (vector instanceof LargeVarCharVector text) {
      ArrowBuf offsets = text.getOffsetBuffer();
      long at = (long) row * LargeVarCharVector.OFFSET_WIDTH;
      return text(
          text.getDataBuffer(),
          offsets.getLong(at),
          offsets.getLong(at + LargeVarCharVector.OFFSET_WIDTH));
    }
    if (vector instanceof UInt8Vector unsigned) {
      return BigIntegerNode.valueOf(
          new java.math.BigInteger(Long.toUnsignedString(unsigned.get(row))));
    }
    if (vector instanceof BaseIntVector number) {
      long value = number.getValueAsLong(row);
      return value == (int) value ? IntNode.valueOf((int) value) : LongNode.valueOf(value);
    }
    if (vector instanceof BitVector bit) {
      return BooleanNode.valueOf(bit.get(row) == 1);
    }
    if (vector instanceof Float4Vector number) {
      return FloatNode.valueOf(number.get(row));
    }
    if (vector instanceof Float8Vector number) {
      return DoubleNode.valueOf(number.get(row));
    }
    if (vector instanceof StructVector struct) {
      ObjectNode object = JSON.objectNode();
      for (FieldVector child : struct.getChildrenFromFields()) {
        object.set(child.getName(), value(reader, child, row));
      }
      return object;
    }
    if (vector instanceof ListVector list) {
      return list(
          reader,
          list.getDataVector(),
          list.getElementStartIndex(row),
          list.getElementEndIndex(row));
    }
    if (vector instanceof LargeListVector list) {
      return list(
          reader,
          list.getDataVector(),
          list.getElementStartIndex(row),
          list.getElementEndIndex(row));
    }
    if (vector instanceof FixedSizeListVector list) {
      return list(
          reader,
          list.getDataVector(),
          list.getElementStartIndex(row),
          list.getElementEndIndex(row));
    }
    throw new IllegalArgumentException(
        "column '"
            + vector.getName()
            + "': found "
            + vector.getField().getType()
            + ", expected texts, numbers, booleans, structures and lists");
  }

  private static ArrayNode list(ArrowReader reader, FieldVector elements, long start, long end)
      throws IOException {
    checkOffsets(start, end, elements.getValueCount());
    ArrayNode array = JSON.arrayNode();
    for (long i = start; i < end; i++) {
      array.add(value(reader, elements, (int) i));
    }
    return array;
  }

  private static JsonNode text(ArrowBuf bytes, long start, long end) {
    checkOffsets(start, end, bytes.capacity());
    byte[] utf8 = new byte[(int) (end - start)];
    bytes.getBytes(start, utf8);
    String text = Lines.decode(utf8);
    if (text == null) {
      throw new NotUtf8Exception();
    }
    return TextNode.valueOf(text);
  }

  private static void checkOffsets(long start, long end, long length) {
    if (start < 0 || end < start || end > length || end - start > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "found offsets " + start + " to " + end + " in " + length + " elements");
    }
  }

  private static int position(long index, int length) {
    if (index < 0 || index >= length) {
      throw new IllegalArgumentException(
          "found index " + index + " of a dictionary of " + length + " values");
    }
    return (int) index;
  }
}
