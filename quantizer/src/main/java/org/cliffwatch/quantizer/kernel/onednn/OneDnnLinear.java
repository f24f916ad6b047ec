package org.cliffwatch.quantizer.kernel.onednn;

import java.nio.ByteBuffer;
import java.util.List;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.Stage;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.kernel.vector.VectorRounding;

/** Layers that share an input: a tile of rows is packed once, then multiplied by each weight. */
final class OneDnnLinear implements Linear {
  private final Workspaces workspaces;
  private final List<Layer> layers;
  private final List<float[]> biases;
  private final FloatType compute;

  /**
   * @param biases a layer each, null where it has none
   */
  OneDnnLinear(Workspaces workspaces, List<Layer> layers, List<float[]> biases, FloatType compute) {
    this.workspaces = workspaces;
    this.layers = layers;
    this.biases = biases;
    this.compute = compute;
  }

  @Override
  public int inputs() {
    return layers.get(0).inputs();
  }

  @Override
  public int[] outputs() {
    return layers.stream().mapToInt(Layer::outputs).toArray();
  }

  @Override
  public void apply(float[] x, int rows, Stopwatch watch, float[]... y) {
    workspaces.use(workspace -> apply(workspace, x, rows, watch, y));
  }

  private void apply(Workspace workspace, float[] x, int rows, Stopwatch watch, float[][] y) {
    Layer first = layers.get(0);
    int tallest = first.product().tileRows();
    ByteBuffer source = workspace.source(tallest * first.product().rowBytes(inputs()));
    float[] scales = workspace.scales(tallest);
    int row = 0;
    while (row < rows) {
      int tile = first.tile(rows - row);
      int real = Math.min(first.matmuls().get(tile).rows(), rows - row);
      first.pack(x, row * inputs(), real, source, 0, scales);
      for (int l = 0; l < layers.size(); l++) {
        Layer layer = layers.get(l);
        watch.lap(Stage.QUANTIZATION);
        ByteBuffer products = workspace.multiply(layer.matmuls().get(tile), layer.weight(), 0);
        watch.lap(Stage.PRODUCTS);
        finish(layer, products, real, scales, biases.get(l), y[l], row);
      }
      row += real;
    }
    watch.lap(Stage.QUANTIZATION);
  }

  private void finish(
      Layer layer,
      ByteBuffer products,
      int rows,
      float[] scales,
      float[] bias,
      float[] y,
      int firstRow) {
    int outputs = layer.outputs();
    for (int t = 0; t < rows; t++) {
      int to = (firstRow + t) * outputs;
      layer.finish(products, t, scales[t], bias, y, to);
      VectorRounding.round(compute, y, to, outputs);
    }
  }

  @Override
  public long bytes() {
    return layers.stream().mapToLong(Layer::bytes).sum();
  }

  @Override
  public void close() {
    layers.forEach(Layer::close);
  }
}
