package org.cliffwatch.quantizer.kernel.onednn;

import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.LinearForm;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Schemes;

/**
 * oneDNN's product alone, all rows in one call, inputs packed and results left where it puts them:
 * what a linear layer is measured against. Not safe for concurrent use.
 */
public final class BareProduct implements AutoCloseable {
  private final List<Layer> layers;
  private final List<Matmul> matmuls = new ArrayList<>();
  private final Workspace workspace;

  /**
   * The product that the {@code onednn} backend makes of this weight in this precision; of one that
   * it unpacks as it multiplies, unpacked beforehand.
   */
  public BareProduct(WeightRows weight, Precision precision, int rows) {
    OneDnn library = OneDnn.open(null);
    workspace = new Workspace(library);
    LinearForm form = Schemes.of(precision).prepare(weight, precision);
    if (form instanceof LinearForm.Coded coded) {
      form = new LinearForm.Floating(coded.weight(), coded.type());
    }
    layers = new Packing(library).pack(form);
    try {
      for (Layer layer : layers) {
        Matmul tile = layer.matmuls().get(0);
        matmuls.add(
            new Matmul(
                library, layer.product(), rows, tile.inputs(), tile.outputs(), tile.weights()));
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /** Multiplies once. */
  public void multiply() {
    for (int i = 0; i < layers.size(); i++) {
      workspace.multiply(matmuls.get(i), layers.get(i).weight(), 0);
    }
  }

  /** oneDNN's name of the routine: brg_matmul:avx512_core_vnni. */
  public String implementation() {
    return matmuls.get(0).implementation();
  }

  @Override
  public void close() {
    workspace.close();
    matmuls.forEach(Matmul::close);
    layers.forEach(Layer::close);
  }
}
