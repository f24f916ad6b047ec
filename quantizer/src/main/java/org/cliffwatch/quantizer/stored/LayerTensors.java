package org.cliffwatch.quantizer.stored;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.StorageType;
import org.cliffwatch.quantizer.checkpoint.StoredTensor;
import org.cliffwatch.quantizer.scheme.Blocks;
import org.cliffwatch.quantizer.scheme.CodedWeight;

/**
 * The tensors of one linear layer (outputs, inputs), taken one by one: their types and shapes are
 * checked, their bytes counted.
 */
final class LayerTensors {
  private final TensorSource source;
  private final String module;
  final int outputs;
  final int inputs;
  private long bytes;

  LayerTensors(TensorSource source, String module, int outputs, int inputs) {
    this.source = source;
    this.module = module;
    this.outputs = outputs;
    this.inputs = inputs;
  }

  String module() {
    return module;
  }

  boolean has(String suffix) {
    return source.has(module + "." + suffix);
  }

  /** The tensor {@code module.suffix}, of one of these types and of that shape. */
  StoredTensor take(String suffix, List<StorageType> types, long... shape) {
    StoredTensor tensor = typed(suffix, types);
    return tensor.requireShape(shape);
  }

  /** As {@link #take}, of one element in whatever shape. */
  StoredTensor takeOne(String suffix, List<StorageType> types) {
    StoredTensor tensor = typed(suffix, types);
    return tensor.elements() == 1 ? tensor : tensor.requireShape(1);
  }

  StoredTensor typed(String suffix, List<StorageType> types) {
    StoredTensor tensor = source.take(module + "." + suffix);
    if (!types.contains(tensor.type())) {
      throw new InvalidInputException(
          tensor.where() + ": stored as " + tensor.type() + ", expected " + either(types));
    }
    bytes += tensor.bytes();
    return tensor;
  }

  private static String either(List<StorageType> types) {
    return String.join(" or ", types.stream().map(Enum::name).toList());
  }

  /** Bits a weight of what was taken. */
  double bits() {
    return (double) bytes * Byte.SIZE / ((double) outputs * inputs);
  }

  /** Bytes of a tensor that is small beside the weight. */
  static byte[] bytes(StoredTensor tensor) {
    if (tensor.bytes() > Integer.MAX_VALUE - 8) {
      throw new InvalidInputException(
          tensor.where() + ": " + tensor.bytes() + " bytes do not fit an array");
    }
    byte[] all = new byte[(int) tensor.bytes()];
    tensor.bytes(0, all, 0, all.length);
    return all;
  }

  /** All words of a tensor of 32-bit integers. */
  static int[] words(StoredTensor tensor) {
    byte[] bytes = bytes(tensor);
    int[] words = new int[bytes.length / Integer.BYTES];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(words);
    return words;
  }

  /**
   * A rectangle of a matrix of 32-bit integers.
   *
   * @return (height, width), row-major
   */
  static int[] words(StoredTensor matrix, int row, int height, int column, int width) {
    long columns = matrix.shape()[1];
    byte[] bytes = new byte[width * Integer.BYTES];
    ByteBuffer line = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int[] words = new int[Math.multiplyExact(height, width)];
    for (int r = 0; r < height; r++) {
      matrix.bytes(((row + r) * columns + column) * Integer.BYTES, bytes, 0, bytes.length);
      line.asIntBuffer().get(0, words, r * width, width);
    }
    return words;
  }

  /**
   * The code at a place of codes packed one after another into words, low bits first, across the
   * ends of words where they do not fit.
   *
   * @param start of the first word
   * @param stride to the next
   */
  static int code(int[] words, int start, int stride, int place, int bits) {
    long bit = (long) place * bits;
    int word = start + (int) (bit >>> 5) * stride;
    int offset = (int) (bit & 31);
    int code = words[word] >>> offset;
    if (offset + bits > Integer.SIZE) {
      code |= words[word + stride] << (Integer.SIZE - offset);
    }
    return code & ((1 << bits) - 1);
  }

  /** The zero point of a group of an output's inputs. */
  interface ZeroPoints {
    int of(int group, int output);
  }

  /**
   * Scales and zero points of groups of inputs.
   *
   * @param blocks a row of groups an output
   * @param scales (groups, outputs)
   */
  static CodedWeight.Scales byGroup(Blocks blocks, StoredTensor scales, ZeroPoints zeroPoints) {
    int groups = (int) scales.shape()[0];
    int outputs = (int) scales.shape()[1];
    float[] stored = scales.read();
    float[] byOutput = new float[stored.length];
    float[] zeros = new float[stored.length];
    for (int g = 0; g < groups; g++) {
      for (int o = 0; o < outputs; o++) {
        byOutput[o * groups + g] = stored[g * outputs + o];
        zeros[o * groups + g] = zeroPoints.of(g, o);
      }
    }
    return new CodedWeight.Scales(blocks, byOutput, zeros);
  }

  /** Words that so many codes are packed into. */
  static long packedWords(int codes, int bits) {
    return ((long) codes * bits + Integer.SIZE - 1) / Integer.SIZE;
  }
}
