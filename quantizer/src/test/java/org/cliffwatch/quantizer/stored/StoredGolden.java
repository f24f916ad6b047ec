package org.cliffwatch.quantizer.stored;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.StoredTensor;
import org.cliffwatch.quantizer.kernel.Tensors;
import org.cliffwatch.quantizer.scheme.StoredWeight;

/** A quantized checkpoint that {@code make_stored.py} has put through the library it is of. */
public final class StoredGolden {
  /** Every format there is. */
  public static final String[] NAMES = {
    "awq",
    "bnb-fp4",
    "bnb-int8",
    "bnb-nf4",
    "ct-fp8-dynamic",
    "ct-fp8-static",
    "ct-mixed",
    "ct-mxfp4",
    "ct-nvfp4",
    "ct-w4a16",
    "ct-w4a16-asymmetric",
    "ct-w8a16",
    "ct-w8a8",
    "ct-w8a8-asymmetric",
    "ct-w8a8-static",
    "fp8-block",
    "fp8-tensor-static",
    "gptq-2",
    "gptq-3",
    "gptq-4",
    "gptq-4-order",
    "gptq-v2-8"
  };

  /** The layer whose numbers the goldens hold. */
  static final String LAYER = "model.layers.0.mlp.down_proj";

  private StoredGolden() {}

  /** The folder of a golden. */
  public static Path folder(String name) {
    try {
      return Path.of(StoredGolden.class.getResource(name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  static Tensors golden(String name) throws IOException {
    return new Tensors(folder(name).resolve("golden.safetensors"));
  }

  /** The weight of {@link #LAYER}. */
  static StoredWeight weight(Checkpoint checkpoint) {
    int inputs = checkpoint.config().integer("intermediate_size");
    int outputs = checkpoint.config().integer("hidden_size");
    TensorSource source =
        new TensorSource() {
          @Override
          public boolean has(String name) {
            return checkpoint.hasTensor(name);
          }

          @Override
          public StoredTensor take(String name) {
            return checkpoint.tensor(name);
          }
        };
    return StoredFormat.of(checkpoint.config())
        .orElseThrow()
        .weight(source, LAYER, outputs, inputs)
        .orElseThrow();
  }
}
