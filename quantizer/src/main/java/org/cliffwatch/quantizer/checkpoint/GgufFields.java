package org.cliffwatch.quantizer.checkpoint;

import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.InvalidInputException;

/**
 * What a GGUF file says of its architecture: the metadata whose keys begin with the architecture's
 * name, read by the rest of the key, and which tensors there are.
 *
 * <p>What was read is remembered. A key that nobody has read may change the arithmetic and is an
 * error; a tensor whose values were read is part of the configuration, and no weight.
 */
final class GgufFields {
  private final GgufFile file;
  private final String architecture;
  private final Map<String, GgufFile.Tensor> tensors = new HashMap<>();
  private final Set<String> used = new HashSet<>();
  private final Set<String> read = new HashSet<>();

  GgufFields(GgufFile file, String architecture) {
    this.file = file;
    this.architecture = architecture;
    for (GgufFile.Tensor tensor : file.tensors()) {
      tensors.put(tensor.name(), tensor);
    }
  }

  boolean has(String name) {
    return file.has(use(name));
  }

  /** An integer of at least 1: sizes and counts. */
  int positive(String name) {
    long value = file.integer(use(name));
    if (value < 1 || value > Integer.MAX_VALUE) {
      throw error(name, "found " + value + ", expected at least 1");
    }
    return (int) value;
  }

  int positive(String name, int otherwise) {
    return has(name) ? positive(name) : otherwise;
  }

  /** An integer that may be 0, as it also is where the key is absent. */
  int count(String name) {
    return has(name) && file.integer(use(name)) != 0 ? positive(name) : 0;
  }

  double number(String name) {
    return file.number(use(name));
  }

  double number(String name, double otherwise) {
    return has(name) ? number(name) : otherwise;
  }

  String text(String name, String otherwise) {
    return has(name) ? file.text(use(name)) : otherwise;
  }

  boolean flag(String name, boolean otherwise) {
    return has(name) ? file.flag(use(name)) : otherwise;
  }

  /** Refuses a value other than the one that is implemented, where the key is there. */
  void require(String name, long expected) {
    if (has(name) && file.integer(use(name)) != expected) {
      throw unlike(name, file.integer(use(name)), expected);
    }
  }

  void require(String name, String expected) {
    if (!text(name, expected).equals(expected)) {
      throw unlike(name, text(name, expected), expected);
    }
  }

  void require(String name, boolean expected) {
    if (flag(name, expected) != expected) {
      throw unlike(name, flag(name, expected), expected);
    }
  }

  private InvalidInputException unlike(String name, Object found, Object expected) {
    return error(
        name, "found " + found + ", expected " + expected + "; others are not implemented");
  }

  /** Accepts a key that changes nothing. */
  void ignore(String name) {
    use(name);
  }

  /** What to say of a key that is there and cannot be used. */
  InvalidInputException error(String name, String problem) {
    return file.error(architecture + "." + name, problem);
  }

  int layers() {
    return positive("block_count");
  }

  int hidden() {
    return positive("embedding_length");
  }

  int heads() {
    return positive("attention.head_count");
  }

  int keyHeads() {
    return positive("attention.head_count_kv", heads());
  }

  /** Values of a head. */
  int head() {
    return positive("attention.key_length", Math.max(1, hidden() / heads()));
  }

  /** Rows of the embedding, which may be more than the tokenizer has tokens. */
  long vocabulary() {
    ignore("vocab_size");
    GgufFile.Tensor embedding = tensors.get("token_embd.weight");
    if (embedding == null || embedding.dimensions().length != 2) {
      throw file.error("tensor token_embd.weight", "missing, expected a matrix");
    }
    return embedding.dimensions()[1];
  }

  boolean hasTensor(String name) {
    return tensors.containsKey(name);
  }

  /**
   * Which layers see a window of keys: as the file says, a layer at a time or as the length of a
   * pattern of which the last layer sees all keys.
   *
   * @param pattern its length where the file says nothing
   */
  boolean[] sliding(int pattern) {
    String name = "attention.sliding_window_pattern";
    if (layers() > tensors.size()) {
      throw error("block_count", "found " + layers() + ", but only " + tensors.size() + " tensors");
    }
    boolean[] sliding = new boolean[layers()];
    if (has(name) && file.isArray(use(name))) {
      double[] stated = file.numbers(use(name));
      if (stated.length != sliding.length) {
        throw error(
            name, "found " + stated.length + " values, expected one a layer: " + sliding.length);
      }
      IntStream.range(0, stated.length).forEach(i -> sliding[i] = stated[i] != 0);
    } else {
      int period = positive(name, pattern);
      IntStream.range(0, sliding.length).forEach(i -> sliding[i] = (i + 1) % period != 0);
    }
    return sliding;
  }

  /** A tensor that is part of the configuration. */
  StoredTensor values(String name) {
    read.add(name);
    GgufFile.Tensor tensor = tensors.get(name);
    if (tensor == null) {
      throw file.error("tensor " + name, "missing");
    }
    return tensor.stored(name, tensor.shape(), StoredTensor.Order.AS_STORED, 0);
  }

  /** Whether a tensor is part of the configuration. */
  boolean isRead(String tensor) {
    return read.contains(tensor);
  }

  /** Refuses metadata of the architecture that nobody has read. */
  void requireAllRead() {
    for (String key : file.keys()) {
      if (key.startsWith(architecture + ".") && !used.contains(key)) {
        throw file.error(key, "changes the model in a way that is not implemented");
      }
    }
  }

  /** What to say of a tensor that is not as the architecture has it. */
  InvalidInputException misshapen(GgufFile.Tensor tensor, String expected) {
    return file.error(
        "tensor " + tensor.name(),
        "found shape " + Arrays.toString(tensor.shape()) + ", expected " + expected);
  }

  private String use(String name) {
    String key = architecture + "." + name;
    used.add(key);
    return key;
  }
}
