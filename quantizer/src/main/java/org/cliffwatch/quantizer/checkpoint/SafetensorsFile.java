package org.cliffwatch.quantizer.checkpoint;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.cliffwatch.quantizer.InvalidInputException;

/**
 * Reads a safetensors file's header: the length of the header (8 bytes), then JSON giving each
 * tensor's type, shape and place in the bytes that follow.
 *
 * <p>As strict as the reference implementation (huggingface/safetensors, {@code
 * SafeTensors::validate}): the tensors must cover the file from the header's end to its own end,
 * without holes or overlaps, each in exactly the bytes its type and shape need.
 */
public final class SafetensorsFile {
  /** The reference implementation's limit. Headers of real checkpoints stay below a tenth of it. */
  private static final int MAX_HEADER_BYTES = 100_000_000;

  private static final int MAX_DIMENSIONS = 8;

  private static final String METADATA = "__metadata__";

  private final MappedFile file;
  private final String where;
  private final long dataStart;

  private SafetensorsFile(MappedFile file, long dataStart) {
    this.file = file;
    this.where = file.path().toString();
    this.dataStart = dataStart;
  }

  /** The tensors of a safetensors file, in the order in which they lie in it. */
  public static List<StoredTensor> read(Path path) {
    SafetensorsFile file = open(path);
    return file.tensors(file.headerBytes());
  }

  private static SafetensorsFile open(Path path) {
    MappedFile file = MappedFile.open(path);
    if (file.size() < 8) {
      throw new InvalidInputException(
          path + ": " + file.size() + " bytes long, expected a safetensors file (8 bytes or more)");
    }
    ByteBuffer start = file.slice(0, 8);
    long header = start.getLong(0);
    if (header < 2 || header > file.size() - 8) {
      throw new InvalidInputException(
          path
              + ": header of "
              + Long.toUnsignedString(header)
              + " bytes, but only "
              + (file.size() - 8)
              + " follow; not a safetensors file, or a truncated one");
    }
    if (header > MAX_HEADER_BYTES) {
      throw new InvalidInputException(
          path + ": header of " + header + " bytes, expected at most " + MAX_HEADER_BYTES);
    }
    return new SafetensorsFile(file, 8 + header);
  }

  private int headerBytes() {
    return (int) (dataStart - 8);
  }

