package org.cliffwatch.quantizer.stored;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.checkpoint.StorageType;
import org.cliffwatch.quantizer.checkpoint.StoredTensor;
import org.cliffwatch.quantizer.scheme.Blocks;
import org.cliffwatch.quantizer.scheme.CodedWeight;
import org.cliffwatch.quantizer.scheme.Element;
import org.cliffwatch.quantizer.scheme.RowQuantizer;
import org.cliffwatch.quantizer.scheme.RowQuantizer.Scaling;
import org.cliffwatch.quantizer.scheme.StoredWeight;
import org.cliffwatch.quantizer.tokenizer.RegexCheck;

/**
 * The files of compressed-tensors 0.20, which llm-compressor writes and vLLM reads ({@code
 * compressors/}, {@code quantization/quant_args.py}): groups of layers, each with its type of
 * weight and of input.
 */
final class CompressedTensors extends StoredFormat {
  private static final List<StorageType> F32 = List.of(StorageType.F32);

  private enum Packing {
    PACKED("pack-quantized"),
    INTEGERS("int-quantized"),
    FLOATS("float-quantized"),
    NAIVE("naive-quantized"),
    NVFP4("nvfp4-pack-quantized"),
    MXFP4("mxfp4-pack-quantized");

    private final String spelled;

    Packing(String spelled) {
      this.spelled = spelled;
    }

    static Packing of(ConfigFields fields, String format) {
      for (Packing packing : values()) {
        if (packing.spelled.equals(format)) {
          return packing;
        }
      }
      throw fields.error(
          "format",
          "found \""
              + format
              + "\", which is not implemented; expected one of "
              + String.join(", ", List.of(values()).stream().map(p -> p.spelled).toList()));
    }
  }

  /**
   * What weights or inputs of a group are.
   *
   * @param strategy tensor, channel, token, group, block or tensor_group
   * @param exponents whether scales are powers of two
   */
  private record Type(
      ConfigFields fields,
      boolean integer,
      int bits,
      boolean symmetric,
      String strategy,
      int groupSize,
      boolean dynamic,
      boolean exponents) {
    static Type of(ConfigFields fields) {
      String type = fields.text("type", "int");
      fields.require("type", type.equals("int") || type.equals("float"), "int or float");
      int groupSize = fields.integer("group_size", -1);
      String strategy =
          fields.text(
              "strategy",
              !fields.has("group_size") ? "tensor" : groupSize > 0 ? "group" : "channel");
      boolean local = fields.isText("dynamic");
      fields.require(
          "dynamic", !local || fields.text("dynamic").equals("local"), "true, false or local");
      boolean dynamic = local || fields.flag("dynamic", false);
      String scales = fields.text("scale_dtype", "");
      boolean exponents = scales.endsWith("uint8");
      fields.require(
          "scale_dtype",
          scales.isEmpty() || exponents || scales.endsWith("float8_e4m3fn"),
          "torch.uint8 or torch.float8_e4m3fn");
      // What remains says how scales were found.
      fields.ignore(fields.names().toArray(String[]::new));
      return new Type(
          fields,
          type.equals("int"),
          fields.positive("num_bits", 8),
          fields.flag("symmetric", true),
          strategy,
          groupSize,
          dynamic,
          exponents);
    }
  }

  private record Group(List<String> targets, Packing packing, Type weights, Type inputs) {}

  private final List<Group> groups = new ArrayList<>();

