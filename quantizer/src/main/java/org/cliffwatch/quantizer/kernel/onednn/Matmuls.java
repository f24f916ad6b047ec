package org.cliffwatch.quantizer.kernel.onednn;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Every shape's {@link Matmul}s, made once: models repeat few shapes over many layers. */
final class Matmuls {
  private final OneDnn library;
  private final Map<Shape, List<Matmul>> made = new ConcurrentHashMap<>();

  private record Shape(Product product, int inputs, int outputs) {}

  Matmuls(OneDnn library) {
    this.library = library;
  }

  /**
   * The matmuls of a shape by descending rows, all reading weights in the first one's layout; one,
   * unless the product is exact.
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
    for (int rows : shape.product.heights()) {
      var layout = tiles.isEmpty() ? null : tiles.get(0).weights();
      Matmul tile = new Matmul(library, shape.product, rows, inputs, outputs, layout);
      MatmulCheck.require(library, tile);
      tiles.add(tile);
    }
    return List.copyOf(tiles);
  }
}
