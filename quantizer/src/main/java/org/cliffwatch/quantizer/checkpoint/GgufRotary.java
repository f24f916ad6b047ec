package org.cliffwatch.quantizer.checkpoint;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.cliffwatch.quantizer.InvalidInputException;

/** The rotary embeddings that a GGUF file states, as {@code config.json} states them. */
final class GgufRotary {
  private static final double THETA = 10_000;
  private static final String FACTORS = "rope_freqs.weight";
  private static final String LONG = "rope_factors_long.weight";
  private static final String SHORT = "rope_factors_short.weight";

  private GgufRotary() {}

  static double theta(GgufFields fields) {
    return fields.number("rope.freq_base", THETA);
  }

  /** Sets {@code rope_theta} and, where there is one, {@code rope_scaling}. */
  static void of(GgufFields fields, ObjectNode config) {
    config.put("rope_theta", theta(fields));
    ObjectNode scaling = scaling(fields);
    if (scaling != null) {
      config.set("rope_scaling", scaling);
    }
  }

  /** Refuses a scaling. */
  static void requireUnscaled(GgufFields fields) {
    fields.require("rope.scaling.type", "none");
  }

  /** Refuses another base in layers that see a window of keys than in those that see all. */
  static void requireOneBase(GgufFields fields) {
    if (fields.number("rope.freq_base_swa", theta(fields)) != theta(fields)) {
      throw fields.error(
          "rope.freq_base_swa",
          "found " + fields.number("rope.freq_base_swa") + ", expected that of all layers");
    }
  }

  /**
   * The part of a head that is rotated, from which the family's ⌊head · part⌋ makes {@code
   * rope.dimension_count} again.
   */
  static double part(GgufFields fields) {
    int head = fields.head();
    int rotated = fields.positive("rope.dimension_count", head);
    double part = (double) rotated / head;
    return (int) (head * part) < rotated ? Math.nextUp(part) : part;
  }

  /** What {@code rope_scaling} says, or null. */
  static ObjectNode scaling(GgufFields fields) {
    String type = fields.text("rope.scaling.type", "none");
    if (fields.hasTensor(FACTORS)) {
      return llama3(fields);
    }
    ObjectNode scaling = JsonNodeFactory.instance.objectNode().put("rope_type", type);
    switch (type) {
      case "none":
        return null;
      case "linear":
        return scaling.put("factor", fields.number("rope.scaling.factor"));
      case "yarn":
        scaling
            .put("factor", fields.number("rope.scaling.factor"))
            .put(
                "original_max_position_embeddings",
                fields.positive("rope.scaling.original_context_length"));
        optional(fields, "rope.scaling.yarn_attn_factor", scaling, "attention_factor");
        optional(fields, "rope.scaling.yarn_beta_fast", scaling, "beta_fast");
        optional(fields, "rope.scaling.yarn_beta_slow", scaling, "beta_slow");
        return scaling;
      default:
        throw fields.error("rope.scaling.type", "found " + type + ", expected linear or yarn");
    }
  }

  private static void optional(GgufFields fields, String key, ObjectNode config, String field) {
    if (fields.has(key)) {
      config.put(field, fields.number(key));
    }
  }

  /**
   * Phi-3's LongRoPE: two tensors of factors, and a factor on attention that follows from the two
   * context lengths, or is stated.
   */
  static void longrope(GgufFields fields, ObjectNode config) {
    config.put("rope_theta", theta(fields));
    config.put("partial_rotary_factor", part(fields));
    int context = fields.positive("context_length");
    int original = fields.positive("rope.scaling.original_context_length", context);
    config.put("original_max_position_embeddings", original);
    fields.require("rope.scaling.type", fields.hasTensor(LONG) ? "longrope" : "none");
    double stated = fields.number("rope.scaling.attn_factor", 1);
    if (!fields.hasTensor(LONG)) {
      if (stated != 1) {
        throw fields.error(
            "rope.scaling.attn_factor", "found " + stated + " without tensor " + LONG);
      }
      return;
    }
    ObjectNode scaling = config.putObject("rope_scaling").put("rope_type", "longrope");
    factors(fields, LONG, scaling.putArray("long_factor"));
    factors(fields, SHORT, scaling.putArray("short_factor"));
    double stretch = (double) context / original;
    double inferred =
        stretch <= 1 ? 1 : Math.sqrt(1 + StrictMath.log(stretch) / StrictMath.log(original));
    if ((float) stated != (float) inferred) {
      scaling.put("attention_factor", stated);
    }
  }

  private static void factors(GgufFields fields, String tensor, ArrayNode factors) {
    int count = fields.positive("rope.dimension_count", fields.head()) / 2;
    for (float factor : fields.values(tensor).requireShape(count).read()) {
      factors.add(decimal(factor));
    }
  }

  private static double decimal(float value) {
    return Double.parseDouble(Float.toString(value));
  }

  /**
   * The frequency factors of Llama 3 are a tensor here and four numbers in Hugging Face. Only those
   * of the released models are recognised: low_freq_factor 1, high_freq_factor 4, original length
   * 8192, and the largest factor as {@code factor}.
   */
  private static ObjectNode llama3(GgufFields fields) {
    double low = 1;
    double high = 4;
    double original = 8192;
    int head = fields.head();
    StoredTensor stored = fields.values(FACTORS).requireShape(head / 2);
    float[] found = stored.read();
    double factor = 1;
    for (float value : found) {
      factor = Math.max(factor, value);
    }
    for (int i = 0; i < found.length; i++) {
      double wavelength = 2 * Math.PI * StrictMath.pow(theta(fields), 2.0 * i / head);
      double smooth = Math.min(1, Math.max(0, (original / wavelength - low) / (high - low)));
      double expected = 1 / ((1 - smooth) / factor + smooth);
      if (Math.abs(found[i] - expected) > 1e-4 * expected) {
        throw new InvalidInputException(
            stored.where()
                + ": rotary frequency factors other than those of Llama 3 are not implemented");
      }
    }
    ObjectNode scaling = JsonNodeFactory.instance.objectNode();
    scaling.put("rope_type", "llama3");
    scaling.put("factor", decimal((float) factor));
    scaling.put("low_freq_factor", low);
    scaling.put("high_freq_factor", high);
    scaling.put("original_max_position_embeddings", (int) original);
    return scaling;
  }
}
