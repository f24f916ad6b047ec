package org.cliffwatch.jobs;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.predict.FeatureTable;
import org.cliffwatch.jobs.predict.Predictor;
import org.cliffwatch.jobs.present.Report;
import org.cliffwatch.jobs.present.TextTable;
import org.cliffwatch.jobs.run.Analyses;
import org.cliffwatch.jobs.sql.Database;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.quantizer.cli.Machine;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.train.Recipe;
import org.cliffwatch.tasks.InvalidInputException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code predict.sh}: what a precision will cost a checkpoint, from what others cost others. */
@Command(
    name = "predict.sh",
    description = {
      "Predicts what a precision costs a checkpoint before it is evaluated: a random forest over the",
      "checkpoint's loss, size, step and analyses and the precision's bits and format, learnt from",
      "models that were evaluated."
    },
    mixinStandardHelpOptions = true,
    subcommands = {
      Predict.Grid.class,
      Predict.Features.class,
      Predict.Fit.class,
      Predict.OfTables.class,
      Predict.Explain.class
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "3:bad usage or input; the message names file, place, what was found and what was expected",
      "4:finished, but some rows were refused; they say why",
      "5:internal error"
    },
    footer = {
      "",
      "Example:",
      "  predict.sh grid --recipes conf/recipes/grid.yaml --suite conf/suites/grid.yaml \\",
      "      --output grid --features grid.csv",
      "  predict.sh features --tables study --output features.csv",
      "  predict.sh fit --features features.csv --target nll_increase --predictor predictor",
      "  predict.sh explain --predictor predictor",
      "  predict.sh predict --predictor predictor --tables out --precision w8a8,w4"
    })
public final class Predict implements Callable<Integer> {
  @Spec private CommandSpec spec;

  public static void main(String[] arguments) {
    Commands.exit(Commands.run(new Predict(), arguments));
  }

  @Override
  public Integer call() {
    throw new ParameterException(
        new CommandLine(spec),
        "found no command, expected grid, features, fit, predict or explain");
  }

  private static SparkSession session() {
    return Commands.session("cliffwatch predict", Database.settings());
  }

  /** Where rows come from. */
  static final class Source {
    @Option(
        names = "--tables",
        arity = "1..*",
        paramLabel = "DIR",
        description = "Folders of tables that evaluate.sh and analyse.sh wrote.")
    private List<String> tables = List.of();

    @Option(
        names = "--features",
        paramLabel = "FILE",
        description = "Or rows that 'predict.sh features' wrote.")
    private String features;

    @Option(
        names = "--baseline",
        defaultValue = "fp32",
        paramLabel = "P",
        description =
            "Precision whose loss is a feature and that costs are against. Default: ${DEFAULT-VALUE}.")
    private String baseline;

    @Option(
        names = "--precisions",
        paramLabel = "FILE",
        description = "More precisions: a YAML file like conf/precisions.yaml.")
    private Path precisions;

    /**
     * @param asked precisions to make rows for; nothing: those evaluated
     */
    Dataset<Row> rows(SparkSession spark, Optional<List<String>> asked) throws IOException {
      if (tables.isEmpty() == (features == null)) {
        throw new InvalidInputException(
            "found %s, expected --tables or --features"
                .formatted(features == null ? "neither" : "both"));
      }
      if (features != null) {
        Dataset<Row> rows = FeatureTable.read(spark, features);
        return asked.isPresent()
            ? rows.filter(rows.col("precision").isin(asked.get().toArray()))
            : rows;
      }
      Precisions known =
          precisions == null ? Precisions.packaged() : Precisions.packagedAnd(precisions);
      Dataset<Row> all = null;
      for (String folder : tables) {
        Dataset<Row> of = FeatureTable.of(spark, folder, baseline, asked, known::named, System.err);
        all = all == null ? of : all.unionByName(of, true);
      }
      return all;
    }
  }

  /** A predictor's folder. */
  static final class Saved {
    @Option(
        names = "--predictor",
        required = true,
        paramLabel = "DIR",
        description = "Folder that fit writes: MLlib's forest and what belongs to it.")
    private String folder;
  }

