package org.cliffwatch.quantizer.stored;

import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.checkpoint.StoredTensor;
import org.cliffwatch.quantizer.scheme.Blocks;
import org.cliffwatch.quantizer.scheme.CodedWeight;
import org.cliffwatch.quantizer.scheme.StoredWeight;

/**
 * AWQ's files of the kind {@code gemm} (AutoAWQ, {@code awq/modules/linear/gemm.py}): eight outputs
 * of 4 bits share a word, in the order 0, 2, 4, 6, 1, 3, 5, 7.
 */
final class Awq extends StoredFormat {
  private static final int BITS = 4;
  private static final int PACKED = Integer.SIZE / BITS;

  /** Where output i of eight lies in its word, in codes. */
  private static final int[] PLACE = {0, 4, 1, 5, 2, 6, 3, 7};

  private final int groupSize;

  Awq(ConfigFields fields) {
    int bits = fields.integer("bits", fields.integer("w_bit", BITS));
    fields.require("bits", bits == BITS, "4");
    String version = fields.text("version", fields.text("format", "gemm"));
    fields.require("version", version.equalsIgnoreCase("gemm"), "gemm");
    groupSize = fields.integer("group_size", fields.integer("q_group_size", 128));
    fields.require("group_size", groupSize == -1 || groupSize > 0, "-1 or above 0");
    fields.require("zero_point", fields.flag("zero_point", true), "true");
  }

  @Override
  public String describe() {
    return "awq, 4 bits, " + (groupSize == -1 ? "a scale a row" : "groups of " + groupSize);
  }

  @Override
  boolean holds(LayerTensors tensors) {
    return tensors.has("qweight");
  }

  @Override
  StoredWeight weight(LayerTensors t) {
    int size = groupSize == -1 ? t.inputs : groupSize;
    if (t.outputs % PACKED != 0 || t.inputs % size != 0) {
      throw new InvalidInputException(
          "layer %s: found (%s, %s), expected outputs to go by %s and inputs by groups of %s"
              .formatted(t.module(), t.outputs, t.inputs, PACKED, size));
    }
    int groups = t.inputs / size;
    int width = t.outputs / PACKED;
    StoredTensor codes = t.take("qweight", WORDS, t.inputs, width);
    StoredTensor zeroTensor = t.take("qzeros", WORDS, groups, width);
    StoredTensor scaleTensor = t.take("scales", FLOATS, groups, t.outputs);
    return StoredWeight.of(
        t.module() + ".qweight",
        t.outputs,
        t.inputs,
        CodedWeight.integers(BITS, 0),
        (first, count, out) -> codes(codes, t.inputs, first, count, out),
        () -> scales(t, size, zeroTensor, scaleTensor),
        null,
        t.bits());
  }

  private static void codes(StoredTensor packed, int inputs, int first, int count, byte[] out) {
    int width = count / PACKED;
    int[] words = LayerTensors.words(packed, 0, inputs, first / PACKED, width);
    for (int i = 0; i < inputs; i++) {
      for (int o = 0; o < count; o++) {
        out[o * inputs + i] = (byte) code(words[i * width + o / PACKED], o);
      }
    }
  }

  private static int code(int word, int output) {
    return (word >>> (BITS * PLACE[output % PACKED])) & 0xf;
  }

  private static CodedWeight.Scales scales(
      LayerTensors t, int size, StoredTensor zeroTensor, StoredTensor scaleTensor) {
    int[] words = LayerTensors.words(zeroTensor);
    int width = t.outputs / PACKED;
    return LayerTensors.byGroup(
        new Blocks.Grid(t.outputs, t.inputs, 1, size),
        scaleTensor,
        (group, output) -> code(words[group * width + output / PACKED], output));
  }
}
