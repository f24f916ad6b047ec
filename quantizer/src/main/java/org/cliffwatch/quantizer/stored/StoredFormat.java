package org.cliffwatch.quantizer.stored;

import java.util.List;
import java.util.Optional;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.checkpoint.StorageType;
import org.cliffwatch.quantizer.scheme.StoredWeight;

/**
 * How a quantized checkpoint keeps its linear layers: one of the values of {@code quant_method} in
 * {@code quantization_config}. A format is one subclass and one case in {@link #of}.
 */
public abstract class StoredFormat {
  static final List<StorageType> WORDS = List.of(StorageType.I32);
  static final List<StorageType> FLOATS =
      List.of(StorageType.F16, StorageType.BF16, StorageType.F32);

  private static final String FIELD = "quantization_config";

  /**
   * The format a configuration names; empty for a checkpoint that is not quantized.
   *
   * @throws InvalidInputException naming a field whose value is not implemented
   */
  public static Optional<StoredFormat> of(ConfigFields config) {
    Optional<ConfigFields> found = config.object(FIELD);
    if (found.isEmpty()) {
      return Optional.empty();
    }
    ConfigFields fields = found.get();
    String method = fields.text("quant_method");
    StoredFormat format =
        switch (method) {
          case "gptq" -> new Gptq(fields);
          case "awq" -> new Awq(fields);
          case "compressed-tensors" -> new CompressedTensors(fields);
          case "bitsandbytes" -> new BitsAndBytes(fields);
          case "fp8" -> new BlockFp8(fields);
          default ->
              throw fields.notImplemented(
                  "quant_method", "awq, bitsandbytes, compressed-tensors, fp8 or gptq");
        };
    // What remains says how it was made.
    fields.ignore(fields.names().toArray(String[]::new));
    return Optional.of(format);
  }

  /**
   * The weight of a linear layer, or empty where the format keeps it as a plain tensor {@code
   * module.weight}. Headers are read, and no weights.
   *
   * @param module the layer's whole name
   * @throws InvalidInputException naming a tensor that is missing, misshapen or of another type
   */
  public final Optional<StoredWeight> weight(
      TensorSource source, String module, int outputs, int inputs) {
    LayerTensors tensors = new LayerTensors(source, module, outputs, inputs);
    return holds(tensors) ? Optional.of(weight(tensors)) : Optional.empty();
  }

  /** In a few words: gptq, 4 bits, groups of 128. */
  public abstract String describe();

  /** Whether the format keeps this layer quantized. */
  abstract boolean holds(LayerTensors tensors);

  abstract StoredWeight weight(LayerTensors tensors);
}
