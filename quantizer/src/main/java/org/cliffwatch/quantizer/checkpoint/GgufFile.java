package org.cliffwatch.quantizer.checkpoint;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.InvalidInputException;

/**
 * A GGUF file's header: metadata and where the tensors lie (ggml-org/ggml {@code docs/gguf.md},
 * versions 2 and 3, little-endian).
 *
 * <p>Tensors must follow one another as the reference implementation writes them: aligned, in
 * nothing but the padding needed, inside the file. Arrays of metadata are not kept; {@link
 * #strings} and {@link #numbers} read the one asked for.
 */
final class GgufFile {
  private static final int MAGIC = 'G' | 'G' << 8 | 'U' << 16 | 'F' << 24;
  private static final long MAX_HEADER_BYTES = 1L << 28;
  private static final int MAX_KEYS = 1 << 16;
  private static final int MAX_TENSORS = 1 << 20;
  private static final int MAX_DIMENSIONS = 4;
  private static final int MAX_ARRAY = 1 << 22;
  private static final int MAX_NAME_BYTES = 1 << 16;
  private static final String SPLIT_NUMBER = "split.no";
  private static final String SPLIT_COUNT = "split.count";
  private static final String SPLIT_TENSORS = "split.tensors.count";

  /**
   * A tensor as a file has it; the innermost dimension first.
   *
   * @param file that it lies in
   */
  record Tensor(String name, long[] dimensions, StorageType type, MappedFile file, long offset) {
    /** The lengths of the dimensions, outermost first. */
    long[] shape() {
      long[] shape = new long[dimensions.length];
      for (int d = 0; d < shape.length; d++) {
        shape[d] = dimensions[shape.length - 1 - d];
      }
      return shape;
    }

    /**
     * Some of this tensor's rows as a tensor.
     *
     * @param called its name
     * @param shape in the file
     * @param first element of this tensor that is in it, at which a block begins
     */
    StoredTensor stored(String called, long[] shape, StoredTensor.Order order, long first) {
      long skipped = first / type.blockElements() * type.blockBytes();
      return new StoredTensor(called, type, shape, order, file, offset + skipped);
    }
  }

  /** How llama-gguf-split calls the parts of a model, numbered from 1. */
  private static final Pattern PART = Pattern.compile("(.*)-(\\d{5})-of-(\\d{5})\\.gguf");

  /** Metadata of more than one value: where the elements start. */
  private record Array(int type, long count, long at) {}

  /** Types whose codes are looked up in tables that a search has found, and those of products. */
  private static final Map<Integer, String> UNREAD =
      Map.ofEntries(
          Map.entry(9, "Q8_1"),
          Map.entry(15, "Q8_K"),
          Map.entry(16, "IQ2_XXS"),
          Map.entry(17, "IQ2_XS"),
          Map.entry(18, "IQ3_XXS"),
          Map.entry(19, "IQ1_S"),
          Map.entry(21, "IQ3_S"),
          Map.entry(22, "IQ2_S"),
          Map.entry(29, "IQ1_M"));

  private final MappedFile file;
  private final Map<String, Object> metadata = new LinkedHashMap<>();
  private final List<Tensor> tensors = new ArrayList<>();

  /**
   * Where the next value is read; after opening, by {@link #strings} and {@link #numbers} alone.
   */
  private long at;

  private GgufFile(MappedFile file) {
    this.file = file;
  }

  /**
   * Opens a file, and the others where it is the first part of a split model: metadata are the
   * first part's, tensors those of all.
   *
   * @param opened told of every file, and gives where it is
   */
  static GgufFile open(Path path, UnaryOperator<Path> opened) {
    GgufFile first = open(opened.apply(path));
    if (first.has(SPLIT_COUNT) && first.integer(SPLIT_COUNT) > 1) {
      first.addParts(opened);
    }
    return first;
  }

  private static GgufFile open(Path path) {
    GgufFile gguf = new GgufFile(MappedFile.open(path));
    gguf.readHeader();
    return gguf;
  }

  /**
   * Of the files of a split model the first, if they are that and no other.
   *
   * @param names all of them
   */
  static Optional<String> firstPart(Collection<String> names) {
    String first = Collections.min(names);
    Matcher part = PART.matcher(first);
    return part.matches()
            && Integer.parseInt(part.group(3)) == names.size()
            && IntStream.rangeClosed(1, names.size())
                .allMatch(number -> names.contains(part(part, number)))
        ? Optional.of(first)
        : Optional.empty();
  }

  private static String part(Matcher named, int number) {
    return String.format(Locale.ROOT, "%s-%05d-of-%s.gguf", named.group(1), number, named.group(3));
  }

