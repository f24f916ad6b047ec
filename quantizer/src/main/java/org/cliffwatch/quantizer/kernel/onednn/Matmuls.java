package org.cliffwatch.quantizer.kernel.onednn;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.cliffwatch.quantizer.kernel.BackendUnavailableException;

/**
 * Every shape's {@link Matmul}s, made once and kept for the life of the process: models repeat few
 * shapes over many layers.
 */
final class Matmuls {
  private final OneDnn library;
  private final Map<Shape, List<Matmul>> made = new ConcurrentHashMap<>();

  private record Shape(Product product, int inputs, int outputs) {}

  Matmuls(OneDnn library) {
    this.library = library;
  }

  /**
   * The matmuls of a shape by descending rows, all reading weights in the first one's layout; one,
   * unless the product is exact. Exact ones of which the library has but a reference implementation
   * are left out while there is another: oneDNN 3.11 lacks some low tiles with AMX.
   *
   * @param inputs of the layer, before packing
   * @param outputs of the layer, before packing
   */
  List<Matmul> of(Product product, int inputs, int outputs) {
    return made.computeIfAbsent(new Shape(product, inputs, outputs), this::make);
  }

  private List<Matmul> make(Shape shape) {
    int inputs = shape.product.packedInputs(shape.inputs);
    int outputs = shape.product.packedOutputs(shape.outputs);
    List<Matmul> tiles = new ArrayList<>();
    BackendUnavailableException missing = null;
    try {
      for (int rows : shape.product.heights()) {
        var layout = tiles.isEmpty() ? null : tiles.get(0).weights();
        try {
          tiles.add(new Matmul(library, shape.product, rows, inputs, outputs, layout));
        } catch (BackendUnavailableException e) {
          missing = e;
        }
      }
      if (tiles.isEmpty()) {
        throw missing;
      }
      tiles.forEach(tile -> MatmulCheck.require(library, tile));
    } catch (RuntimeException | Error e) {
      tiles.forEach(Matmul::close);
      throw e;
    }
    return List.copyOf(tiles);
  }
}