  CompressedTensors(ConfigFields fields) {
    for (String absent : List.of("kv_cache_scheme", "sparsity_config", "transform_config")) {
      boolean empty = !fields.has(absent) || fields.peek(absent).isEmpty();
      boolean dense = fields.peek(absent).path("format").asText().equals("dense");
      fields.require(absent, empty || dense, "none");
    }
    String common = fields.text("format", "dense");
    ConfigFields all =
        fields
            .object("config_groups")
            .orElseThrow(() -> fields.error("config_groups", "missing, expected groups of layers"));
    for (String name : all.names()) {
      ConfigFields group =
          all.object(name).orElseThrow(() -> all.error(name, "found null, expected an object"));
      group.require("output_activations", !group.has("output_activations"), "null");
      Packing packing =
          group.has("format")
              ? Packing.of(group, group.text("format"))
              : Packing.of(fields, common);
      Type weights =
          group
              .object("weights")
              .map(Type::of)
              .orElseThrow(() -> group.error("weights", "found none, which is not implemented"));
      Type inputs = group.object("input_activations").map(Type::of).orElse(null);
      groups.add(new Group(group.texts("targets"), packing, weights, inputs));
    }
    if (groups.isEmpty()) {
      throw fields.error("config_groups", "found none, expected at least one");
    }
    groups.forEach(CompressedTensors::check);
  }

  private static void check(Group group) {
    Type w = group.weights;
    switch (group.packing) {
      case PACKED ->
          w.fields.require("num_bits", w.integer && w.bits <= 8, "integers of 1 to 8 bits");
      case INTEGERS -> w.fields.require("num_bits", w.integer && w.bits <= 8, "int, up to 8 bits");
      case FLOATS -> w.fields.require("num_bits", !w.integer && w.bits == 8, "float, 8 bits");
      case NAIVE -> w.fields.require("num_bits", w.bits == 8, "8");
      case NVFP4, MXFP4 -> {
        w.fields.require("num_bits", !w.integer && w.bits == 4, "float, 4 bits");
        int size = group.packing == Packing.NVFP4 ? 16 : 32;
        w.fields.require("group_size", w.groupSize == size, String.valueOf(size));
      }
    }
    List<String> strategies =
        switch (group.packing) {
          case NVFP4 -> List.of("tensor_group");
          case MXFP4 -> List.of("group");
          case FLOATS, NAIVE -> List.of("tensor", "channel", "group", "block");
          case PACKED, INTEGERS -> List.of("tensor", "channel", "group");
        };
    w.fields.require("strategy", strategies.contains(w.strategy), String.join(", ", strategies));
    w.fields.require("dynamic", !w.dynamic, "false");
    w.fields.require("symmetric", w.symmetric || w.integer, "true");
  }

  @Override
  public String describe() {
    List<String> each = new ArrayList<>();
    for (Group group : groups) {
      Type w = group.weights;
      each.add(
          "%s %s bits %s%s"
              .formatted(
                  w.integer ? "int" : "float",
                  w.bits,
                  w.groupSize > 0 ? "in groups of " + w.groupSize : "a " + w.strategy,
                  w.symmetric ? "" : " with zero points"));
    }
    return "compressed-tensors, " + String.join("; ", each);
  }

  @Override
  boolean holds(LayerTensors tensors) {
    return tensors.has("weight_packed") || tensors.has("weight_scale");
  }

  /**
   * compressed-tensors' {@code utils/match.py}: names go before patterns, patterns before types.
   */
  private Group group(LayerTensors t) {
    if (groups.size() == 1) {
      return groups.get(0);
    }
    record Match(Group group, int rank) {}
    List<Match> matches = new ArrayList<>();
    for (Group group : groups) {
      for (String target : group.targets) {
        int rank = rank(t.module(), target);
        if (rank >= 0) {
          matches.add(new Match(group, rank));
        }
      }
    }
    return matches.stream()
        .min(Comparator.comparingInt(Match::rank))
        .map(Match::group)
        .orElseThrow(
            () ->
                new InvalidInputException(
                    "layer "
                        + t.module()
                        + ": quantized, but in the targets of no group of quantization_config"));
  }

  private static int rank(String module, String target) {
    if (target.equals(module)) {
      return 0;
    }
    if (target.startsWith("re:")) {
      String pattern = target.substring("re:".length());
      String problem = RegexCheck.problem(pattern);
      if (problem != null) {
        throw new InvalidInputException("quantization_config: target " + target + ": " + problem);
      }
      try {
        return Pattern.compile(pattern).matcher(module).lookingAt() ? 1 : -1;
      } catch (PatternSyntaxException e) {
        throw new InvalidInputException(
            "quantization_config: target " + target + ": " + e.getDescription(), e);
      }
    }
    return target.equals("Linear") ? 2 : -1;
  }

