package org.cliffwatch.quantizer.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.train.Recipe;
import org.cliffwatch.quantizer.train.Training;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Trains recipes one after the other, without Spark. */
@Command(
    name = "train.sh",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        "Trains the recipes of a file, each into OUTPUT/NAME/step{N}; an interrupted run goes on.",
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:done", "3:bad usage or input", "5:internal error"})
public final class TrainCommand implements Callable<Integer> {
  private static final int REPORT_EVERY = 50;

  @Option(names = "--recipes", required = true, paramLabel = "FILE", description = "Recipes, YAML.")
  private Path recipes;

  @Option(
      names = "--data",
      required = true,
      paramLabel = "DIR",
      description =
          "Folder with training.jsonl or training.jsonl.gz, tokenizer.json, tokenizer_config.json.")
  private Path data;

  @Option(names = "--output", required = true, paramLabel = "DIR", description = "Where to write.")
  private Path output;

  @Option(
      names = "--only",
      paramLabel = "NAME",
      description = "Train these recipes of the file; may be repeated. Default: all.")
  private List<String> only = List.of();

  @Option(
      names = "--threads",
      defaultValue = "2",
      description = "Threads; the result does not depend on it. Default: ${DEFAULT-VALUE}.")
  private int threads;

  @Override
  public Integer call() {
    List<Recipe> all = Recipe.read(recipes);
    for (String name : only) {
      if (all.stream().noneMatch(recipe -> recipe.name().equals(name))) {
        throw new InvalidInputException(
            recipes
                + ": no recipe named '"
                + name
                + "', found "
                + all.stream().map(Recipe::name).toList());
      }
    }
    for (Recipe recipe : all) {
      if (only.isEmpty() || only.contains(recipe.name())) {
        Training.Result result =
            Training.run(recipe, data, output.resolve(recipe.name()), threads, this::report);
        System.out.println(recipe.name() + ": " + result);
      }
    }
    return Launcher.DONE;
  }

  private void report(Recipe recipe, Training.Step step) {
    if (step.step() % REPORT_EVERY == 0 || step.step() == 1) {
      System.err.printf(
          Locale.ROOT,
          "%s step %d/%d loss %.4f gradient norm %.3f learning rate %.2e loss scale %.0f%n",
          recipe.name(),
          step.step(),
          recipe.steps(),
          step.loss(),
          step.gradientNorm(),
          step.learningRate(),
          step.lossScale());
    }
  }

  public static void main(String[] arguments) {
    System.exit(Launcher.run(new TrainCommand(), arguments));
  }
}
