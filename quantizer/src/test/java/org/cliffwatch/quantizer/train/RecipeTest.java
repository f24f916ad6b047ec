package org.cliffwatch.quantizer.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.assertj.core.data.Offset;
import org.cliffwatch.quantizer.InvalidInputException;
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
    Recipe.Precision bf16 = Recipe.Precision.BF16;
    Recipe.Precision fp16 = Recipe.Precision.FP16;
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
    assertRefused("recipes:\n", "recipies:\n", "unknown key 'recipies'");
    assertRefused("hidden_size: 128", "hidden_size: 129x", "hidden_size");
  }
}
