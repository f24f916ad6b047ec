package org.cliffwatch.quantizer.kernel.onednn;

import static org.bytedeco.dnnl.global.dnnl.dnnl_a;
import static org.bytedeco.dnnl.global.dnnl.dnnl_u8;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.dnnl.dnnl_memory;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.Stage;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.kernel.vector.RowPacker;
import org.cliffwatch.quantizer.kernel.vector.TileReader;
import org.cliffwatch.quantizer.kernel.vector.VectorQuantizer;
import org.cliffwatch.quantizer.kernel.vector.VectorRounding;
import org.cliffwatch.quantizer.scheme.Blocks;
import org.cliffwatch.quantizer.scheme.CodedWeight;
import org.cliffwatch.quantizer.scheme.RowQuantizer;

/**
 * Layers that share an input, their weights packed codes: a panel of outputs at a time is unpacked,
 * rounded to the compute type and multiplied by every tile of rows, so that unpacking costs a call
 * of hundreds of rows little, and memory beyond the codes is one panel a thread.
 */
final class CodedLinear implements Linear {
  /** Outputs of a panel: of 1536 inputs it is 384 KiB, which stays in a core's cache. */
  static final int PANEL = 64;

  /** Input rows that are laid out at a time; a multiple of a tile's. */
  private static final int ROWS = 1024;

  /** A weight, the memory its codes lie in, and the biases of its panels, or null. */
  private record Part(CodedWeight weight, Owned<dnnl_memory> memory, List<float[]> biases) {}

  private final Workspaces workspaces;
  private final Matmul matmul;
  private final RowQuantizer inputs;
  private final FloatType compute;
  private final List<Part> parts = new ArrayList<>();
  private volatile boolean closed;

  /**
   * @param matmul of tiles of rows by {@link #PANEL} outputs
   * @param inputs how they are quantized, or null
   * @param biases one for each weight, each of which may be null
   */
  CodedLinear(
      OneDnn library,
      Workspaces workspaces,
      Matmul matmul,
      RowQuantizer inputs,
      List<CodedWeight> weights,
      List<float[]> biases,
      FloatType compute) {
    this.workspaces = workspaces;
    this.matmul = matmul;
    this.inputs = inputs;
    this.compute = compute;
    try {
      for (int p = 0; p < weights.size(); p++) {
        parts.add(part(library, weights.get(p), panels(biases.get(p))));
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /** The codes go to the library's memory: weights take no room of the heap. */
  private static Part part(OneDnn library, CodedWeight weight, List<float[]> biases) {
    try (Owned<dnnl_memory_desc> layout =
        Owned.layout(dnnl_u8, dnnl_a, weight.words().capacity())) {
      Owned<dnnl_memory> memory = Owned.memory(library, layout.get());
      ByteBuffer bytes = PackedWeight.buffer(memory.get(), layout.get());
      return new Part(weight.in(bytes), memory, biases);
    }
  }

  private static List<float[]> panels(float[] bias) {
    if (bias == null) {
      return null;
    }
    List<float[]> panels = new ArrayList<>();
    for (int first = 0; first < bias.length; first += PANEL) {
      panels.add(Arrays.copyOfRange(bias, first, Math.min(bias.length, first + PANEL)));
    }
    return panels;
  }

  @Override
  public int inputs() {
    return parts.get(0).weight().columns();
  }

  @Override
  public int[] outputs() {
    return parts.stream().mapToInt(part -> part.weight().rows()).toArray();
  }

  @Override
  public void apply(float[] x, int rows, Stopwatch watch, float[]... y) {
    if (closed) {
      throw new IllegalStateException("linear layer used after it was closed");
    }
    workspaces.use(
        workspace -> {
          for (int first = 0; first < rows; first += ROWS) {
            apply(workspace, x, first, Math.min(ROWS, rows - first), watch, y);
          }
        });
  }

  private void apply(
      Workspace workspace, float[] x, int first, int rows, Stopwatch watch, float[][] y) {
    int rowBytes = matmul.product().rowBytes(inputs());
    int tiles = Blocks.parts(rows, matmul.rows());
    pack(x, first, rows, workspace.source(tiles * matmul.rows() * rowBytes));
    Panel panel = workspace.panel(matmul);
    for (int p = 0; p < parts.size(); p++) {
      Part part = parts.get(p);
      int outputs = part.weight().rows();
      for (int output = 0; output < outputs; output += PANEL) {
        int width = Math.min(PANEL, outputs - output);
        watch.lap(Stage.QUANTIZATION);
        dnnl_memory unpacked = panel.fill(part.weight(), output, width, compute);
        float[] bias = part.biases() == null ? null : part.biases().get(output / PANEL);
        for (int row = 0; row < rows; row += matmul.rows()) {
          ByteBuffer products = workspace.multiply(matmul, unpacked, row * rowBytes);
          watch.lap(Stage.PRODUCTS);
          int real = Math.min(matmul.rows(), rows - row);
          for (int t = 0; t < real; t++) {
            int to = (first + row + t) * outputs + output;
            TileReader.addBias(products, t * PANEL * Float.BYTES, width, bias, y[p], to);
            VectorRounding.round(compute, y[p], to, width);
          }
          watch.lap(Stage.QUANTIZATION);
        }
      }
    }
  }

  private void pack(float[] x, int first, int rows, ByteBuffer source) {
    int width = inputs();
    int rowBytes = matmul.product().rowBytes(width);
    float[] quantized = inputs == null ? null : new float[width];
    for (int t = 0; t < rows; t++) {
      int at = (first + t) * width;
      if (inputs == null) {
        pack(matmul.product(), x, at, width, source, t * rowBytes);
      } else {
        VectorQuantizer.apply(inputs, x, at, width, quantized, 0);
        VectorRounding.round(compute, quantized, 0, width);
        pack(matmul.product(), quantized, 0, width, source, t * rowBytes);
      }
    }
  }

  /**
   * Lays out a row, rounded already, as the product takes inputs and, before they are blocked,
   * weights.
   */
  static void pack(Product product, float[] row, int at, int width, ByteBuffer to, int byteAt) {
    if (product == Product.BFLOAT16) {
      RowPacker.bfloat16(row, at, width, to, byteAt);
    } else {
      RowPacker.float32(row, at, width, to, byteAt);
    }
  }

  @Override
  public long bytes() {
    return parts.stream().mapToLong(part -> part.weight().bytes()).sum();
  }

  @Override
  public void close() {
    closed = true;
    parts.forEach(part -> part.memory().close());
    parts.clear();
  }
}
