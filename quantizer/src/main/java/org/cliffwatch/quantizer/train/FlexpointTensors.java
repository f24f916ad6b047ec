package org.cliffwatch.quantizer.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.scheme.Autoflex;
import org.cliffwatch.quantizer.scheme.Flexpoint;

/**
 * A training run's tensors in Flexpoint (Köster et al. 2017): every result of a step, forward,
 * backward and update, is kept as mantissas times a power of two that {@link Autoflex} fixed before
 * the step, for each tensor and use by itself. There are no float32 master weights.
 *
 * <p>What a use has its first exponent from is the paper's Algorithm 1: a step with results that
 * have none yet goes through its slices once more before, in their order, on one thread; what the
 * update stores gets it where it is first not all zeros. After a step each use's largest mantissa,
 * over all slices, makes its next exponent (Algorithm 2). So neither threads nor their order show.
 *
 * <p>A result of zeros alone has no exponent and needs none.
 */
final class FlexpointTensors {
  /** What the update stores of a tensor. */
  enum Stored {
    GRADIENT,
    MEAN,
    /** The root of AdamW's second moment, whose squares 16 bits cannot hold side by side. */
    ROOT,
    WEIGHT
  }

  private static final int NOT_USED = -1;

  private final Flexpoint format;
  private final int results;
  private final int tensors;
  private final Autoflex[] uses;

  /** Γ of the step. */
  private final int[] largest;

  private final List<Slice> slices = new ArrayList<>();
  private boolean isInitialized;

  FlexpointTensors(Flexpoint format, ModelShape shape, int tensors) {
    this.format = format;
    this.tensors = tensors;
    results = DecoderGradient.uses(shape, tensors);
    uses = new Autoflex[results + Stored.values().length * tensors];
    largest = new int[uses.length];
    Arrays.fill(largest, NOT_USED);
    for (int slice = 0; slice < Recipe.SLICES; slice++) {
      slices.add(new Slice());
    }
  }

  /** The results of a slice of the batch. */
  private final class Slice implements Rounding {
    private final int[] most = new int[results];

    Slice() {
      Arrays.fill(most, NOT_USED);
    }

    @Override
    public void round(int use, float[] x, int n) {
      if (uses[use] == null && !isInitialized) {
        uses[use] = first(x, n);
      }
      most[use] = Math.max(most[use], rounded(uses[use], x, n));
    }
  }

  /** Algorithm 1 for a tensor; null for one of zeros. */
  private Autoflex first(float[] x, int n) {
    float magnitude = Lanes.largestMagnitude(x, n);
    return magnitude == 0 ? null : Autoflex.initialized(format, magnitude);
  }

  private int rounded(Autoflex use, float[] x, int n) {
    if (use != null) {
      return Lanes.round(format, use.scale(), x, n);
    }
    if (Lanes.largestMagnitude(x, n) != 0) {
      throw new IllegalStateException("a result without an exponent is not zero");
    }
    return 0;
  }

  Rounding slice(int slice) {
    return slices.get(slice);
  }

  /** Whether all results of a step have exponents; until then {@link #slice} gives them one. */
  boolean isInitialized() {
    return isInitialized;
  }

  /** After the slices went through a step for their exponents. */
  void initialized() {
    isInitialized = true;
    slices.forEach(slice -> Arrays.fill(slice.most, NOT_USED));
  }

  /**
   * Rounds what the update stores. Of one tensor at a time; of others at once.
   *
   * @param tensor its index
   */
  void store(Stored what, int tensor, float[] x) {
    int use = use(what, tensor, x);
    largest[use] = rounded(uses[use], x, x.length);
  }

  /** Its index, with an exponent unless x is all zeros. */
  private int use(Stored what, int tensor, float[] x) {
    int use = results + what.ordinal() * tensors + tensor;
    if (uses[use] == null) {
      uses[use] = first(x, x.length);
    }
    return use;
  }

  /**
   * {@link #store} of {@link Stored#ROOT}, upwards, so that what divides a mean does not vanish
   * before it.
   *
   * @param square the moment; becomes the square of its stored root
   */
  void storeRoot(int tensor, float[] square) {
    for (int i = 0; i < square.length; i++) {
      square[i] = (float) Math.sqrt(square[i]);
    }
    Autoflex use = uses[use(Stored.ROOT, tensor, square)];
    if (use != null) {
      float scale = use.scale();
      for (int i = 0; i < square.length; i++) {
        square[i] = (float) Math.ceil(square[i] / scale) * scale;
      }
    }
    store(Stored.ROOT, tensor, square);
    for (int i = 0; i < square.length; i++) {
      square[i] *= square[i];
    }
  }

  /** Makes the next step's exponents. */
  Training.Exponents endStep() {
    for (Slice slice : slices) {
      for (int use = 0; use < results; use++) {
        largest[use] = Math.max(largest[use], slice.most[use]);
        slice.most[use] = NOT_USED;
      }
    }
    int overflows = 0;
    int[] unused = new int[format.mantissaBits()];
    for (int use = 0; use < uses.length; use++) {
      if (largest[use] != NOT_USED && uses[use] != null) {
        int bits = Integer.SIZE - Integer.numberOfLeadingZeros(largest[use]);
        overflows += format.overflows(largest[use]) ? 1 : 0;
        unused[Math.max(0, format.mantissaBits() - 1 - bits)]++;
        uses[use].update(largest[use]);
      }
      // A result that was all zeros gets its exponent before the step that has it otherwise.
      isInitialized &= use >= results || largest[use] == NOT_USED || uses[use] != null;
      largest[use] = NOT_USED;
    }
    return new Training.Exponents(overflows, Arrays.stream(unused).boxed().toList());
  }

  /** For {@link #restore}. */
  String json() {
    ArrayNode all = JsonNodeFactory.instance.arrayNode();
    for (Autoflex use : uses) {
      if (use == null) {
        all.addNull();
      } else {
        ArrayNode one = all.addArray().add(use.exponent());
        use.maxima().forEach(one::add);
      }
    }
    return JsonNodeFactory.instance
        .objectNode()
        .put("initialized", isInitialized)
        .set("exponents_and_maxima", all)
        .toString();
  }

  /**
   * Goes on from what {@link #json} gave.
   *
   * @throws IllegalArgumentException if it is of another run
   */
  void restore(String stored) {
    JsonNode json;
    try {
      json = new ObjectMapper().readTree(stored);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("exponents: " + e.getMessage(), e);
    }
    JsonNode all = json.path("exponents_and_maxima");
    if (all.size() != uses.length) {
      throw new IllegalArgumentException(
          "found %s exponents, expected %s".formatted(all.size(), uses.length));
    }
    isInitialized = json.path("initialized").asBoolean();
    for (int use = 0; use < uses.length; use++) {
      JsonNode one = all.get(use);
      if (!one.isNull()) {
        List<Double> maxima =
            IntStream.range(1, one.size()).mapToObj(i -> one.get(i).asDouble()).toList();
        uses[use] = Autoflex.restored(format, one.get(0).asInt(), maxima);
      }
    }
  }
}