  @Override
  StoredWeight weight(LayerTensors t) {
    Group group = group(t);
    RowQuantizer inputs = group.inputs == null ? null : inputs(t, group);
    Type w = group.weights;
    return switch (group.packing) {
      case PACKED -> packed(t, w, inputs);
      case INTEGERS, FLOATS, NAIVE -> w.integer ? integers(t, w, inputs) : floats(t, w, inputs);
      case NVFP4, MXFP4 -> pairs(t, group, inputs);
    };
  }

  private StoredWeight packed(LayerTensors t, Type w, RowQuantizer inputs) {
    long width = LayerTensors.packedWords(t.inputs, w.bits);
    StoredTensor codes = t.take("weight_packed", WORDS, t.outputs, width);
    StoredTensor shape = t.take("weight_shape", List.of(StorageType.I64, StorageType.I32), 2);
    requireShape(t, shape);
    Blocks.Grid blocks = blocks(t, w);
    StoredTensor scales = scales(t, w, blocks);
    int across = Blocks.parts(t.inputs, blocks.width());
    StoredTensor zeros =
        w.symmetric
            ? null
            : t.take(
                "weight_zero_point", WORDS, LayerTensors.packedWords(t.outputs, w.bits), across);
    if (zeros != null && blocks.height() != 1) {
      throw new InvalidInputException(
          "layer %s: zero points of a whole tensor are not implemented".formatted(t.module()));
    }
    StoredTensor order = t.has("weight_g_idx") ? t.take("weight_g_idx", WORDS, t.inputs) : null;
    int offset = 1 << (w.bits - 1);
    return StoredWeight.of(
        codes.name(),
        t.outputs,
        t.inputs,
        CodedWeight.integers(w.bits, -offset),
        (first, count, out) -> {
          int[] words = LayerTensors.words(codes, first, count, 0, (int) width);
          for (int o = 0; o < count; o++) {
            for (int i = 0; i < t.inputs; i++) {
              out[o * t.inputs + i] =
                  (byte) LayerTensors.code(words, o * (int) width, 1, i, w.bits);
            }
          }
        },
        () -> {
          float[] unpacked = null;
          if (zeros != null) {
            int[] words = LayerTensors.words(zeros);
            unpacked = new float[t.outputs * across];
            for (int o = 0; o < t.outputs; o++) {
              for (int g = 0; g < across; g++) {
                int code = LayerTensors.code(words, g, across, o, w.bits);
                unpacked[o * across + g] = code - offset;
              }
            }
          }
          Blocks found = order == null ? blocks : Gptq.blocks(t, blocks.width(), across, order);
          return new CodedWeight.Scales(found, scales.read(), unpacked);
        },
        inputs,
        t.bits());
  }

  private static void requireShape(LayerTensors t, StoredTensor shape) {
    byte[] bytes = LayerTensors.bytes(shape);
    var buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    boolean wide = shape.type() == StorageType.I64;
    long rows = wide ? buffer.getLong() : buffer.getInt();
    long columns = wide ? buffer.getLong() : buffer.getInt();
    if (rows != t.outputs || columns != t.inputs) {
      throw new InvalidInputException(
          "%s: found (%s, %s), expected (%s, %s)"
              .formatted(shape.where(), rows, columns, t.outputs, t.inputs));
    }
  }

