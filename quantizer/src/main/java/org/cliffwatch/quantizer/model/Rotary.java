package org.cliffwatch.quantizer.model;

import java.util.List;
import java.util.Optional;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;

/**
 * Rotary position embeddings (RoFormer, arXiv 2104.09864) with the scalings of transformers' {@code
 * modeling_rope_utils.py}, in float32 as there: frequencies, and tables of cos(position ·
 * frequency) and sin.
 */
public final class Rotary {
  private static final double DEFAULT_THETA = 10_000;

  /** Gives the frequencies (rotated / 2) for sequences up to a length. */
  private interface Scaling {
    float[] frequencies(int length);
  }

  /**
   * cos and sin, (positions, rotated / 2), times the scaling's attention factor.
   *
   * @param positions rows of both
   */
  record Tables(int positions, float[] cos, float[] sin) {}

  private final int rotated;
  private final boolean interleaved;
  private final int shortest;
  private final boolean perLength;
  private final Scaling scaling;
  private final double attentionFactor;
  private final boolean rounded;

  private Rotary(
      int rotated,
      boolean interleaved,
      int shortest,
      boolean perLength,
      Scaling scaling,
      double attentionFactor) {
    this(rotated, interleaved, shortest, perLength, scaling, attentionFactor, true);
  }

  private Rotary(
      int rotated,
      boolean interleaved,
      int shortest,
      boolean perLength,
      Scaling scaling,
      double attentionFactor,
      boolean rounded) {
    this.rotated = rotated;
    this.interleaved = interleaved;
    this.shortest = shortest;
    this.perLength = perLength;
    this.scaling = scaling;
    this.attentionFactor = attentionFactor;
    this.rounded = rounded;
  }

  /** Theta 10 000, no scaling. */
  static Rotary plain(int width) {
    return plain(width, DEFAULT_THETA);
  }

  /** GPT-J's: pairs (2i, 2i + 1), theta 10 000, no scaling. */
  static Rotary interleaved(int rotated) {
    return new Rotary(
        rotated,
        true,
        Integer.MAX_VALUE,
        false,
        length -> inverse(powers(DEFAULT_THETA, rotated)),
        1);
  }

  /**
   * Reads {@code rope_parameters}, or its older names {@code rope_scaling} and {@code rope_theta}.
   *
   * @param width values of a head that are rotated
   * @param contextLength {@code max_position_embeddings}
   * @param theta what the base is where the parameters do not say
   */
  static Rotary of(ConfigFields config, int width, int contextLength, double theta) {
    return parameters(config)
        .map(p -> of(config, p, width, contextLength, theta))
        .orElseGet(() -> plain(width, theta));
  }

  /** As {@link #of(ConfigFields, int, int, double)}, of the parameters {@code p}. */
  static Rotary of(
      ConfigFields config, ConfigFields p, int width, int contextLength, double theta) {
    double base = p.number("rope_theta", theta);
    String type = type(p);
    switch (type) {
      case "default":
        return plain(width, base);
      case "linear":
        {
          float factor = (float) p.number("factor");
          return fixed(width, divided(inverse(powers(base, width)), factor), 1);
        }
      case "dynamic":
        {
          double factor = p.number("factor");
          return new Rotary(
              width,
              false,
              contextLength,
              true,
              length ->
                  inverse(powers(dynamicBase(base, factor, length, contextLength, width), width)),
              1);
        }
      case "llama3":
        return fixed(width, llama3(p, base, width, originalContext(config, p, contextLength)), 1);
      case "yarn":
        return yarn(p, base, width, contextLength, originalContext(config, p, contextLength));
      case "longrope":
        return longrope(p, base, width, contextLength, originalContext(config, p, contextLength));
      default:
        throw p.notImplemented(
            p.has("rope_type") ? "rope_type" : "type",
            "default, linear, dynamic, llama3, yarn or longrope");
    }
  }