  /** {@code predict.sh grid}. */
  @Command(
      name = "grid",
      description = {
        "Makes rows to learn from: trains recipes as study.sh does, evaluates and analyses all of",
        "their checkpoints, loss landscapes included, and writes a row a checkpoint and precision.",
        "Interrupted, the same command goes on with what is not there yet."
      },
      mixinStandardHelpOptions = true,
      sortOptions = false)
  static final class Grid implements Callable<Integer> {
    @Mixin private RecipeGrid grid;

    @Option(
        names = "--features",
        required = true,
        paramLabel = "FILE",
        description = "The file (CSV) of the rows.")
    private Path features;

    @Override
    public Integer call() throws IOException {
      Suite suite = grid.suite();
      // Further on than they were trained, models show what nobody asks of them.
      int length = grid.recipes().stream().mapToInt(Recipe::sequenceLength).min().orElseThrow();
      Map<String, Precision> precisions = new HashMap<>();
      suite.precisions().forEach(precision -> precisions.put(precision.name(), precision));
      String output = grid.output().toString();
      try (SparkSession spark = session()) {
        int exitCode = grid.evaluate(spark, suite, System.err).exitCode();
        Analyses.Outcome analysed =
            new Analyses(
                    JavaSparkContext.fromSparkContext(spark.sparkContext()),
                    output,
                    false,
                    length,
                    System.err)
                .run(suite, suite.comparedPrecisions());
        Dataset<Row> rows =
            FeatureTable.of(
                spark, output, suite.baseline(), Optional.empty(), precisions::get, System.err);
        Features.write(rows, features);
        return exitCode == ExitCode.DONE && !analysed.refusals().isEmpty()
            ? ExitCode.CELLS_FAILED
            : exitCode;
      }
    }
  }

  /** {@code predict.sh features}. */
  @Command(
      name = "features",
      description = "Tables → a CSV file with a row a checkpoint and precision.",
      mixinStandardHelpOptions = true,
      sortOptions = false)
  static final class Features implements Callable<Integer> {
    @Mixin private Source source;

    @Option(names = "--output", required = true, paramLabel = "FILE", description = "The file.")
    private Path output;

    @Override
    public Integer call() throws IOException {
      try (SparkSession spark = session()) {
        write(source.rows(spark, Optional.empty()), output);
      }
      return ExitCode.DONE;
    }

    /** A file that appears whole. */
    static void write(Dataset<Row> rows, Path file) throws IOException {
      Path unfinished = file.resolveSibling(file.getFileName() + ".unfinished");
      try (PrintStream out =
          new PrintStream(Files.newOutputStream(unfinished), false, StandardCharsets.UTF_8)) {
        FeatureTable.write(rows, out);
      }
      Files.move(unfinished, file, StandardCopyOption.REPLACE_EXISTING);
      System.err.println("features: " + file);
    }
  }

  /** {@code predict.sh fit}. */
  @Command(
      name = "fit",
      description = "Learns from rows whose cost is known, and says how well it predicts.",
      mixinStandardHelpOptions = true,
      sortOptions = false)
  static final class Fit implements Callable<Integer> {
    @Mixin private Source source;

    @Option(
        names = "--target",
        defaultValue = "nll_increase",
        paramLabel = "T",
        description = {
          "What to predict: rel_pct (mean change of accuracy, %), nll_increase (nats a token) or kl",
          "(nats a token). Default: ${DEFAULT-VALUE}."
        })
    private String target;

    @Option(
        names = "--seed",
        defaultValue = "1",
        paramLabel = "N",
        description = "Of the forest. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(
        names = "--without",
        split = ",",
        paramLabel = "PREFIX",
        description = {
          "Learns without the features whose names begin so, e.g. all_ for the loss landscape's, to",
          "see what they are worth."
        })
    private List<String> without = List.of();

    @Mixin private Saved saved;

    @Override
    public Integer call() throws IOException {
      if (!FeatureTable.TARGETS.contains(target)) {
        throw new InvalidInputException(
            "--target: found '%s', expected one of %s"
                .formatted(target, String.join(", ", FeatureTable.TARGETS)));
      }
      try (SparkSession spark = session()) {
        Predictor fitted =
            Predictor.fit(
                FeatureTable.without(source.rows(spark, Optional.empty()), without).cache(),
                target,
                seed,
                Machine.commit(),
                System.err);
        fitted.save(spark, saved.folder);
        try (PrintStream out = Report.stdout()) {
          out.print(accuracies(fitted.facts()));
        }
      }
      System.err.println("predictor: " + saved.folder);
      return ExitCode.DONE;
    }
  }

