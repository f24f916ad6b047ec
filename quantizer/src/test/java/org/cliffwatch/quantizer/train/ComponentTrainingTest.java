package org.cliffwatch.quantizer.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Steps of components, each on its thread. */
class ComponentTrainingTest {
  /** Sums of some thousand float32 products in another order. */
  private static final double LOSS = 1e-5;

  private static final double GRADIENT = 2e-5;

  /** As {@link GradientTest}'s, of a float32 loss of some nats. */
  private static final Percentage NEAR = Percentage.withPercentage(1);

  private static final float STEP = 1e-2f;

  private static final int LAYERS = 4;
  private static final int SEQUENCES = 4;
  private static final int LENGTH = 13;
  private static final int VOCABULARY = 43;
  private static final ModelShape SHAPE = new ModelShape(VOCABULARY, 32, LAYERS, 2, 64, 0.5f);

  /** Of one step: each component's loss, and all gradients by name. */
  private record Gradients(List<Double> losses, Map<String, float[]> byName) {}

  private static Recipe recipe(int components, int nwise, float dropout) {
    Recipe.Model model = new Recipe.Model(32, LAYERS, 2, 64, 0.5f, 32);
    return new Recipe(
        "interlocking",
        Recipe.TrainingType.FP32,
        Recipe.LossScaling.DYNAMIC,
        0,
        null,
        dropout,
        model,
        null,
        Recipe.Trainable.ALL,
        null,
        components,
        nwise,
        9,
        1,
        List.of(1),
        SEQUENCES,
        LENGTH,
        0,
        0,
        0,
        0.9f,
        0.95f,
        1e-8f);
  }

  private static int[] slice(int slice) {
    int[] tokens = new int[SEQUENCES / Recipe.SLICES * (LENGTH + 1)];
    for (int i = 0; i < tokens.length; i++) {
      int at = slice * tokens.length + i;
      tokens[i] = (at * at * 7 + at * 3) % VOCABULARY;
    }
    return tokens;
  }

  private static double wave(int i, double phase) {
    return Math.sin(i * 0.7 + phase);
  }

  /** The script's numbers: of auxiliary heads by their component, of the others by their place. */
  private static Parameters weights(List<Component> cut) {
    Parameters weights = new Parameters(SHAPE, cut);
    int place = 0;
    for (Parameters.Tensor tensor : weights.model()) {
      fill(tensor, place++);
    }
    for (int k = 0; k < cut.size() - 1; k++) {
      Parameters.Head head = weights.heads.get(k);
      if (head != null) {
        fill(head.normWeight(), 100 + 3 * k);
        fill(head.normBias(), 101 + 3 * k);
        fill(head.projection(), 102 + 3 * k);
      }
    }
    return weights;
  }

  private static void fill(Parameters.Tensor tensor, int phase) {
    boolean isScale = tensor.name().endsWith("norm.weight");
    for (int i = 0; i < tensor.values().length; i++) {
      double w = wave(i, phase);
      tensor.values()[i] = (float) (isScale ? 1 + 0.1 * w : 0.2 * w);
    }
  }

  private static double checksum(float[] values) {
    double sum = 0;
    for (int i = 0; i < values.length; i++) {
      sum += values[i] * wave(i, 0.5);
    }
    return sum;
  }

  /** A step with a learning rate of 0: weights stay. */
  private static Gradients step(Recipe recipe, Parameters weights) {
    List<Component> cut = Component.cut(SHAPE, recipe.components(), recipe.nwise());
    TrainingState state = TrainingState.initial(SHAPE, cut, weights, false);
    List<CompletableFuture<Gradients>> steps = new ArrayList<>();
    List<Link.Neighbours> links = Link.betweenThreads(cut.size());
    for (Component component : cut) {
      steps.add(
          CompletableFuture.supplyAsync(
              () -> {
                try (ComponentTraining training =
                    new ComponentTraining(
                        recipe,
                        SHAPE,
                        component,
                        state.of(component),
                        (step, slice) -> slice(slice),
                        links.get(component.index()),
                        1)) {
                  double loss = training.step().loss();
                  Map<String, float[]> byName = new LinkedHashMap<>();
                  training.gradient().tensors().forEach(t -> byName.put(t.name(), t.values()));
                  return new Gradients(Arrays.asList(loss), byName);
                }
              },
              task -> new Thread(task).start()));
    }
    List<Double> losses = new ArrayList<>();
    Map<String, float[]> all = new LinkedHashMap<>();
    for (CompletableFuture<Gradients> step : steps) {
      losses.addAll(step.join().losses());
      all.putAll(step.join().byName());
    }
    return new Gradients(losses, all);
  }

  static Stream<JsonNode> strategies() throws IOException {
    try (InputStream json =
        ComponentTrainingTest.class.getResourceAsStream("/train/pytorch_interlocking.json")) {
      List<JsonNode> all = new ArrayList<>();
      new ObjectMapper().readTree(json).forEach(all::add);
      return all.stream();
    }
  }