  /** {@code rope_parameters}, or its older name {@code rope_scaling} where that says anything. */
  static Optional<ConfigFields> parameters(ConfigFields config) {
    Optional<ConfigFields> older = config.object("rope_scaling");
    Optional<ConfigFields> newer = config.object("rope_parameters");
    return older.filter(scaling -> !scaling.names().isEmpty()).or(() -> newer);
  }

  /** The scaling's name. */
  static String type(ConfigFields p) {
    p.ignore("type", "finetuned");
    return p.has("rope_type") ? p.text("rope_type") : p.text("type", "default");
  }

  static Rotary plain(int width, double base) {
    return fixed(width, inverse(powers(base, width)), 1);
  }

  private static Rotary fixed(int width, float[] frequencies, double attentionFactor) {
    return new Rotary(
        width, false, Integer.MAX_VALUE, false, length -> frequencies, attentionFactor);
  }

  private static int originalContext(ConfigFields config, ConfigFields p, int contextLength) {
    String name = "original_max_position_embeddings";
    int stated = p.positive(name, contextLength);
    return config.positive(name, stated);
  }

  /** base^(2i / width). */
  private static float[] powers(double base, int width) {
    float[] powers = new float[width / 2];
    for (int i = 0; i < powers.length; i++) {
      powers[i] = (float) StrictMath.pow(base, (float) (2 * i) / width);
    }
    return powers;
  }

  private static float[] inverse(float[] powers) {
    float[] inverse = new float[powers.length];
    for (int i = 0; i < powers.length; i++) {
      inverse[i] = 1f / powers[i];
    }
    return inverse;
  }

  private static float[] divided(float[] frequencies, float factor) {
    float[] divided = new float[frequencies.length];
    for (int i = 0; i < frequencies.length; i++) {
      divided[i] = frequencies[i] / factor;
    }
    return divided;
  }

  /** NTK-aware scaling: the base grows with the sequence once it exceeds the context. */
  private static double dynamicBase(
      double base, double factor, int length, int contextLength, int width) {
    double stretch = factor * Math.max(length, contextLength) / contextLength - (factor - 1);
    return base * StrictMath.pow(stretch, (double) width / (width - 2));
  }

  private static float[] llama3(ConfigFields p, double base, int width, int context) {
    float factor = (float) p.number("factor");
    double low = p.number("low_freq_factor");
    double high = p.number("high_freq_factor");
    float longest = (float) (context / low);
    float shortest = (float) (context / high);
    float[] frequencies = inverse(powers(base, width));
    for (int i = 0; i < frequencies.length; i++) {
      float frequency = frequencies[i];
      float wavelength = (float) (2 * Math.PI) / frequency;
      if (wavelength > longest) {
        frequencies[i] = frequency / factor;
      } else if (wavelength >= shortest) {
        float smooth = (context / wavelength - (float) low) / (float) (high - low);
        frequencies[i] = (1 - smooth) * frequency / factor + smooth * frequency;
      }
    }
    return frequencies;
  }

  /** YaRN, arXiv 2309.00071. */
  private static Rotary yarn(
      ConfigFields p, double base, int width, int contextLength, int originalContext) {
    double factor = p.number("factor", (double) contextLength / originalContext);
    double mscale = p.number("mscale", 0);
    double mscaleAll = p.number("mscale_all_dim", 0);
    double inferred =
        mscale != 0 && mscaleAll != 0
            ? magnitude(factor, mscale) / magnitude(factor, mscaleAll)
            : magnitude(factor, 1);
    double attentionFactor = p.number("attention_factor", inferred);
    double fast = p.number("beta_fast", 32);
    double slow = p.number("beta_slow", 1);
    double from = correction(fast, width, base, originalContext);
    double to = correction(slow, width, base, originalContext);
    if (p.flag("truncate", true)) {
      from = Math.floor(from);
      to = Math.ceil(to);
    }
    from = Math.max(from, 0);
    to = Math.min(to, width - 1);
    if (from == to) {
      to += 0.001;
    }
    float[] powers = powers(base, width);
    float[] frequencies = new float[powers.length];
    for (int i = 0; i < powers.length; i++) {
      float ramp = Math.min(1, Math.max(0, (i - (float) from) / (float) (to - from)));
      float kept = 1 - ramp;
      frequencies[i] = 1f / ((float) factor * powers[i]) * (1 - kept) + 1f / powers[i] * kept;
    }
    return fixed(width, frequencies, attentionFactor);
  }