  /** What a file says of itself, {@code __metadata__}, in its order; empty if nothing. */
  static Map<String, String> metadata(Path path) {
    SafetensorsFile file = open(path);
    byte[] header = file.file.copy(8, file.headerBytes());
    Map<String, String> metadata = new LinkedHashMap<>();
    try (JsonParser json = Json.parser(header, 0, header.length)) {
      json.nextToken();
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        boolean isMetadata = json.currentName().equals(METADATA);
        json.nextToken();
        if (!isMetadata) {
          json.skipChildren();
          continue;
        }
        while (json.nextToken() == JsonToken.FIELD_NAME) {
          String name = json.currentName();
          if (json.nextToken() != JsonToken.VALUE_STRING) {
            throw file.error(METADATA, name + ": expected a string");
          }
          metadata.put(name, json.getText());
        }
      }
    } catch (IOException e) {
      throw Json.malformed(path + ": header", e);
    }
    return metadata;
  }

  /** What the header says of a tensor; offsets count from {@link #dataStart}. */
  private record Entry(String name, StorageType type, long[] shape, long begin, long end) {}

  private List<StoredTensor> tensors(int headerBytes) {
    List<Entry> entries = parse(file.copy(8, headerBytes));
    entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
    List<StoredTensor> tensors = new ArrayList<>(entries.size());
    long covered = 0;
    for (Entry entry : entries) {
      requireSize(entry);
      if (entry.begin() != covered) {
        throw error(
            entry.name(),
            "starts at byte "
                + entry.begin()
                + " of the data, expected "
                + covered
                + ", where the tensor before it ends");
      }
      covered = entry.end();
      tensors.add(
          new StoredTensor(
              entry.name(),
              entry.type(),
              entry.shape(),
              StoredTensor.Order.AS_STORED,
              file,
              dataStart + entry.begin()));
    }
    long held = file.size() - dataStart;
    if (covered != held) {
      String last = entries.isEmpty() ? "none" : entries.get(entries.size() - 1).name();
      throw new InvalidInputException(
          where
              + ": holds "
              + held
              + " bytes of data, expected "
              + covered
              + " (last tensor: "
              + last
              + "); the file was truncated or appended to");
    }
    return tensors;
  }

  private void requireSize(Entry entry) {
    long bytes = entry.type().blockBytes();
    try {
      for (long length : entry.shape()) {
        bytes = Math.multiplyExact(bytes, length);
      }
    } catch (ArithmeticException e) {
      throw error(entry.name(), "shape " + Arrays.toString(entry.shape()) + " is too large");
    }
    if (entry.begin() < 0 || entry.end() - entry.begin() != bytes) {
      throw error(
          entry.name(),
          "takes bytes "
              + entry.begin()
              + " to "
              + entry.end()
              + " of the data, expected "
              + bytes
              + " bytes for "
              + entry.type()
              + " "
              + Arrays.toString(entry.shape()));
    }
    if (entry.end() > file.size() - dataStart) {
      throw error(
          entry.name(),
          "ends at byte "
              + entry.end()
              + " of the data, but the file holds only "
              + (file.size() - dataStart)
              + "; it was truncated");
    }
  }

  private List<Entry> parse(byte[] header) {
    if (header[0] != '{') {
      throw new InvalidInputException(where + ": header: expected a JSON object; not safetensors");
    }
    List<Entry> entries = new ArrayList<>();
    try (JsonParser json = Json.parser(header, 0, header.length)) {
      json.nextToken();
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String name = json.currentName();
        json.nextToken();
        if (name.equals(METADATA)) {
          json.skipChildren();
        } else {
          entries.add(entry(name, json));
        }
      }
      if (json.nextToken() != null) {
        throw new InvalidInputException(where + ": header: text after the JSON object");
      }
    } catch (IOException e) {
      throw Json.malformed(where + ": header", e);
    }
    return entries;
  }

  private Entry entry(String name, JsonParser json) throws IOException {
    if (json.currentToken() != JsonToken.START_OBJECT) {
      throw error(name, "expected an object with dtype, shape and data_offsets");
    }
    StorageType type = null;
    long[] shape = null;
    long[] offsets = null;
    while (json.nextToken() == JsonToken.FIELD_NAME) {
      String field = json.currentName();
      json.nextToken();
      switch (field) {
        case "dtype" -> type = type(name, json);
        case "shape" -> shape = lengths(name, field, json, MAX_DIMENSIONS);
        case "data_offsets" -> offsets = lengths(name, field, json, 2);
        default -> throw error(name, "unknown field \"" + field + "\"");
      }
    }
    if (type == null || shape == null || offsets == null || offsets.length != 2) {
      throw error(name, "expected dtype, shape and data_offsets of two numbers");
    }
    return new Entry(name, type, shape, offsets[0], offsets[1]);
  }

  private StorageType type(String name, JsonParser json) throws IOException {
    String text = json.currentToken() == JsonToken.VALUE_STRING ? json.getText() : "";
    for (StorageType type : StorageType.values()) {
      if (type.isSafetensors() && type.name().equals(text)) {
        return type;
      }
    }
    throw error(name, "unknown dtype \"" + text + "\"");
  }

  private long[] lengths(String name, String field, JsonParser json, int limit) throws IOException {
    long[] lengths = new long[limit];
    int count = 0;
    if (json.currentToken() != JsonToken.START_ARRAY) {
      throw error(name, field + ": expected a list of integers");
    }
    while (json.nextToken() != JsonToken.END_ARRAY) {
      if (json.currentToken() != JsonToken.VALUE_NUMBER_INT
          || json.getNumberType() == JsonParser.NumberType.BIG_INTEGER
          || json.getLongValue() < 0) {
        throw error(name, field + ": expected a list of non-negative integers");
      }
      if (count == limit) {
        throw error(name, field + ": more than " + limit + " numbers");
      }
      lengths[count++] = json.getLongValue();
    }
    return Arrays.copyOf(lengths, count);
  }

  private InvalidInputException error(String tensor, String problem) {
    return new InvalidInputException(where + ": tensor " + tensor + ": " + problem);
  }
}
