package org.cliffwatch.quantizer.stored;

import java.util.List;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.checkpoint.StoredTensor;
import org.cliffwatch.quantizer.scheme.Blocks;
import org.cliffwatch.quantizer.scheme.CodedWeight;
import org.cliffwatch.quantizer.scheme.StoredWeight;

/**
 * GPTQ's files, as AutoGPTQ and GPTQModel write them ({@code nn_modules/qlinear/torch.py}): {@code
 * qweight} packs codes along inputs, {@code qzeros} zero points along outputs, {@code g_idx} gives
 * the group of every input. Files of the first version hold zero points less one.
 */
final class Gptq extends StoredFormat {
  private final int bits;
  private final int groupSize;
  private final boolean first;
  private final boolean ordered;

  Gptq(ConfigFields fields) {
    bits = fields.positive("bits");
    fields.require("bits", List.of(2, 3, 4, 8).contains(bits), "2, 3, 4 or 8");
    groupSize = fields.integer("group_size", -1);
    fields.require("group_size", groupSize == -1 || groupSize > 0, "-1 or above 0");
    String format = fields.text("checkpoint_format", fields.text("format", "gptq"));
    fields.require(
        "checkpoint_format", format.equals("gptq") || format.equals("gptq_v2"), "gptq or gptq_v2");
    first = format.equals("gptq");
    ordered = fields.flag("desc_act", false);
    fields.require("dynamic", !fields.has("dynamic") || fields.peek("dynamic").isEmpty(), "none");
    fields.require("is_marlin_format", !fields.flag("is_marlin_format", false), "false");
  }

  @Override
  public String describe() {
    return "gptq, %s bits, %s%s"
        .formatted(
            bits,
            groupSize == -1 ? "a scale a row" : "groups of " + groupSize,
            ordered ? ", ordered by activations" : "");
  }

  @Override
  boolean holds(LayerTensors tensors) {
    return tensors.has("qweight");
  }

  @Override
  StoredWeight weight(LayerTensors t) {
    if ((long) t.inputs * bits % Integer.SIZE != 0) {
      throw new InvalidInputException(
          "layer %s: found %s inputs, expected codes of %s bits to fill whole words"
              .formatted(t.module(), t.inputs, bits));
    }
    int size = groupSize == -1 ? t.inputs : groupSize;
    int groups = Blocks.parts(t.inputs, size);
    long packed = LayerTensors.packedWords(t.inputs, bits);
    StoredTensor codes = t.take("qweight", WORDS, packed, t.outputs);
    StoredTensor zeros = t.take("qzeros", WORDS, groups, LayerTensors.packedWords(t.outputs, bits));
    StoredTensor scales = t.take("scales", FLOATS, groups, t.outputs);
    boolean grouped = ordered || t.has("g_idx");
    StoredTensor order = grouped ? t.take("g_idx", WORDS, t.inputs) : null;
    return StoredWeight.of(
        t.module() + ".qweight",
        t.outputs,
        t.inputs,
        CodedWeight.integers(bits, 0),
        (from, count, out) -> codes(codes, t.inputs, from, count, out),
        () -> scales(t, size, groups, zeros, scales, order),
        null,
        t.bits());
  }

  private void codes(StoredTensor packed, int inputs, int first, int count, byte[] out) {
    int height = (int) LayerTensors.packedWords(inputs, bits);
    int[] words = LayerTensors.words(packed, 0, height, first, count);
    for (int o = 0; o < count; o++) {
      for (int i = 0; i < inputs; i++) {
        out[o * inputs + i] = (byte) LayerTensors.code(words, o, count, i, bits);
      }
    }
  }

  private CodedWeight.Scales scales(
      LayerTensors t,
      int size,
      int groups,
      StoredTensor zeroTensor,
      StoredTensor scaleTensor,
      StoredTensor order) {
    int[] words = LayerTensors.words(zeroTensor);
    int width = words.length / groups;
    return LayerTensors.byGroup(
        blocks(t, size, groups, order),
        scaleTensor,
        (group, output) -> {
          int zero = LayerTensors.code(words, group * width, 1, output, bits) + (first ? 1 : 0);
          if (zero == 1 << bits) {
            // Kernels disagree whether it wraps.
            throw new InvalidInputException(
                "%s: group %s, output %s: found zero point %s, expected 0 to %s"
                    .formatted(zeroTensor.where(), group, output, zero, zero - 1));
          }
          return zero;
        });
  }

  /** Groups as {@code g_idx} has them; null: in order. */
  static Blocks blocks(LayerTensors t, int size, int groups, StoredTensor order) {
    Blocks inOrder = new Blocks.Grid(t.outputs, t.inputs, 1, size);
    if (order == null) {
      return inOrder;
    }
    int[] group = LayerTensors.words(order);
    boolean sorted = true;
    for (int i = 0; i < group.length; i++) {
      if (group[i] < 0 || group[i] >= groups) {
        throw new InvalidInputException(
            "%s: input %s: found group %s, expected 0 to %s"
                .formatted(order.where(), i, group[i], groups - 1));
      }
      sorted &= group[i] == i / size;
    }
    return sorted ? inOrder : new Blocks.Permuted(t.outputs, groups, group);
  }
}
