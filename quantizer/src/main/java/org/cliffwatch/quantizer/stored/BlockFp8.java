package org.cliffwatch.quantizer.stored;

import java.util.List;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.checkpoint.StorageType;
import org.cliffwatch.quantizer.checkpoint.StoredTensor;
import org.cliffwatch.quantizer.scheme.Blocks;
import org.cliffwatch.quantizer.scheme.CodedWeight;
import org.cliffwatch.quantizer.scheme.Element;
import org.cliffwatch.quantizer.scheme.RowQuantizer;
import org.cliffwatch.quantizer.scheme.StoredWeight;

/**
 * DeepSeek's FP8, as transformers keeps it ({@code integrations/finegrained_fp8.py}): weights in
 * e4m3 with a scale a rectangle, inputs quantized with a scale a token and the width of one, or
 * with one scale for all.
 */
final class BlockFp8 extends StoredFormat {
  private final int height;
  private final int width;
  private final boolean dynamic;

  BlockFp8(ConfigFields fields) {
    String scheme = fields.text("activation_scheme", "dynamic");
    fields.require(
        "activation_scheme",
        scheme.equals("dynamic") || scheme.equals("static"),
        "dynamic or static");
    dynamic = scheme.equals("dynamic");
    List<Double> block = fields.numbers("weight_block_size");
    boolean whole = fields.isNull("weight_block_size");
    fields.require(
        "weight_block_size",
        block.isEmpty()
            || (block.size() == 2 && block.stream().allMatch(n -> n >= 1 && n < 1 << 20)),
        "two sizes, or null");
    height = whole ? 0 : block.isEmpty() ? 128 : block.get(0).intValue();
    width = whole ? 0 : block.isEmpty() ? 128 : block.get(1).intValue();
    String format = fields.text("fmt", "e4m3");
    fields.require("fmt", format.equals("e4m3"), "e4m3");
    String scales = fields.text("scale_fmt", "float");
    fields.require("scale_fmt", scales.equals("float"), "float");
    fields.require("dequantize", !fields.flag("dequantize", false), "false");
  }

  @Override
  public String describe() {
    return "fp8, " + (width == 0 ? "one scale a layer" : "blocks of " + height + " by " + width);
  }

  @Override
  boolean holds(LayerTensors tensors) {
    return tensors.has("weight_scale_inv");
  }

  @Override
  StoredWeight weight(LayerTensors t) {
    StoredTensor codes = t.take("weight", List.of(StorageType.F8_E4M3), t.outputs, t.inputs);
    Blocks.Grid blocks =
        width == 0
            ? new Blocks.Grid(t.outputs, t.inputs, t.outputs, t.inputs)
            : new Blocks.Grid(t.outputs, t.inputs, height, width);
    StoredTensor scales =
        width == 0
            ? t.takeOne("weight_scale_inv", FLOATS)
            : t.take(
                "weight_scale_inv",
                FLOATS,
                Blocks.parts(t.outputs, height),
                Blocks.parts(t.inputs, width));
    RowQuantizer inputs;
    if (dynamic) {
      inputs = RowQuantizer.dynamic(Element.E4M3, true, width);
    } else {
      float scale = t.takeOne("activation_scale", FLOATS).read()[0];
      if (scale <= 0) {
        throw new InvalidInputException(
            "layer %s: found activation_scale %s, expected above 0".formatted(t.module(), scale));
      }
      inputs = RowQuantizer.fixed(Element.E4M3, scale, 0);
    }
    return StoredWeight.of(
        codes.name(),
        t.outputs,
        t.inputs,
        Element.E4M3.table(),
        (first, count, out) -> e4m3(codes, (long) first * t.inputs, count * t.inputs, out),
        () -> new CodedWeight.Scales(blocks, scales.read(), null),
        inputs,
        t.bits());
  }

  /** Codes as they are stored, none of them NaN. */
  static void e4m3(StoredTensor tensor, long first, int count, byte[] out) {
    tensor.bytes(first, out, 0, count);
    for (int i = 0; i < count; i++) {
      if ((out[i] & 0x7f) == 0x7f) {
        throw new InvalidInputException(
            tensor.where() + ": element " + (first + i) + " is NaN, expected finite weights");
      }
    }
  }
}