  private StoredWeight integers(LayerTensors t, Type w, RowQuantizer inputs) {
    StoredTensor codes = t.take("weight", List.of(StorageType.I8), t.outputs, t.inputs);
    Blocks.Grid blocks = blocks(t, w);
    StoredTensor scales = scales(t, w, blocks);
    StoredTensor zeros =
        w.symmetric
            ? null
            : t.typed("weight_zero_point", List.of(StorageType.I8)).requireShape(scales.shape());
    return StoredWeight.of(
        codes.name(),
        t.outputs,
        t.inputs,
        Element.INT8.table(),
        (first, count, out) -> {
          long from = (long) first * t.inputs;
          codes.bytes(from, out, 0, count * t.inputs);
          requireBits(codes, from, out, count * t.inputs, w.bits, "");
        },
        () -> {
          float[] zero = null;
          if (zeros != null) {
            byte[] bytes = LayerTensors.bytes(zeros);
            zero = new float[bytes.length];
            requireBits(zeros, 0, bytes, bytes.length, w.bits, "zero point ");
            for (int b = 0; b < bytes.length; b++) {
              zero[b] = bytes[b];
            }
          }
          return new CodedWeight.Scales(blocks, scales.read(), zero);
        },
        inputs,
        t.bits());
  }

  /**
   * Signed codes, the first of them the tensor's element {@code from}, must be of so many bits.
   *
   * @param what they are, with a space after it, or nothing
   */
  private static void requireBits(
      StoredTensor tensor, long from, byte[] codes, int count, int bits, String what) {
    int low = -(1 << (bits - 1));
    for (int i = 0; i < count; i++) {
      if (codes[i] < low || codes[i] > -low - 1) {
        throw new InvalidInputException(
            "%s: element %s: found %s%s, expected a code of %s bits"
                .formatted(tensor.where(), from + i, what, codes[i], bits));
      }
    }
  }

  private StoredWeight floats(LayerTensors t, Type w, RowQuantizer inputs) {
    StoredTensor codes = t.take("weight", List.of(StorageType.F8_E4M3), t.outputs, t.inputs);
    Blocks.Grid blocks = blocks(t, w);
    StoredTensor scales = scales(t, w, blocks);
    return StoredWeight.of(
        codes.name(),
        t.outputs,
        t.inputs,
        Element.E4M3.table(),
        (first, count, out) -> BlockFp8.e4m3(codes, (long) first * t.inputs, count * t.inputs, out),
        () -> new CodedWeight.Scales(blocks, scales.read(), null),
        inputs,
        t.bits());
  }

  /** e2m1, low half first. */
  private StoredWeight pairs(LayerTensors t, Group group, RowQuantizer inputs) {
    int size = group.weights.groupSize;
    if (t.inputs % size != 0) {
      throw new InvalidInputException(
          "layer %s: found %s inputs, expected them to go by %s"
              .formatted(t.module(), t.inputs, size));
    }
    int width = t.inputs / 2;
    StoredTensor codes = t.take("weight_packed", List.of(StorageType.U8), t.outputs, width);
    boolean hasGlobal = group.packing == Packing.NVFP4;
    StorageType type = hasGlobal ? StorageType.F8_E4M3 : StorageType.U8;
    StoredTensor scales = t.take("weight_scale", List.of(type), t.outputs, t.inputs / size);
    StoredTensor global = hasGlobal ? t.takeOne("weight_global_scale", F32) : null;
    return StoredWeight.of(
        codes.name(),
        t.outputs,
        t.inputs,
        Element.E2M1.table(),
        (first, count, out) -> {
          byte[] bytes = new byte[count * width];
          codes.bytes((long) first * width, bytes, 0, bytes.length);
          for (int i = 0; i < bytes.length; i++) {
            out[2 * i] = (byte) (bytes[i] & 0xf);
            out[2 * i + 1] = (byte) (bytes[i] >> 4 & 0xf);
          }
        },
        () ->
            new CodedWeight.Scales(
                new Blocks.Grid(t.outputs, t.inputs, 1, size),
                global == null ? powersOfTwo(scales) : overGlobal(scales, global),
                null),
        inputs,
        t.bits());
  }

  private static float[] powersOfTwo(StoredTensor scales) {
    byte[] exponents = LayerTensors.bytes(scales);
    float[] powers = new float[exponents.length];
    for (int b = 0; b < exponents.length; b++) {
      int exponent = exponents[b] & 0xff;
      if (exponent == 0xff) {
        throw new InvalidInputException(
            scales.where() + ": element " + b + ": found 255, expected an exponent up to 254");
      }
      powers[b] = Math.scalb(1f, exponent - 127);
    }
    return powers;
  }

