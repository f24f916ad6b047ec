package org.cliffwatch.quantizer.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.assertj.core.data.Offset;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Flexpoint;
import org.cliffwatch.quantizer.scheme.Precision;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecipeTest {
  private static final Path TABLE_1 = Path.of("..", "conf", "recipes", "table1.yaml");

  @TempDir private Path folder;

  /** papers §1.4: eleven distinct runs; what is not the axis has the axis's control value. */
  @Test
  void table1HasThePapersAxesAndControls() {
    List<Recipe> recipes = Recipe.read(TABLE_1);
    assertThat(recipes).hasSize(11);
    Set<List<Object>> axes = new HashSet<>();
    for (Recipe recipe : recipes) {
      axes.add(
          java.util.Arrays.asList(
              recipe.halfPrecision(),
              recipe.weightDecay(),
              recipe.gradientClipping(),
              recipe.dropout()));
      assertThat(recipe.checkpoints()).hasSizeGreaterThanOrEqualTo(3);
    }
    Recipe.TrainingType bf16 = Recipe.TrainingType.BF16;
    Recipe.TrainingType fp16 = Recipe.TrainingType.FP16;
    Set<List<Object>> paper = new HashSet<>();
    for (float decay : new float[] {0.1f, 0.01f}) {
      paper.add(List.of(bf16, decay, 1f, 0f));
      paper.add(List.of(fp16, decay, 1f, 0f));
    }
    for (float decay : new float[] {0.1f, 0.01f, 0.001f}) {
      paper.add(java.util.Arrays.asList(bf16, decay, null, 0f));
    }
    paper.add(List.of(bf16, 0.001f, 1f, 0f));
    for (float dropout : new float[] {0.1f, 0.4f, 0.8f}) {
      paper.add(List.of(bf16, 0.1f, 1f, dropout));
    }
    assertThat(axes).isEqualTo(paper);
  }

  @Test
  void theEmbeddedModelsAreTable1s() {
    List<Recipe> embedded = Recipe.read(TABLE_1.resolveSibling("embedded.yaml"));
    assertThat(embedded).hasSize(2);
    assertThat(Recipe.read(TABLE_1)).containsAll(embedded);
  }

  @Test
  void quantizationAndStartArePartOfARecipe() throws IOException {
    Path file = folder.resolve("recipes.yaml");
    Files.writeString(
        file,
        Files.readString(TABLE_1)
            .replace(
                "dropout: 0.4",
                "half_precision: flex16+5, initial: a/step5, quantization: {scheme: rtn,"
                    + " weight_bits: 3, activation_bits: 32, compute: float32, group: -1}"));
    Recipe recipe = Recipe.read(file).get(9);
    assertThat(recipe.halfPrecision().flexpoint()).isEqualTo(new Flexpoint(16, 5));
    assertThat(recipe.halfPrecision().type()).isEqualTo(FloatType.FLOAT32);
    assertThat(recipe.initial()).isEqualTo(folder.resolve("a/step5").toString());
    assertThat(recipe.quantization())
        .isEqualTo(
            new Precision("quantization", "rtn", 3, 32, FloatType.FLOAT32, Map.of("group", "-1")));
    new ObjectOutputStream(OutputStream.nullOutputStream()).writeObject(recipe);
    assertThat(Recipe.read(TABLE_1).get(0).lossScaling()).isEqualTo(Recipe.LossScaling.DYNAMIC);
  }

  @Test
  void learningRateWarmsUpAndFallsAsACosine() {
    Recipe recipe = Recipe.read(TABLE_1).get(0);
    assertThat(recipe.learningRate(1)).isEqualTo(recipe.learningRate() / recipe.warmupSteps());
    assertThat(recipe.learningRate(recipe.warmupSteps())).isEqualTo(recipe.learningRate());
    assertThat(recipe.learningRate((recipe.steps() + recipe.warmupSteps()) / 2))
        .isCloseTo((recipe.learningRate() + recipe.finalLearningRate()) / 2, Offset.offset(1e-5f));
    assertThat(recipe.learningRate(recipe.steps())).isEqualTo(recipe.finalLearningRate());
  }

  private void assertRefused(String from, String to, String... parts) throws IOException {
    String text = Files.readString(TABLE_1);
    assertThat(text).contains(from);
    Path file = folder.resolve("recipes.yaml");
    Files.writeString(file, text.replace(from, to));
    assertThatThrownBy(() -> Recipe.read(file))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("recipes.yaml")
        .message()
        .contains(parts);
  }

  @Test
  void mistakesAreNamed() throws IOException {
    assertRefused("dropout: 0.4", "dropuot: 0.4", "recipe dropout0.4", "dropuot", "dropout");
    assertRefused("dropout: 0.8", "dropout: 1.8", "dropout0.8: dropout: found 1.8, expected");
    assertRefused("batch_size: 8", "batch_size: 15", "batch_size: found 15, expected an even");
    assertRefused("seed: 1", "seed: one", "bf16-wd0.1", "seed", "one");
    assertRefused("  seed: 1\n", "", "seed");
    assertRefused("fp16-wd0.1,", "bf16-wd0.1,", "two recipes named 'bf16-wd0.1'");
    assertRefused("half_precision: fp16}", "half_precision: fp8}", "fp16-wd0.1", "fp8", "bf16");
    assertRefused(
        "half_precision: fp16}", "half_precision: flex4+5}", "fp16-wd0.1: half_precision: flex4+5");
    assertRefused(
        "dropout: 0.4", "loss_scaling: static", "dropout0.4", "loss_scaling", "static", "dynamic");
    assertRefused("dropout: 0.4", "quantization: w4", "dropout0.4: quantization: found \"w4\"");
    assertRefused(
        "dropout: 0.4",
        "quantization: {scheme: rtn, weight_bits: 9, activation_bits: 32, compute: float32}",
        "dropout0.4: precision quantization",
        "2 to 8");
    assertRefused(
        "dropout: 0.4",
        "quantization: {scheme: gptq, weight_bits: 4, activation_bits: 32, compute: float32}",
        "dropout0.4: quantization",
        "expected a scheme that needs no calibration");
    assertRefused(
        "dropout: 0.4",
        "quantization: {scheme: rtn, weight_bits: [4]}",
        "dropout0.4: quantization: weight_bits: found [4], expected a text or a number");
    assertRefused("dropout: 0.4", "components: 5", "dropout0.4: components: found 5", "1 to", "4");
    assertRefused(
        "dropout: 0.4", "components: 4, nwise: 5", "dropout0.4: nwise: found 5", "1 to components");
    assertRefused(
        "half_precision: fp16}", "half_precision: fp16, components: 2}", "components: found 2");
    assertRefused(
        "dropout: 0.4", "components: 2, trainable: linear", "components: found 2", "auxiliary");
    assertRefused("recipes:\n", "recipies:\n", "unknown key 'recipies'");
    assertRefused("hidden_size: 128", "hidden_size: 129x", "hidden_size");
  }
}
