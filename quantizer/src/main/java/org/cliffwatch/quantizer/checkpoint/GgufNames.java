package org.cliffwatch.quantizer.checkpoint;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the tensors of an architecture are called in Hugging Face, and what the converter has done
 * to their rows. Immutable: what adds or replaces a name gives another table.
 */
final class GgufNames {
  /** In a name of Hugging Face, the number of the expert: the file has all of them stacked. */
  private static final String EXPERT = "*";

  private static final Pattern BLOCK =
      Pattern.compile("blk\\.(\\d{1,6})\\.([a-z0-9_]+)\\.(weight|bias)");
  private static final Pattern WHOLE = Pattern.compile("([a-z0-9_]+)\\.(weight|bias)");

  /** How the converter lays out what Hugging Face has. */
  interface Layout {
    /**
     * The order that undoes it.
     *
     * @param rows of the tensor in the file
     */
    StoredTensor.Order order(GgufFile.Tensor tensor, long rows, GgufFields fields);

    /** As it is. */
    Layout SAME = (tensor, rows, fields) -> StoredTensor.Order.AS_STORED;

    /** GPT-2's Conv1D keeps its weights as (in, out), GGUF as (out, in). */
    Layout TRANSPOSED =
        (tensor, rows, fields) ->
            tensor.dimensions().length == 2
                ? StoredTensor.Order.transposing()
                : StoredTensor.Order.AS_STORED;

    /** Rows of each head for pairs of neighbours to be rotated. */
    Layout ROTARY_QUERIES = (tensor, rows, fields) -> rotary(tensor, rows, fields, fields.heads());

    Layout ROTARY_KEYS = (tensor, rows, fields) -> rotary(tensor, rows, fields, fields.keyHeads());

    /** All queries, all keys, all values, where Hugging Face has each key head's together. */
    Layout FUSED =
        (tensor, rows, fields) -> {
          long heads = fields.heads();
          long keyHeads = fields.keyHeads();
          long expected = (heads + 2 * keyHeads) * fields.head();
          if (heads % keyHeads != 0 || rows != expected) {
            throw fields.misshapen(
                tensor,
                expected
                    + " rows: queries of "
                    + heads
                    + " heads, keys and values of "
                    + keyHeads
                    + ", a divisor");
          }
          return StoredTensor.Order.fused(heads, keyHeads, fields.head());
        };

    /**
     * Gemma's norms, whose weights are w in Hugging Face and 1 + w in the file, added in float32.
     * What comes back is w rounded to a multiple of 2⁻²⁴ (2⁻²³ from 0 on, 2⁻²² from 1), and 1 + w
     * in float32 is what it was: to the bit, since the difference of the file's value and 1 is
     * exact. A w of bfloat16 comes back unchanged from 2⁻¹⁶ on, and below as a number that bfloat16
     * has. A float16 checkpoint has lost more: the converter adds its 1 in float16.
     */
    Layout ONE_ADDED = (tensor, rows, fields) -> StoredTensor.Order.plus(1);

    private static StoredTensor.Order rotary(
        GgufFile.Tensor tensor, long rows, GgufFields fields, int heads) {
      if (rows % (2L * heads) != 0) {
        throw fields.misshapen(
            tensor, "a multiple of 2 · " + heads + " rows, of which a head has its halves");
      }
      return StoredTensor.Order.rotaryInterleaved((int) Math.min(rows / heads, Integer.MAX_VALUE));
    }
  }

  private record Part(String name, Layout layout) {}

  private final String layers;
  private final Map<String, Part> whole;
  private final Map<String, Part> inBlock;

  private GgufNames(String layers, Map<String, Part> whole, Map<String, Part> inBlock) {
    this.layers = layers;
    this.whole = whole;
    this.inBlock = inBlock;
  }

  /**
   * A table without names.
   *
   * @param layers what the names of a block's tensors begin with, before its number
   */
  static GgufNames of(String layers) {
    return new GgufNames(layers, Map.of(), Map.of());
  }

  /** One of the model's tensors: its name in GGUF, and in Hugging Face. */
  GgufNames whole(String part, String name) {
    return new GgufNames(layers, with(whole, part, new Part(name, Layout.SAME)), inBlock);
  }

  /** One of a block's tensors; in {@code name}, {@code *} is the number of an expert. */
  GgufNames block(String part, String name) {
    return block(part, name, Layout.SAME);
  }

  GgufNames block(String part, String name, Layout layout) {
    return new GgufNames(layers, whole, with(inBlock, part, new Part(name, layout)));
  }

  /** The same names, the rows of some laid out otherwise. */
  GgufNames laidOut(Layout layout, String... parts) {
    GgufNames names = this;
    for (String part : parts) {
      names =
          whole.containsKey(part)
              ? new GgufNames(
                  layers,
                  with(names.whole, part, new Part(whole.get(part).name(), layout)),
                  names.inBlock)
              : names.block(part, inBlock.get(part).name(), layout);
    }
    return names;
  }

  private static Map<String, Part> with(Map<String, Part> parts, String part, Part added) {
    Map<String, Part> more = new HashMap<>(parts);
    more.put(part, added);
    return Map.copyOf(more);
  }

  /** What a tensor of the file stands for; one we do not know keeps its own name. */
  void translate(GgufFile.Tensor tensor, GgufFields fields, Consumer<StoredTensor> found) {
    Matcher block = BLOCK.matcher(tensor.name());
    Matcher all = WHOLE.matcher(tensor.name());
    if (block.matches() && inBlock.containsKey(block.group(2))) {
      Part part = inBlock.get(block.group(2));
      String layer = layers + Integer.parseInt(block.group(1)) + ".";
      String name = layer + part.name() + "." + block.group(3);
      if (name.contains(EXPERT)) {
        experts(tensor, name, fields, found);
      } else {
        found.accept(stored(tensor, name, part.layout(), fields));
      }
    } else if (all.matches() && whole.containsKey(all.group(1))) {
      Part part = whole.get(all.group(1));
      found.accept(stored(tensor, part.name() + "." + all.group(2), part.layout(), fields));
    } else {
      found.accept(stored(tensor, tensor.name(), Layout.SAME, fields));
    }
  }

  private static StoredTensor stored(
      GgufFile.Tensor tensor, String name, Layout layout, GgufFields fields) {
    long[] shape = tensor.shape();
    long rows = shape.length == 0 ? 1 : shape[0];
    return tensor.stored(name, shape, layout.order(tensor, rows, fields), 0);
  }

  /** Each expert's matrix, where it lies in the stack. */
  private static void experts(
      GgufFile.Tensor tensor, String name, GgufFields fields, Consumer<StoredTensor> found) {
    long[] shape = tensor.shape();
    int count = fields.count("expert_count");
    if (shape.length != 3 || shape[0] != count) {
      throw fields.misshapen(tensor, "three dimensions, the first the expert_count " + count);
    }
    long[] matrix = {shape[1], shape[2]};
    for (int e = 0; e < count; e++) {
      found.accept(
          tensor.stored(
              name.replace(EXPERT, Integer.toString(e)),
              matrix,
              StoredTensor.Order.AS_STORED,
              e * shape[1] * shape[2]));
    }
  }
}