  @ParameterizedTest
  @MethodSource("strategies")
  void lossesAndGradientsAreThoseOfPyTorch(JsonNode expected) {
    Recipe recipe = recipe(expected.get("components").asInt(), expected.get("nwise").asInt(), 0);
    List<Component> cut = Component.cut(SHAPE, recipe.components(), recipe.nwise());
    Gradients found = step(recipe, weights(cut));
    for (int k = 0; k < cut.size(); k++) {
      JsonNode loss = expected.get("losses").get(k);
      if (loss.isNull()) {
        assertThat(found.losses().get(k)).isNaN();
      } else {
        assertThat(found.losses().get(k)).isCloseTo(loss.asDouble(), Offset.offset(LOSS));
      }
    }
    assertThat(found.byName()).hasSize(expected.get("gradients").size());
    found
        .byName()
        .forEach(
            (name, gradient) ->
                assertThat(checksum(gradient))
                    .as(name)
                    .isCloseTo(
                        expected.get("gradients").get(name).asDouble(), Offset.offset(GRADIENT)));
  }

  /** Along a component's gradient, and a head's, the loss they learn from moves as they say. */
  @ParameterizedTest
  @CsvSource({"4, 1", "4, 2", "4, 3", "4, 4", "3, 2", "2, 1"})
  void gradientsAreTheSlopesOfTheLossThatAComponentLearnsFrom(int components, int nwise) {
    Recipe recipe = recipe(components, nwise, 0.2f);
    List<Component> cut = Component.cut(SHAPE, components, nwise);
    Parameters weights = Parameters.initial(SHAPE, cut, 5);
    Map<String, float[]> gradients = new LinkedHashMap<>();
    step(recipe, weights).byName().forEach((name, g) -> gradients.put(name, g.clone()));
    for (Component component : cut) {
      Parameters own = weights.of(component);
      List<String> head =
          component.hasLoss()
              ? own.tensors().subList(own.tensors().size() - 3, own.tensors().size()).stream()
                  .map(Parameters.Tensor::name)
                  .toList()
              : List.of();
      List<Parameters.Tensor> ofHead =
          own.tensors().stream().filter(t -> head.contains(t.name())).toList();
      List<Parameters.Tensor> others =
          own.tensors().stream().filter(t -> !head.contains(t.name())).toList();
      check(recipe, weights, others, gradients, component.learnsFrom());
      if (component.hasLoss()) {
        check(recipe, weights, ofHead, gradients, component.index());
      }
    }
  }

  private static void check(
      Recipe recipe,
      Parameters weights,
      List<Parameters.Tensor> moved,
      Map<String, float[]> gradients,
      int loss) {
    double square = 0;
    for (Parameters.Tensor tensor : moved) {
      for (float g : gradients.get(tensor.name())) {
        square += (double) g * g;
      }
    }
    float size = (float) Math.sqrt(square);
    assertThat(size).isPositive();
    double[] at = new double[2];
    for (int side = 0; side < 2; side++) {
      float step = (side == 0 ? STEP : -STEP) / size;
      List<float[]> origin = moved.stream().map(t -> t.values().clone()).toList();
      for (Parameters.Tensor tensor : moved) {
        float[] g = gradients.get(tensor.name());
        for (int i = 0; i < g.length; i++) {
          tensor.values()[i] += step * g[i];
        }
      }
      at[side] = step(recipe, weights).losses().get(loss);
      IntStream.range(0, moved.size())
          .forEach(
              t ->
                  System.arraycopy(
                      origin.get(t), 0, moved.get(t).values(), 0, origin.get(t).length));
    }
    assertThat((at[0] - at[1]) / (2 * STEP)).isCloseTo(size, NEAR);
  }

  @Test
  void whichLossesGoThroughAComponent() {
    // By hand, for K = 4: of each component the losses that it carries, and sends back.
    assertThat(carried(1)).containsExactly("0|", "1|", "2|", "3|");
    assertThat(carried(2)).containsExactly("1|", "1 2|1", "2 3|2", "3|3");
    assertThat(carried(3)).containsExactly("2|", "2 3|2", "2 3|2 3", "3|3");
    assertThat(carried(4)).containsExactly("3|", "3|3", "3|3", "3|3");
  }

  private static List<String> carried(int nwise) {
    return Component.cut(SHAPE, 4, nwise).stream()
        .map(
            component ->
                losses(IntStream.range(0, 4).filter(component::carries))
                    + "|"
                    + losses(IntStream.range(0, 4).filter(component::sendsBack)))
        .toList();
  }

  private static String losses(IntStream losses) {
    return String.join(" ", losses.mapToObj(String::valueOf).toList());
  }

  @Test
  void aNeighbourAtAnotherStepIsRefused() {
    Recipe recipe = recipe(2, 1, 0);
    Component second = Component.cut(SHAPE, 2, 1).get(1);
    List<Link.Neighbours> links = Link.betweenThreads(2);
    int values = SEQUENCES / Recipe.SLICES * LENGTH * SHAPE.hidden();
    byte[] message = new byte[Integer.BYTES + Long.BYTES + values * Float.BYTES];
    message[3] = 7;
    links.get(0).next().send(message);
    links.get(0).next().send(new byte[3]);
    TrainingState state =
        TrainingState.initial(
            SHAPE, Component.cut(SHAPE, 2, 1), weights(Component.cut(SHAPE, 2, 1)), false);
    try (ComponentTraining training =
        new ComponentTraining(
            recipe,
            SHAPE,
            second,
            state.of(second),
            (step, slice) -> slice(slice),
            links.get(1),
            1)) {
      assertThatThrownBy(training::step)
          .hasMessage("recipe interlocking: component 1 is at step 1, its neighbour at step 7");
      assertThatThrownBy(training::step)
          .hasMessage("a message between components: found 3 bytes, expected " + message.length);
    }
  }
}
