package org.cliffwatch.quantizer.stored;

import java.util.List;
import java.util.function.Supplier;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.checkpoint.Json;
import org.cliffwatch.quantizer.checkpoint.StorageType;
import org.cliffwatch.quantizer.checkpoint.StoredTensor;
import org.cliffwatch.quantizer.scheme.Blocks;
import org.cliffwatch.quantizer.scheme.CodedWeight;
import org.cliffwatch.quantizer.scheme.Element;
import org.cliffwatch.quantizer.scheme.RowQuantizer;
import org.cliffwatch.quantizer.scheme.StoredWeight;

/**
 * bitsandbytes' files ({@code functional.py}, {@code QuantState}; {@code nn/modules.py}): NF4 and
 * FP4, whose blocks run across the ends of rows, their scales quantized again or not; and the
 * weights of LLM.int8().
 */
final class BitsAndBytes extends StoredFormat {
  private static final int MAX_STATE_BYTES = 1 << 16;
  private static final List<StorageType> BYTES = List.of(StorageType.U8);
  private static final List<StorageType> F32 = List.of(StorageType.F32);

  private final boolean eight;
  private final String type;
  private final boolean nested;
  private final float threshold;

  BitsAndBytes(ConfigFields fields) {
    eight = fields.flag("load_in_8bit", false);
    boolean four = fields.flag("load_in_4bit", false);
    fields.require("load_in_4bit", four != eight, "one of load_in_4bit and load_in_8bit");
    type = fields.text("bnb_4bit_quant_type", "fp4");
    fields.require("bnb_4bit_quant_type", type.equals("nf4") || type.equals("fp4"), "nf4 or fp4");
    nested = fields.flag("bnb_4bit_use_double_quant", false);
    String storage = fields.text("bnb_4bit_quant_storage", "uint8");
    fields.require("bnb_4bit_quant_storage", eight || storage.equals("uint8"), "uint8");
    threshold = (float) fields.number("llm_int8_threshold", 6);
    fields.require("llm_int8_threshold", threshold > 0, "above 0");
    fields.require(
        "llm_int8_has_fp16_weight", !fields.flag("llm_int8_has_fp16_weight", false), "false");
  }

  @Override
  public String describe() {
    return eight
        ? "bitsandbytes, LLM.int8()"
        : "bitsandbytes, " + type + (nested ? ", double quantization" : "");
  }

  @Override
  boolean holds(LayerTensors tensors) {
    return tensors.has("SCB") || tensors.has("weight.absmax");
  }

  @Override
  StoredWeight weight(LayerTensors t) {
    return eight ? eightBits(t) : fourBits(t);
  }

  private StoredWeight eightBits(LayerTensors t) {
    StoredTensor codes = t.take("weight", List.of(StorageType.I8), t.outputs, t.inputs);
    StoredTensor maxima = t.take("SCB", F32, t.outputs);
    if (t.has("weight_format")) {
      byte[] layout = LayerTensors.bytes(t.takeOne("weight_format", BYTES));
      if (layout[0] != 0) {
        throw new InvalidInputException(
            "layer %s: found weight_format %s, expected 0, rows".formatted(t.module(), layout[0]));
      }
    }
    return StoredWeight.of(
        codes.name(),
        t.outputs,
        t.inputs,
        Element.INT8.table(),
        (first, count, out) -> codes.bytes((long) first * t.inputs, out, 0, count * t.inputs),
        () -> {
          float[] scales = maxima.read();
          for (int o = 0; o < scales.length; o++) {
            // The constant of bitsandbytes' own dequantization.
            scales[o] *= 0.007874016f;
          }
          Blocks rows = new Blocks.Grid(t.outputs, t.inputs, 1, t.inputs);
          return new CodedWeight.Scales(rows, scales, null);
        },
        RowQuantizer.withOutliers(threshold),
        t.bits());
  }

  private StoredWeight fourBits(LayerTensors t) {
    long elements = (long) t.outputs * t.inputs;
    StoredTensor codes = t.take("weight", BYTES, (elements + 1) / 2, 1);
    ConfigFields state = state(t);
    if (!state.text("quant_type").equals(type)) {
      throw state.error(
          "quant_type", "found " + state.text("quant_type") + ", but config.json says " + type);
    }
    int size = state.positive("blocksize");
    StoredTensor map = t.take("weight.quant_map", F32, 16);
    Blocks blocks = Blocks.flat(t.outputs, t.inputs, size);
    StoredTensor absmax = t.take("weight.absmax", nested ? BYTES : F32, blocks.count());
    Supplier<float[]> maxima = nested ? doubled(t, state, absmax) : absmax::read;
    return StoredWeight.of(
        codes.name(),
        t.outputs,
        t.inputs,
        map.read(),
        (first, count, out) -> codes(codes, (long) first * t.inputs, count * t.inputs, out),
        () -> new CodedWeight.Scales(blocks, maxima.get(), null),
        null,
        t.bits());
  }

  /** High half first. */
  private static void codes(StoredTensor packed, long first, int count, byte[] out) {
    long from = first / 2;
    byte[] bytes = new byte[(int) ((first + count + 1) / 2 - from)];
    packed.bytes(from, bytes, 0, bytes.length);
    for (int i = 0; i < count; i++) {
      long element = first + i;
      int pair = bytes[(int) (element / 2 - from)];
      out[i] = (byte) ((element % 2 == 0 ? pair >> 4 : pair) & 0xf);
    }
  }

  private Supplier<float[]> doubled(LayerTensors t, ConfigFields state, StoredTensor absmax) {
    int size = state.positive("nested_blocksize");
    float offset = (float) state.number("nested_offset");
    StoredTensor map = t.take("weight.nested_quant_map", F32, 256);
    StoredTensor outer =
        t.take("weight.nested_absmax", F32, Blocks.parts(absmax.elements(), (long) size));
    return () -> {
      byte[] codes = LayerTensors.bytes(absmax);
      float[] values = map.read();
      float[] scales = outer.read();
      float[] maxima = new float[codes.length];
      for (int b = 0; b < codes.length; b++) {
        maxima[b] = values[codes[b] & 0xff] * scales[b / size] + offset;
      }
      return maxima;
    };
  }

  /** The tensor of JSON text beside every weight. */
  private ConfigFields state(LayerTensors t) {
    StoredTensor tensor = t.typed("weight.quant_state.bitsandbytes__" + type, BYTES);
    if (tensor.bytes() > MAX_STATE_BYTES) {
      throw new InvalidInputException(
          tensor.where() + ": " + tensor.bytes() + " bytes, expected at most " + MAX_STATE_BYTES);
    }
    byte[] text = LayerTensors.bytes(tensor);
    return ConfigFields.of(tensor.where(), Json.object(text, tensor.where()));
  }
}
