package org.cliffwatch.quantizer.scheme;

import java.io.Serializable;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.cliffwatch.quantizer.kernel.FloatType;

/**
 * A row of {@code conf/precisions.yaml}: how the linear layers inside decoder blocks are stored,
 * how their inputs are, and the type of everything else.
 *
 * @param name the row's key: fp32, w8a8, …
 * @param scheme name of the {@link Scheme} that makes the tensors
 * @param weightBits 2 to 16, or 32, bits a weight; 0: what the checkpoint's file says
 * @param activationBits the width of {@code compute}, 32 or 16: inputs as they are; fewer, to which
 *     they are quantized, a token at a time; 0: what the checkpoint's file says
 * @param compute the type of weights not quantized and of every operation's result
 * @param options the row's remaining keys: {@code kv_cache_dtype}, and parameters of the scheme,
 *     which refuses those it does not know
 */
public record Precision(
    String name,
    String scheme,
    int weightBits,
    int activationBits,
    FloatType compute,
    Map<String, String> options)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  /** The key of {@link #quantizesKeyValues}. */
  static final String KV_CACHE = "kv_cache_dtype";

  public Precision {
    options = Map.copyOf(options);
  }

  /**
   * Whether attention reads keys and values as an int8 cache would have kept them: the option
   * {@code kv_cache_dtype} of any scheme, {@code int8}, or by default {@code auto}, as they are.
   */
  public boolean quantizesKeyValues() {
    return "int8".equals(options.get(KV_CACHE));
  }

  /**
   * The same calibrated with a text.
   *
   * @param text what it is known by: a hash of its content, so that the precision is another where
   *     the text is
   */
  public Precision calibratedWith(String text) {
    Map<String, String> all = new HashMap<>(options);
    all.put(Calibration.TEXT, text);
    return new Precision(name, scheme, weightBits, activationBits, compute, all);
  }

  /** Where its row says that the text is to calibrate it with, if it does. */
  public Optional<String> calibrationText() {
    return Optional.ofNullable(options.get(Calibration.TEXT));
  }

  /** Whether inputs of linear layers are not quantized. */
  public boolean keepsInputs() {
    return activationBits == (compute == FloatType.FLOAT32 ? Float.SIZE : Short.SIZE);
  }

  /** Whether the checkpoint's file says how linear layers are stored, and not this row. */
  public boolean isStored() {
    return weightBits == 0;
  }
}