  private void addParts(UnaryOperator<Path> opened) {
    long count = integer(SPLIT_COUNT);
    Matcher named = PART.matcher(path().getFileName().toString());
    if (!named.matches() || Integer.parseInt(named.group(3)) != count) {
      throw error(
          SPLIT_COUNT,
          String.format(
              Locale.ROOT,
              "found %d, expected a file called NAME-00001-of-%05d.gguf",
              count,
              count));
    }
    if (integer(SPLIT_NUMBER) != 0) {
      throw error(
          SPLIT_NUMBER,
          "part " + (integer(SPLIT_NUMBER) + 1) + ", expected the first: " + part(named, 1));
    }
    Set<String> names = new HashSet<>();
    tensors.forEach(tensor -> names.add(tensor.name()));
    for (int number = 2; number <= count; number++) {
      Path path = path().resolveSibling(part(named, number));
      if (!Files.isRegularFile(path)) {
        throw error(SPLIT_COUNT, "found " + count + ", but no " + path.getFileName());
      }
      GgufFile part = open(opened.apply(path));
      if (part.integer(SPLIT_NUMBER) != number - 1 || part.integer(SPLIT_COUNT) != count) {
        throw part.error(
            SPLIT_NUMBER,
            "part "
                + (part.integer(SPLIT_NUMBER) + 1)
                + " of "
                + part.integer(SPLIT_COUNT)
                + ", expected what its name says");
      }
      for (Tensor tensor : part.tensors) {
        if (!names.add(tensor.name())) {
          throw part.error("tensor " + tensor.name(), "is in another part too");
        }
        tensors.add(tensor);
      }
    }
    if (has(SPLIT_TENSORS) && integer(SPLIT_TENSORS) != tensors.size()) {
      throw error(
          SPLIT_TENSORS, "found " + integer(SPLIT_TENSORS) + ", but parts have " + tensors.size());
    }
  }

  Path path() {
    return file.path();
  }

  /** In the order of the file. */
  List<Tensor> tensors() {
    return tensors;
  }

  Set<String> keys() {
    return metadata.keySet();
  }

  boolean has(String key) {
    return metadata.containsKey(key);
  }

  boolean isArray(String key) {
    return metadata.get(key) instanceof Array;
  }

  String text(String key) {
    return as(String.class, key, "a string");
  }

  long integer(String key) {
    return as(Long.class, key, "an integer");
  }

  boolean flag(String key) {
    return as(Boolean.class, key, "true or false");
  }

  /**
   * A floating-point number. One stored as float32 is given as the shortest decimal that rounds to
   * it (1e-5, not 9.999999747378752e-06), which is what the original configuration said.
   */
  double number(String key) {
    Object value = metadata.get(key);
    if (value instanceof Float f && Float.isFinite(f)) {
      return Double.parseDouble(f.toString());
    }
    if (value instanceof Long l) {
      return l;
    }
    return as(Double.class, key, "a finite number");
  }

  /** An array of strings. */
  synchronized List<String> strings(String key) {
    Array array = array(key);
    if (array.type() != 8) {
      throw error(key, "expected an array of strings");
    }
    at = array.at();
    List<String> strings = new ArrayList<>((int) array.count());
    for (long i = 0; i < array.count(); i++) {
      strings.add(string(MAX_NAME_BYTES, key));
    }
    return strings;
  }

  /** An array of numbers. */
  synchronized double[] numbers(String key) {
    Array array = array(key);
    if (array.type() > 7 && array.type() < 10) {
      throw error(key, "expected an array of numbers");
    }
    at = array.at();
    double[] numbers = new double[(int) array.count()];
    for (int i = 0; i < numbers.length; i++) {
      Object value = value(array.type(), key);
      numbers[i] =
          value instanceof Number number
              ? number.doubleValue()
              : Boolean.TRUE.equals(value) ? 1 : 0;
    }
    return numbers;
  }

  /** What to say of a key that is there and cannot be used. */
  InvalidInputException error(String key, String problem) {
    return new InvalidInputException(path() + ": " + key + ": " + problem);
  }

  private Array array(String key) {
    Array array = as(Array.class, key, "an array");
    if (array.count() > MAX_ARRAY) {
      throw error(key, array.count() + " elements, expected at most " + MAX_ARRAY);
    }
    return array;
  }

  private <T> T as(Class<T> type, String key, String expected) {
    Object value = metadata.get(key);
    if (value == null) {
      throw error(key, "missing, expected " + expected);
    }
    if (!type.isInstance(value)) {
      throw error(key, "found " + shown(value) + ", expected " + expected);
    }
    return type.cast(value);
  }

