package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Normalization;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * Decoders of published shapes with random weights, made without a file: what speed is measured
 * with. Norms keep activations in a range that every type holds.
 */
public enum RandomModel {
  /** EleutherAI/pythia-1.4b. */
  PYTHIA_1_4B("pythia-1.4b", 24, 2048, 16),
  /** EleutherAI/pythia-6.9b. */
  PYTHIA_6_9B("pythia-6.9b", 32, 4096, 32);

  private static final int VOCABULARY = 50_432;
  private static final int CONTEXT = 2048;

  private final String model;
  private final int layers;
  private final int hidden;
  private final int heads;

  RandomModel(String model, int layers, int hidden, int heads) {
    this.model = model;
    this.layers = layers;
    this.hidden = hidden;
    this.heads = heads;
  }

  /**
   * @throws InvalidInputException if there is none of that model's shape
   */
  public static RandomModel of(String model) {
    return Arrays.stream(values())
        .filter(shape -> shape.model.equals(model))
        .findFirst()
        .orElseThrow(
            () ->
                new InvalidInputException(
                    "found model %s, expected one of %s"
                        .formatted(
                            model, Arrays.stream(values()).map(RandomModel::model).toList())));
  }

  /** Whose shape it is. */
  public String model() {
    return model;
  }

  /** What a checkpoint of this shape would be to a decoder. */
  public Inventory inventory() {
    int headSize = hidden / heads;
    AttentionShape attention =
        new AttentionShape(heads, heads, headSize, Family.scale(headSize), 0, null, 0);
    Architecture architecture =
        new Architecture(
            "gpt_neox",
            VOCABULARY,
            hidden,
            hidden,
            4 * hidden,
            new Architecture.Norm(Normalization.LAYER, 1e-5f),
            Architecture.Residual.PARALLEL,
            Activation.GELU,
            false,
            Collections.nCopies(layers, attention),
            Rotary.plain(headSize / 4),
            0,
            0,
            OptionalInt.of(CONTEXT));
    List<Weights.Layer> blocks = new ArrayList<>();
    for (int layer = 0; layer < layers; layer++) {
      blocks.add(
          Weights.Layer.plain(
              norm(),
              projection(hidden, hidden),
              projection(hidden, hidden),
              projection(hidden, hidden),
              projection(hidden, hidden),
              norm(),
              projection(4 * hidden, hidden),
              projection(hidden, 4 * hidden)));
    }
    Projection head = new Projection(new Pooled(VOCABULARY, hidden), null);
    Weights weights = Weights.of(new Pooled(VOCABULARY, hidden), null, blocks, norm(), head);
    return Inventory.of(architecture, weights);
  }

  private Weights.Norm norm() {
    float[] ones = new float[hidden];
    Arrays.fill(ones, 1);
    return new Weights.Norm(null, ones, new float[hidden]);
  }

  private static Projection projection(int outputs, int inputs) {
    return new Projection(new Pooled(outputs, inputs), new float[outputs]);
  }

  /** Normal weights of deviation 0.02, cut from one pool: billions are made in seconds. */
  private record Pooled(int rows, int columns) implements WeightRows {
    private static final float[] POOL = pool();
    private static final int STEP = 7919;

    private static float[] pool() {
      SplittableRandom random = new SplittableRandom(1);
      float[] pool = new float[1 << 20];
      for (int i = 0; i < pool.length; i++) {
        pool[i] = (float) (0.02 * random.nextGaussian());
      }
      return pool;
    }

    @Override
    public String name() {
      return "random";
    }

    @Override
    public void row(int r, float[] out) {
      int at = (int) ((long) r * STEP % (POOL.length - columns));
      System.arraycopy(POOL, at, out, 0, columns);
    }
  }
}
