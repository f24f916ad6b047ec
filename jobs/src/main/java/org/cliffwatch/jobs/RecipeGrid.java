package org.cliffwatch.jobs;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.present.Report;
import org.cliffwatch.jobs.run.Evaluation;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.quantizer.train.Recipe;
import picocli.CommandLine.Option;

/** Checkpoints of recipes × precisions × tasks: what commands that train and evaluate take. */
final class RecipeGrid {
  @Option(
      names = "--recipes",
      required = true,
      paramLabel = "FILE",
      description = "Recipes (YAML).")
  private Path recipes;

  @Option(
      names = "--output",
      required = true,
      paramLabel = "DIR",
      description = "Folder of checkpoints and tables.")
  private Path output;

  @Option(
      names = "--data",
      defaultValue = "${env:CLIFFWATCH_HOME:-.}/data/microworld",
      paramLabel = "DIR",
      description = "Training text and tokenizer. Default: ${DEFAULT-VALUE}.")
  private Path data;

  @Option(
      names = "--suite",
      defaultValue = "${env:CLIFFWATCH_HOME:-.}/conf/suites/demo.yaml",
      paramLabel = "FILE",
      description =
          "Suite whose precisions and tasks to evaluate; its checkpoints are replaced."
              + " Default: ${DEFAULT-VALUE}.")
  private Path suite;

  @Option(names = "--set", paramLabel = "KEY=VALUE", description = "Sets a key of the suite.")
  private List<String> sets = List.of();

  @Option(
      names = "--components",
      defaultValue = "threads",
      paramLabel = "threads|tasks",
      description =
          "What a recipe's components are trained as: threads of its task, or tasks of a barrier"
              + " stage, which needs as many cores at once. Default: ${DEFAULT-VALUE}.")
  private Study.Components components;

  /** The recipes. */
  List<Recipe> recipes() {
    return Recipe.read(recipes);
  }

  Path output() {
    return output;
  }

  /** The suite, over all checkpoints of the recipes. */
  Suite suite() {
    if (!Files.isDirectory(data)) {
      throw new SuiteException("--data: found no folder " + data + ", expected the training text");
    }
    return Commands.suiteReader(null).read(suite, withCheckpoints());
  }

  /** Not below a table: {@code checkpoints} is one. */
  private Path models() {
    return output.toAbsolutePath().normalize().resolve("models");
  }

  private List<String> withCheckpoints() {
    List<String> series = new ArrayList<>();
    for (Recipe recipe : recipes()) {
      series.add(
          String.format(
              Locale.ROOT,
              "{model: '%s', path: '%s/%s/step{step}', steps: %s}",
              recipe.name(),
              models().toString().replace("'", "''"),
              recipe.name(),
              recipe.checkpoints()));
    }
    List<String> with = new ArrayList<>(List.of("checkpoints=[" + String.join(", ", series) + "]"));
    with.addAll(sets);
    return with;
  }

  /**
   * Trains what is not trained, evaluates what is not evaluated, and reports.
   *
   * @param grid {@link #suite}
   */
  Evaluation.Outcome evaluate(SparkSession session, Suite grid, PrintStream log)
      throws IOException {
    JavaSparkContext spark = JavaSparkContext.fromSparkContext(session.sparkContext());
    Study.train(spark, recipes(), data, models(), components, log);
    Evaluation.Outcome outcome = new Evaluation(spark, grid, output.toString(), false, log).run();
    Report.show(outcome, output.toString(), false, spark.hadoopConfiguration(), log);
    Report.write(outcome, output.toString(), session, log);
    return outcome;
  }
}