  private static String shown(Object value) {
    return value instanceof Array ? "an array" : value.toString();
  }

  private void readHeader() {
    if (file.size() < 24 || int32() != MAGIC) {
      throw new InvalidInputException(path() + ": not a GGUF file");
    }
    int version = int32();
    if (Integer.reverseBytes(version) == 2 || Integer.reverseBytes(version) == 3) {
      throw new InvalidInputException(
          path() + ": a big-endian GGUF file, expected a little-endian one");
    }
    if (version != 2 && version != 3) {
      throw new InvalidInputException(
          path() + ": GGUF version " + version + ", expected 2 or 3 (little-endian)");
    }
    long tensorCount = count("tensors", MAX_TENSORS);
    long keyCount = count("metadata", MAX_KEYS);
    for (long i = 0; i < keyCount; i++) {
      String key = string(MAX_NAME_BYTES, "metadata " + i);
      Object value = value(int32(), key);
      if (metadata.put(key, value) != null) {
        throw error(key, "given twice");
      }
    }
    Set<String> names = new HashSet<>();
    for (long i = 0; i < tensorCount; i++) {
      Tensor tensor = tensor();
      if (!names.add(tensor.name())) {
        throw error("tensor " + tensor.name(), "given twice");
      }
      tensors.add(tensor);
    }
    place();
  }

  private long count(String what, int limit) {
    long count = int64();
    if (count < 0 || count > limit) {
      throw error(what, Long.toUnsignedString(count) + " of them, expected at most " + limit);
    }
    return count;
  }

  private Tensor tensor() {
    String name = string(MAX_NAME_BYTES, "a tensor's name");
    int count = int32();
    if (count < 0 || count > MAX_DIMENSIONS) {
      throw error("tensor " + name, count + " dimensions, expected at most " + MAX_DIMENSIONS);
    }
    long[] dimensions = new long[count];
    for (int d = 0; d < count; d++) {
      dimensions[d] = int64();
      if (dimensions[d] < 1) {
        throw error("tensor " + name, "a dimension of " + dimensions[d] + ", expected at least 1");
      }
    }
    StorageType type = type(name, int32());
    if (count == 0 ? type.blockElements() > 1 : dimensions[0] % type.blockElements() != 0) {
      throw error(
          "tensor " + name,
          "rows are not a multiple of "
              + type.blockElements()
              + " elements, as "
              + type
              + " needs");
    }
    return new Tensor(name, dimensions, type, file, int64());
  }

  /** Checks where the tensors lie and turns their offsets into offsets of the file. */
  private void place() {
    long alignment = has("general.alignment") ? integer("general.alignment") : 32;
    if (alignment < 1 || alignment > 1 << 20 || Long.bitCount(alignment) != 1) {
      throw error("general.alignment", "found " + alignment + ", expected a power of two");
    }
    long start = padded(at, alignment);
    List<Tensor> ordered = new ArrayList<>(tensors);
    ordered.sort(Comparator.comparingLong(Tensor::offset));
    long expected = 0;
    long end = 0;
    for (Tensor tensor : ordered) {
      if (tensor.offset() != expected) {
        throw error(
            "tensor " + tensor.name(),
            "starts at byte "
                + Long.toUnsignedString(tensor.offset())
                + " of the data, expected "
                + expected
                + ", after the tensor before it");
      }
      end = expected + bytes(tensor, file.size() - start - expected);
      expected = padded(end, alignment);
    }
    if (!tensors.isEmpty() && file.size() - start > expected) {
      throw new InvalidInputException(
          path()
              + ": "
              + (file.size() - start - end)
              + " bytes after the last tensor, expected none; the file was appended to");
    }
    tensors.replaceAll(
        t ->
            new Tensor(
                t.name(), t.dimensions(), t.type(), t.file(), Math.addExact(start, t.offset())));
  }

  private long bytes(Tensor tensor, long held) {
    long bytes = tensor.type().blockBytes();
    try {
      for (int d = 0; d < tensor.dimensions().length; d++) {
        long length = tensor.dimensions()[d];
        bytes = Math.multiplyExact(bytes, d == 0 ? length / tensor.type().blockElements() : length);
      }
    } catch (ArithmeticException e) {
      throw error("tensor " + tensor.name(), "its shape is too large");
    }
    if (bytes > held) {
      throw error(
          "tensor " + tensor.name(),
          "needs " + bytes + " bytes, but only " + Math.max(held, 0) + " follow; it was truncated");
    }
    return bytes;
  }

