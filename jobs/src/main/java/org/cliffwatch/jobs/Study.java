package org.cliffwatch.jobs;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.quantizer.train.Recipe;
import org.cliffwatch.quantizer.train.Training;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code study.sh}: trains recipe variants on Spark, one a task, then evaluates the grid. */
@Command(
    name = "study.sh",
    description = {
      "Trains the variants of a recipes file in parallel on Spark, one a task, and evaluates all of",
      "their checkpoints. An interrupted study goes on where its checkpoints end."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Writes OUTPUT/models/RECIPE/step{N} and the tables of evaluate.sh. OUTPUT must be a folder",
      "that driver and executors all see.",
      "",
      "Example:",
      "  study.sh --recipes conf/recipes/table1.yaml --output study"
    })
public final class Study implements Callable<Integer> {
  private static final int REPORT_EVERY = 250;

  @Mixin private RecipeGrid grid;

  public static void main(String[] arguments) {
    Commands.exit(Commands.run(new Study(), arguments));
  }

  /** What training one recipe came to. */
  record Trained(String recipe, Training.Result result) implements java.io.Serializable {
    private static final long serialVersionUID = 1L;
  }

  @Override
  public Integer call() throws IOException {
    Suite suite = grid.suite();
    try (SparkSession session = Commands.session("cliffwatch study")) {
      return grid.evaluate(session, suite, System.err).exitCode();
    }
  }

  /**
   * Trains every recipe, one a Spark task.
   *
   * @param data folder of training text and tokenizer, seen by all executors
   * @param checkpoints gets a folder a recipe
   * @return in the recipes' order; the steps are those of the attempt that ended the recipe
   */
  static List<Trained> train(
      JavaSparkContext spark, List<Recipe> all, Path data, Path checkpoints, PrintStream log) {
    String text = data.toAbsolutePath().toString();
    String folder = checkpoints.toString();
    spark.setJobDescription("training");
    List<Trained> trained =
        spark.parallelize(all, all.size()).map(recipe -> trainOne(recipe, text, folder)).collect();
    for (Trained one : trained) {
      Training.Result result = one.result();
      if (result.steps() == 0) {
        log.println(one.recipe() + ": trained already");
      } else {
        log.printf(
            Locale.ROOT,
            "trained %s: %d steps now, loss %.4f, %.1f s, %.0f tokens/s%n",
            one.recipe(),
            result.steps(),
            result.loss(),
            result.seconds(),
            result.tokensPerSecond());
      }
    }
    return trained;
  }

  /** On an executor. A task tried again finds its last checkpoint and goes on to the same bits. */
  private static Trained trainOne(Recipe recipe, String text, String checkpoints) {
    Training.Result result =
        Training.run(
            recipe,
            Path.of(text),
            Path.of(checkpoints, recipe.name()),
            1,
            (r, step) -> {
              if (step.step() % REPORT_EVERY == 0) {
                System.err.printf(
                    Locale.ROOT,
                    "%s step %d/%d loss %.4f%n",
                    r.name(),
                    step.step(),
                    r.steps(),
                    step.loss());
              }
            });
    return new Trained(recipe.name(), result);
  }
}
