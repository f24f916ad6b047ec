package org.cliffwatch.quantizer.kernel.onednn;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.LogitTransform;
import org.cliffwatch.quantizer.kernel.Stage;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.kernel.VocabularyHead;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.kernel.vector.Divergence;
import org.cliffwatch.quantizer.kernel.vector.LogSumExp;
import org.cliffwatch.quantizer.kernel.vector.Logits;
import org.cliffwatch.quantizer.kernel.vector.TileReader;

/**
 * The vocabulary in blocks of {@link #BLOCK} tokens. For a chunk of rows, packed once, each block
 * is multiplied a tile at a time while it is in the cache, and its logits reduced before the next.
 */
final class OneDnnHead implements VocabularyHead {
  /** Tokens of a block: 512 · 576 weights of 16 bits fill half of a second-level cache. */
  private static final int BLOCK = 512;

  /** Rows packed at once: a bound on the memory a stream takes. */
  private static final int CHUNK = 256;

  private final Workspaces workspaces;
  private final List<Layer> blocks = new ArrayList<>();
  private final Logits as;
  private final int vocabulary;
  private final int hidden;

  OneDnnHead(
      Packing packing,
      Workspaces workspaces,
      WeightRows weight,
      float[] bias,
      FloatType compute,
      LogitTransform transform) {
    this.workspaces = workspaces;
    this.as = new Logits(bias, compute, transform);
    this.vocabulary = weight.rows();
    this.hidden = weight.columns();
    try {
      for (int first = 0; first < vocabulary; first += BLOCK) {
        int tokens = Math.min(BLOCK, vocabulary - first);
        blocks.add(packing.floating(weight, compute, first, tokens));
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  @Override
  public int vocabulary() {
    return vocabulary;
  }

  /** Receives a row's products of one block. */
  private interface BlockConsumer {
    void accept(int row, int firstToken, int tokens, ByteBuffer products, int at);
  }

  @Override
  public void score(
      float[] x,
      int rows,
      int[] firstTarget,
      int[] targets,
      Stopwatch watch,
      double[] logProbability,
      boolean[] greedy) {
    LogSumExp sums = new LogSumExp(rows);
    forEachBlock(
        x,
        rows,
        watch,
        (row, firstToken, tokens, logits, at) -> {
          sums.add(row, logits, at, tokens, firstToken, as);
          for (int i = firstTarget[row]; i < firstTarget[row + 1]; i++) {
            int within = targets[i] - firstToken;
            if (within >= 0 && within < tokens) {
              logProbability[i] = logits.getFloat(at + Float.BYTES * within);
            }
          }
        });
    for (int row = 0; row < rows; row++) {
      for (int i = firstTarget[row]; i < firstTarget[row + 1]; i++) {
        logProbability[i] -= sums.value(row);
        greedy[i] = targets[i] == sums.best(row);
      }
    }
    watch.lap(Stage.LOG_SUM_EXP);
  }

  @Override
  public void logits(float[] x, int rows, float[] out) {
    forEachBlock(
        x,
        rows,
        new Stopwatch(),
        (row, firstToken, tokens, logits, at) -> {
          as.finish(logits, at, tokens, firstToken);
          TileReader.addBias(logits, at, tokens, null, out, row * vocabulary + firstToken);
        });
  }

  @Override
  public void compare(
      float[] x,
      int rows,
      VocabularyHead baseline,
      float[] baselineX,
      int at,
      Stopwatch watch,
      double[] divergence,
      boolean[] agrees) {
    OneDnnHead other = (OneDnnHead) baseline;
    if (other.vocabulary != vocabulary) {
      throw new IllegalArgumentException(
          "found a baseline of " + other.vocabulary + " tokens, expected " + vocabulary);
    }
    Divergence sums = new Divergence(rows);
    float[] logits = new float[CHUNK * BLOCK];
    workspaces.use(
        workspace ->
            other.workspaces.use(
                otherWorkspace -> {
                  for (int first = 0; first < rows; first += CHUNK) {
                    int start = first;
                    int count = Math.min(CHUNK, rows - first);
                    pack(workspace, x, first, count);
                    other.pack(otherWorkspace, baselineX, at + first, count);
                    for (int b = 0; b < blocks.size(); b++) {
                      other.multiply(
                          otherWorkspace,
                          b,
                          first,
                          count,
                          watch,
                          (row, firstToken, tokens, products, from) ->
                              sums.addBaseline(
                                  row,
                                  products,
                                  from,
                                  tokens,
                                  firstToken,
                                  other.as,
                                  logits,
                                  (row - start) * BLOCK));
                      multiply(
                          workspace,
                          b,
                          first,
                          count,
                          watch,
                          (row, firstToken, tokens, products, from) ->
                              sums.add(
                                  row,
                                  products,
                                  from,
                                  tokens,
                                  firstToken,
                                  as,
                                  logits,
                                  (row - start) * BLOCK));
                    }
                  }
                }));
    for (int row = 0; row < rows; row++) {
      divergence[at + row] = sums.value(row);
      agrees[at + row] = sums.agrees(row);
    }
    watch.lap(Stage.LOG_SUM_EXP);
  }

  private void forEachBlock(float[] x, int rows, Stopwatch watch, BlockConsumer consumer) {
    workspaces.use(
        workspace -> {
          for (int first = 0; first < rows; first += CHUNK) {
            int count = Math.min(CHUNK, rows - first);
            pack(workspace, x, first, count);
            for (int b = 0; b < blocks.size(); b++) {
              multiply(workspace, b, first, count, watch, consumer);
            }
          }
        });
  }

  /** Packs the rows of a chunk for {@link #multiply}. */
  private void pack(Workspace workspace, float[] x, int first, int rows) {
    Layer layer = blocks.get(0);
    int tileRows = layer.product().tileRows();
    int tiles = (rows + tileRows - 1) / tileRows;
    ByteBuffer source = workspace.source(tiles * tileRows * layer.product().rowBytes(hidden));
    layer.pack(x, first * hidden, rows, source, 0, null);
  }

  /** Multiplies a packed chunk with block {@code b}, a tile at a time. */
  private void multiply(
      Workspace workspace, int b, int first, int rows, Stopwatch watch, BlockConsumer consumer) {
    Layer block = blocks.get(b);
    int tileRows = block.product().tileRows();
    int rowBytes = block.product().rowBytes(hidden);
    for (int at = 0; at < rows; at += tileRows) {
      watch.lap(Stage.LOG_SUM_EXP);
      ByteBuffer products =
          workspace.multiply(block.matmuls().get(0), block.weight(), at * rowBytes);
      watch.lap(Stage.VOCABULARY);
      for (int t = 0; t < Math.min(tileRows, rows - at); t++) {
        consumer.accept(first + at + t, b * BLOCK, block.outputs(), products, block.at(t));
      }
    }
  }

  @Override
  public long bytes() {
    return blocks.stream().mapToLong(Layer::bytes).sum();
  }

  @Override
  public void close() {
    blocks.forEach(Layer::close);
  }
}