  private StorageType type(String name, int id) {
    return switch (id) {
      case 0 -> StorageType.F32;
      case 1 -> StorageType.F16;
      case 2 -> StorageType.Q4_0;
      case 3 -> StorageType.Q4_1;
      case 6 -> StorageType.Q5_0;
      case 7 -> StorageType.Q5_1;
      case 8 -> StorageType.Q8_0;
      case 10 -> StorageType.Q2_K;
      case 11 -> StorageType.Q3_K;
      case 12 -> StorageType.Q4_K;
      case 13 -> StorageType.Q5_K;
      case 14 -> StorageType.Q6_K;
      case 20 -> StorageType.IQ4_NL;
      case 23 -> StorageType.IQ4_XS;
      case 24 -> StorageType.I8;
      case 25 -> StorageType.I16;
      case 26 -> StorageType.I32;
      case 27 -> StorageType.I64;
      case 28 -> StorageType.F64;
      case 30 -> StorageType.BF16;
      case 34 -> StorageType.TQ1_0;
      case 35 -> StorageType.TQ2_0;
      case 39 -> StorageType.MXFP4;
      case 40 -> StorageType.NVFP4;
      default ->
          throw error(
              "tensor " + name,
              "stored as "
                  + UNREAD.getOrDefault(id, "ggml type " + id)
                  + ", which is not read; expected F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1,"
                  + " Q2_K to Q6_K, IQ4_NL, IQ4_XS, TQ1_0, TQ2_0, MXFP4 or NVFP4");
    };
  }

  /** A value of metadata: Long, Float, Double, Boolean, String or {@link Array}. */
  private Object value(int type, String key) {
    return switch (type) {
      case 0 -> (long) (take(1, key).get(0) & 0xff);
      case 1 -> (long) take(1, key).get(0);
      case 2 -> (long) (take(2, key).getShort(0) & 0xffff);
      case 3 -> (long) take(2, key).getShort(0);
      case 4 -> Integer.toUnsignedLong(take(4, key).getInt(0));
      case 5 -> (long) take(4, key).getInt(0);
      case 6 -> take(4, key).getFloat(0);
      case 7 -> take(1, key).get(0) != 0;
      case 8 -> string((int) MAX_HEADER_BYTES, key);
      case 9 -> skipArray(key);
      case 10, 11 -> {
        long value = take(8, key).getLong(0);
        if (type == 10 && value < 0) {
          throw error(key, "found " + Long.toUnsignedString(value) + ", which is too large");
        }
        yield value;
      }
      case 12 -> take(8, key).getDouble(0);
      default -> throw error(key, "of type " + type + ", which GGUF does not have");
    };
  }

  private Array skipArray(String key) {
    int type = int32();
    long count = int64();
    Array array = new Array(type, count, at);
    int bytes =
        switch (type) {
          case 0, 1, 7 -> 1;
          case 2, 3 -> 2;
          case 4, 5, 6 -> 4;
          case 8, 10, 11, 12 -> 8;
          default -> throw error(key, "an array of type " + type + ", which is not read");
        };
    if (count < 0 || count > (limit() - at) / bytes) {
      throw error(
          key, Long.toUnsignedString(count) + " elements, more than the file's header can hold");
    }
    if (type != 8) {
      at += count * bytes;
      return array;
    }
    for (long i = 0; i < count; i++) {
      skip(stringLength(MAX_HEADER_BYTES, key), key);
    }
    return array;
  }

  private String string(int limit, String key) {
    int length = (int) stringLength(limit, key);
    ByteBuffer bytes = take(length, key);
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPORT)
          .onUnmappableCharacter(CodingErrorAction.REPORT)
          .decode(bytes)
          .toString();
    } catch (CharacterCodingException e) {
      throw new InvalidInputException(path() + ": " + key + ": not valid UTF-8", e);
    }
  }

  private long stringLength(long limit, String key) {
    long length = take(8, key).getLong(0);
    if (length < 0 || length > limit) {
      throw error(
          key,
          "a string of " + Long.toUnsignedString(length) + " bytes, expected at most " + limit);
    }
    return length;
  }

  private int int32() {
    return take(4, "header").getInt(0);
  }

  private long int64() {
    return take(8, "header").getLong(0);
  }

  private ByteBuffer take(int count, String key) {
    long from = at;
    skip(count, key);
    return file.slice(from, count);
  }

  private void skip(long count, String key) {
    if (count > limit() - at) {
      throw error(
          key, "the header ends at byte " + limit() + " in the midst of it; it was truncated");
    }
    at += count;
  }

  private long limit() {
    return Math.min(file.size(), MAX_HEADER_BYTES);
  }

  private static long padded(long bytes, long alignment) {
    return (bytes + alignment - 1) / alignment * alignment;
  }
}