  private static float[] overGlobal(StoredTensor scales, StoredTensor global) {
    float divisor = positive(global);
    byte[] codes = new byte[Math.toIntExact(scales.elements())];
    BlockFp8.e4m3(scales, 0, codes.length, codes);
    float[] table = Element.E4M3.table();
    float[] values = new float[codes.length];
    for (int b = 0; b < codes.length; b++) {
      values[b] = table[codes[b] & 0xff] / divisor;
    }
    return values;
  }

  private static float positive(StoredTensor one) {
    float value = one.read()[0];
    if (value <= 0) {
      throw new InvalidInputException(one.where() + ": found " + value + ", expected above 0");
    }
    return value;
  }

  private static Blocks.Grid blocks(LayerTensors t, Type w) {
    return switch (w.strategy) {
      case "tensor" -> new Blocks.Grid(t.outputs, t.inputs, t.outputs, t.inputs);
      case "channel" -> new Blocks.Grid(t.outputs, t.inputs, 1, t.inputs);
      case "block" -> {
        List<Double> structure = w.fields.numbers("block_structure");
        w.fields.require(
            "block_structure",
            structure.size() == 2 && structure.stream().allMatch(n -> n >= 1 && n < 1 << 20),
            "two sizes");
        yield new Blocks.Grid(
            t.outputs, t.inputs, structure.get(0).intValue(), structure.get(1).intValue());
      }
      default -> {
        w.fields.require("group_size", w.groupSize > 0, "above 0");
        yield new Blocks.Grid(t.outputs, t.inputs, 1, w.groupSize);
      }
    };
  }

  private static StoredTensor scales(LayerTensors t, Type w, Blocks.Grid blocks) {
    return w.strategy.equals("tensor")
        ? t.takeOne("weight_scale", FLOATS)
        : t.take(
            "weight_scale",
            FLOATS,
            Blocks.parts(t.outputs, blocks.height()),
            Blocks.parts(t.inputs, blocks.width()));
  }

  private static RowQuantizer inputs(LayerTensors t, Group group) {
    Type x = group.inputs;
    Element element = element(x);
    if (x.dynamic) {
      return switch (x.strategy) {
        case "token" -> RowQuantizer.dynamic(element, x.symmetric, 0);
        case "group" -> {
          if (group.packing != Packing.MXFP4 && !x.exponents) {
            yield RowQuantizer.dynamic(element, x.symmetric, x.groupSize);
          }
          x.fields.require("num_bits", element == Element.E2M1, "4-bit floats for MX inputs");
          yield new RowQuantizer(element, true, x.groupSize, Scaling.EVEN, 0, 0);
        }
        case "tensor_group" ->
            new RowQuantizer(
                element,
                true,
                x.groupSize,
                Scaling.GLOBAL,
                positive(t.takeOne("input_global_scale", F32)),
                0);
        default ->
            throw x.fields.error(
                "strategy",
                "found \""
                    + x.strategy
                    + "\" and dynamic, whose scale would depend on all rows of a batch; expected"
                    + " token, group or tensor_group");
      };
    }
    x.fields.require("strategy", x.strategy.equals("tensor"), "tensor, where not dynamic");
    float scale = positive(t.takeOne("input_scale", FLOATS));
    float zero = 0;
    if (t.has("input_zero_point")) {
      zero = LayerTensors.bytes(t.takeOne("input_zero_point", List.of(StorageType.I8)))[0];
    } else if (!x.symmetric) {
      throw new InvalidInputException(
          "layer " + t.module() + ": input_zero_point is missing, but inputs are not symmetric");
    }
    return RowQuantizer.fixed(element, scale, zero);
  }

  private static Element element(Type x) {
    x.fields.require("symmetric", x.symmetric || x.integer, "true");
    x.fields.require("num_bits", x.bits == 8 || x.bits == 4, "8 or 4");
    if (x.integer) {
      return x.bits == 8 ? Element.INT8 : Element.INT4;
    }
    return x.bits == 8 ? Element.E4M3 : Element.E2M1;
  }
}