  /** {@code predict.sh predict}. */
  @Command(
      name = "predict",
      description =
          "Predicts what precisions cost checkpoints that were evaluated at the baseline.",
      mixinStandardHelpOptions = true,
      sortOptions = false)
  static final class OfTables implements Callable<Integer> {
    @Mixin private Source source;

    @Mixin private Saved saved;

    @Option(
        names = "--precision",
        split = ",",
        arity = "1..*",
        paramLabel = "P",
        description = "Precisions to predict. Default: those it learnt from.")
    private List<String> asked = List.of();

    @Override
    public Integer call() throws IOException {
      List<Predictor.Prediction> predictions;
      Predictor loaded;
      try (SparkSession spark = session()) {
        loaded = Predictor.load(spark, saved.folder);
        List<String> precisions = asked.isEmpty() ? loaded.facts().precisions() : asked;
        predictions = loaded.predict(source.rows(spark, Optional.of(precisions)));
      }
      List<String[]> rows = new ArrayList<>();
      for (Predictor.Prediction each : predictions) {
        rows.add(
            new String[] {
              each.model(),
              Long.toString(each.step()),
              each.precision(),
              number(each.predicted()),
              number(each.low()),
              number(each.high()),
              number(each.distance()),
              each.refusal() == null ? "" : "refused: " + each.refusal()
            });
      }
      String[] header = {
        "model", "step", "precision", loaded.facts().target(), "low", "high", "distance", ""
      };
      try (PrintStream out = Report.stdout()) {
        out.print(TextTable.of(header, rows));
      }
      return predictions.stream().allMatch(each -> each.refusal() == null)
          ? ExitCode.DONE
          : ExitCode.CELLS_FAILED;
    }
  }

  /** {@code predict.sh explain}. */
  @Command(
      name = "explain",
      description =
          "What a predictor learnt from, how well it predicts, and which features it uses.",
      mixinStandardHelpOptions = true,
      sortOptions = false)
  static final class Explain implements Callable<Integer> {
    @Mixin private Saved saved;

    @Override
    public Integer call() throws IOException {
      Predictor loaded;
      Map<String, Double> importances;
      try (SparkSession spark = session()) {
        loaded = Predictor.load(spark, saved.folder);
        importances = loaded.importances();
      }
      Predictor.Facts facts = loaded.facts();
      List<String[]> rows = new ArrayList<>();
      importances.forEach(
          (feature, share) -> {
            if (share > 0) {
              rows.add(new String[] {feature, number(share)});
            }
          });
      try (PrintStream out = Report.stdout()) {
        out.printf(
            "%s of %s rows: %s models (%s), precisions %s, seed %s, code %s%n%n",
            facts.target(),
            facts.rows().length,
            facts.models().size(),
            String.join(", ", facts.families()),
            String.join(", ", facts.precisions()),
            facts.seed(),
            facts.codeVersion());
        out.println(accuracies(facts));
        out.print(TextTable.of(new String[] {"feature", "importance"}, rows));
      }
      return ExitCode.DONE;
    }
  }

  private static String accuracies(Predictor.Facts facts) {
    List<String[]> rows = new ArrayList<>();
    for (Predictor.Accuracy each : facts.accuracies()) {
      rows.add(
          new String[] {
            each.method(),
            number(each.r2()),
            number(each.mae()),
            each.formula() == null ? "" : each.formula()
          });
    }
    return TextTable.of(
            new String[] {
              "each model from the others", "R2", "mean absolute error", "fitted to all"
            },
            rows)
        + String.format(
            Locale.ROOT, "90 %% intervals hold %.1f %% of the rows%n", 100 * facts.coverage());
  }

  private static String number(Double value) {
    return value == null || value.isNaN() ? "-" : String.format(Locale.ROOT, "%.4g", value);
  }
}