  /**
   * LongRoPE, arXiv 2402.13753: a factor for each frequency, others where the sequence is longer
   * than the original context.
   */
  static Rotary longrope(
      ConfigFields p, double base, int width, int contextLength, int originalContext) {
    double factor = p.number("factor", (double) contextLength / originalContext);
    double inferred =
        factor <= 1 ? 1 : Math.sqrt(1 + StrictMath.log(factor) / StrictMath.log(originalContext));
    float[] withinContext = stretched(p, "short_factor", base, width);
    float[] beyond = stretched(p, "long_factor", base, width);
    return new Rotary(
        width,
        false,
        originalContext,
        false,
        length -> length > originalContext ? beyond : withinContext,
        p.number("attention_factor", inferred));
  }

  private static float[] stretched(ConfigFields p, String field, double base, int width) {
    List<Double> factors = p.numbers(field);
    float[] powers = powers(base, width);
    if (factors.size() != powers.length) {
      throw p.error(
          field,
          "found "
              + factors.size()
              + " factors, expected "
              + powers.length
              + ", one for each frequency");
    }
    for (int i = 0; i < powers.length; i++) {
      powers[i] *= factors.get(i).floatValue();
    }
    return inverse(powers);
  }

  private static double magnitude(double factor, double mscale) {
    return factor <= 1 ? 1 : 0.1 * mscale * StrictMath.log(factor) + 1;
  }

  /** The dimension that turns {@code rotations} times within the context. */
  private static double correction(double rotations, int width, double base, int context) {
    return width * StrictMath.log(context / (rotations * 2 * Math.PI)) / (2 * StrictMath.log(base));
  }

  /** The same with pairs that are neighbours. */
  Rotary inPairs() {
    return new Rotary(rotated, true, shortest, perLength, scaling, attentionFactor, rounded);
  }

  /** The same with cos and sin in float32 whatever is computed in. */
  Rotary unrounded() {
    return new Rotary(rotated, interleaved, shortest, perLength, scaling, attentionFactor, false);
  }

  /** Whether cos and sin are rounded to the compute type. */
  boolean isRounded() {
    return rounded;
  }

  /** Values of a head that are rotated: the first ones. */
  int rotated() {
    return rotated;
  }

  /** Whether pairs are neighbours, not halves. */
  boolean interleaved() {
    return interleaved;
  }

  /**
   * Sequences of one regime have the same frequencies, and those of another have others.
   *
   * @return 0 up to a length; 1 beyond it, or the length itself where each has its own
   */
  int regime(int length) {
    return length <= shortest ? 0 : perLength ? length : 1;
  }

  /**
   * Tables of the first {@code positions} positions.
   *
   * @param length of the sequence, where the frequencies depend on it
   */
  Tables tables(int positions, int length) {
    float[] frequencies = scaling.frequencies(length);
    int half = frequencies.length;
    float[] cos = new float[Math.multiplyExact(positions, half)];
    float[] sin = new float[positions * half];
    for (int p = 0; p < positions; p++) {
      for (int i = 0; i < half; i++) {
        float angle = p * frequencies[i];
        cos[p * half + i] = (float) ((float) StrictMath.cos(angle) * attentionFactor);
        sin[p * half + i] = (float) ((float) StrictMath.sin(angle) * attentionFactor);
      }
    }
    return new Tables(positions, cos, sin);
  }
}
