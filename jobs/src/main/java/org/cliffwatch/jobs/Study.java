package org.cliffwatch.jobs;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
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

  /** What a recipe's components are trained as. */
  enum Components {
    /** Threads of the recipe's task. */
    THREADS,
    /** Tasks of a barrier stage of the recipe's own. */
    TASKS
  }

  /**
   * Trains every recipe: one a Spark task, or with {@link Components#TASKS} those with components
   * after the others and one after the other.
   *
   * @param data folder of training text and tokenizer, seen by all executors
   * @param checkpoints gets a folder a recipe
   * @return the steps are those of the attempt that ended the recipe
   */
  static List<Trained> train(
      JavaSparkContext spark,
      List<Recipe> all,
      Path data,
      Path checkpoints,
      Components components,
      PrintStream log) {
    String text = data.toAbsolutePath().toString();
    String folder = checkpoints.toString();
    spark.setJobDescription("training");
    Map<Boolean, List<Recipe>> byTasks =
        all.stream()
            .collect(
                Collectors.partitioningBy(
                    recipe -> components == Components.TASKS && recipe.components() > 1));
    List<Trained> trained = new ArrayList<>();
    List<Recipe> ofOneTask = byTasks.get(false);
    if (!ofOneTask.isEmpty()) {
      trained.addAll(
          spark
              .parallelize(ofOneTask, ofOneTask.size())
              .map(recipe -> trainOne(recipe, text, folder))
              .collect());
    }
    for (Recipe recipe : byTasks.get(true)) {
      String output = Path.of(folder, recipe.name()).toString();
      trained.add(new Trained(recipe.name(), ComponentTasks.train(spark, recipe, text, output)));
    }
    for (Trained one : trained) {
      Training.Result result = one.result();
      log.println(
          result.steps() == 0
              ? one.recipe() + ": trained already"
              : "trained " + one.recipe() + ": " + result);
    }
    return trained;
  }

  /** On an executor. A task tried again finds its last checkpoint and goes on to the same bits. */
  private static Trained trainOne(Recipe recipe, String text, String checkpoints) {
    Path output = Path.of(checkpoints, recipe.name());
    return new Trained(
        recipe.name(), Training.run(recipe, Path.of(text), output, 1, Study::report));
  }

  /** On an executor. */
  static void report(Recipe recipe, Training.Step step) {
    if (step.step() % REPORT_EVERY == 0) {
      System.err.printf(
          Locale.ROOT,
          "%s step %d/%d loss %.4f%n",
          recipe.name(),
          step.step(),
          recipe.steps(),
          step.loss());
    }
  }
}
