package org.cliffwatch.quantizer.kernel.onednn;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.kernel.BackendUnavailableException;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.Stage;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.kernel.vector.VectorRounding;

/** Layers that share an input: a tile of rows is packed once, then multiplied by each weight. */
final class OneDnnLinear implements Linear {
  /**
   * A layer and where its outputs go: to {@code y[projection][row · width + first ..)}.
   *
   * @param tiles the layer's matmuls of each of {@link #heights}
   * @param bias of the layer's outputs, or null
   */
  private record Part(
      Layer layer, Matmul[] tiles, int projection, int first, int width, float[] bias) {}

  private final Workspaces workspaces;
  private final int[] outputs;

  /** Rows of the tiles that every layer has, descending. */
  private final int[] heights;

  private final List<Part> parts = new ArrayList<>();
  private final FloatType compute;

  /**
   * @param layers a projection each, one or more
   */
  OneDnnLinear(
      Workspaces workspaces,
      List<Projection> projections,
      List<List<Layer>> layers,
      FloatType compute) {
    this.workspaces = workspaces;
    this.compute = compute;
    this.outputs = projections.stream().mapToInt(p -> p.weight().rows()).toArray();
    heights = heights(layers);
    for (int p = 0; p < outputs.length; p++) {
      float[] bias = projections.get(p).bias();
      int first = 0;
      for (Layer layer : layers.get(p)) {
        int end = first + layer.outputs();
        float[] own = bias == null ? null : Arrays.copyOfRange(bias, first, end);
        Matmul[] tiles = IntStream.of(heights).mapToObj(layer::matmul).toArray(Matmul[]::new);
        parts.add(new Part(layer, tiles, p, first, outputs[p], own));
        first = end;
      }
    }
  }

  private static int[] heights(List<List<Layer>> layers) {
    Layer any = layers.get(0).get(0);
    int[] common =
        any.matmuls().stream()
            .mapToInt(Matmul::rows)
            .filter(
                rows ->
                    layers.stream()
                        .flatMap(List::stream)
                        .allMatch(layer -> layer.matmul(rows) != null))
            .toArray();
    if (common.length == 0) {
      throw new BackendUnavailableException(
          "oneDNN has no tile of %s in common for layers that share %s inputs"
              .formatted(any.product(), any.inputs()));
    }
    return common;
  }

  @Override
  public int inputs() {
    return parts.get(0).layer().inputs();
  }

  @Override
  public int[] outputs() {
    return outputs.clone();
  }

  @Override
  public void apply(float[] x, int rows, Stopwatch watch, float[]... y) {
    workspaces.use(workspace -> apply(workspace, x, rows, watch, y));
  }

  private void apply(Workspace workspace, float[] x, int rows, Stopwatch watch, float[][] y) {
    Layer first = parts.get(0).layer();
    ByteBuffer source = workspace.source(heights[0] * first.product().rowBytes(inputs()));
    float[] scales = workspace.scales(heights[0]);
    int row = 0;
    while (row < rows) {
      int tile = tile(rows - row);
      int real = Math.min(heights[tile], rows - row);
      first.pack(x, row * inputs(), real, source, 0, scales);
      for (Part part : parts) {
        watch.lap(Stage.QUANTIZATION);
        ByteBuffer products = workspace.multiply(part.tiles()[tile], part.layer().weight(), 0);
        watch.lap(Stage.PRODUCTS);
        finish(part, products, real, scales, y[part.projection()], row);
      }
      row += real;
    }
    watch.lap(Stage.QUANTIZATION);
  }

  /** The highest tile that so many rows fill, or else the lowest. */
  private int tile(int left) {
    int tile = 0;
    while (tile < heights.length - 1 && heights[tile] > left) {
      tile++;
    }
    return tile;
  }

  private void finish(
      Part part, ByteBuffer products, int rows, float[] scales, float[] y, int firstRow) {
    for (int t = 0; t < rows; t++) {
      int to = (firstRow + t) * part.width() + part.first();
      part.layer().finish(products, t, scales[t], part.bias(), y, to);
      VectorRounding.round(compute, y, to, part.layer().outputs());
    }
  }

  @Override
  public long bytes() {
    return parts.stream().mapToLong(part -> part.layer().bytes()).sum();
  }

  @Override
  public void close() {
    parts.forEach(part -> part.layer().close());
  }
}
