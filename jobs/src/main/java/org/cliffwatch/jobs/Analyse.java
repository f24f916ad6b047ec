package org.cliffwatch.jobs;

import java.io.IOException;
import java.io.PrintStream;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.present.Report;
import org.cliffwatch.jobs.run.Analyses;
import org.cliffwatch.jobs.sql.Database;
import org.cliffwatch.jobs.sql.ResultFormat;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.quantizer.analysis.LossLandscape;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code analyse.sh}: what in checkpoints may go with degradation. */
@Command(
    name = "analyse.sh",
    description = {
      "Analyses weights, norms and activations of a suite's checkpoints on Spark and writes the table",
      "analysis; the suite's tasks are not used, its precisions only for --landscape. The view causes",
      "of sql.sh has degradation beside it."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "3:bad usage or input; the message names file, place, what was found and what was expected",
      "4:finished, but some checkpoints failed; stderr says why",
      "5:internal error"
    },
    footer = {
      "",
      "submit/analyse.sh also takes --master M, --deploy-mode D, --driver-memory M, --conf KEY=VALUE",
      "and --properties-file FILE, as spark-submit does: submit/clusters.md.",
      "",
      "Example:",
      "  analyse.sh --suite conf/suites/demo.yaml --calibration data/microworld/calibration.jsonl \\",
      "      --output out"
    })
public final class Analyse implements Callable<Integer> {
  /** By checkpoint: means over layers, and the most that one layer has. */
  private static final String SUMMARY =
      """
      SELECT model, step,
        round(avg(value) FILTER (WHERE quantity = 'input_sqnr_db'), 2) AS input_sqnr_db,
        round(avg(value) FILTER (WHERE quantity = 'token_std'
          AND projection = 'query_key_value'), 3) AS token_std,
        round(avg(value) FILTER (WHERE quantity = 'gain_std'), 3) AS gain_std,
        round(avg(value) FILTER (WHERE quantity = 'spectral_norm'
          AND projection = 'query_key_value'), 2) AS spectral_norm,
        round(max(value) FILTER (WHERE quantity = 'input_kurtosis'), 1) AS most_kurtosis,
        round(max(value) FILTER (WHERE quantity = 'input_max_over_median'), 1) AS most_max_over_median,
        CAST(max(value) FILTER (WHERE quantity = 'outliers_6.0') AS int) AS outliers
      FROM analysis GROUP BY model, step ORDER BY model, step
      """;

  /** By checkpoint and precision. */
  private static final String LANDSCAPES =
      """
      SELECT a.model, a.step, a.precision,
        round(first(c.loss), 4) AS loss,
        round(first(c.basin_radius), 3) AS basin_radius,
        round(first(c.gradient_norm), 3) AS gradient_norm,
        round(first(c.hessian_trace), 1) AS hessian_trace,
        round(max(a.value) FILTER (WHERE a.quantity = 'rounding_norm'), 4) AS rounding_norm,
        round(max(a.value) FILTER (WHERE a.quantity = 'rounding_increase_1'), 4)
          AS rounding_increase_1,
        round(max(a.value) FILTER (WHERE a.quantity = 'random_increase'), 4) AS random_increase
      FROM analysis a
      JOIN (
        SELECT model, step,
          max(value) FILTER (WHERE quantity = 'loss') AS loss,
          max(value) FILTER (WHERE quantity = 'basin_radius') AS basin_radius,
          max(value) FILTER (WHERE quantity = 'gradient_norm') AS gradient_norm,
          max(value) FILTER (WHERE quantity = 'hessian_trace') AS hessian_trace
        FROM analysis WHERE projection = 'all' GROUP BY model, step
      ) c USING (model, step)
      WHERE a.precision IS NOT NULL
      GROUP BY a.model, a.step, a.precision
      ORDER BY a.model, a.step, a.precision
      """;

  private static final String WITHOUT_GRADIENT =
      """
      SELECT count(*) FROM (
        SELECT 1 FROM analysis WHERE projection = 'all' GROUP BY model, step
        HAVING count_if(quantity = 'gradient_norm') = 0
      )
      """;

  @Option(
      names = "--suite",
      required = true,
      paramLabel = "FILE",
      description = "Suite (YAML): a file here, or any Hadoop URI.")
  private String suiteFile;

  @Option(
      names = "--output",
      required = true,
      paramLabel = "DIR",
      description = "Folder of the tables: a path or any Hadoop URI.")
  private String output;

  @Mixin private SuiteOptions options;

  @Option(
      names = "--length",
      defaultValue = "512",
      paramLabel = "N",
      description = "Tokens of each of the 20 samples of the text. Default: ${DEFAULT-VALUE}.")
  private int length;

  @Option(
      names = "--landscape",
      description = {
        "Also how the loss grows around each checkpoint's weights: as far as each of the suite's",
        "precisions moves them, along its rounding and elsewhere; 30 passes of scoring, and 7 a precision."
      })
  private boolean landscape;

  @Option(names = "--fresh", description = "Analyses again what is there.")
  private boolean fresh;

  public static void main(String[] arguments) {
    Commands.exit(Commands.run(new Analyse(), arguments));
  }

  @Override
  public Integer call() throws IOException {
    if (length < 2) {
      throw new SuiteException("--length: found " + length + ", expected 2 or more");
    }
    Suite suite = Commands.suite(suiteFile, options.precisions(), options.sets());
    if (landscape && suite.comparedPrecisions().stream().noneMatch(LossLandscape::covers)) {
      throw new SuiteException(
          "--landscape: found no precision beside the baseline that needs no calibration, expected one or more: a landscape is as wide as they move the weights");
    }
    Map<String, String> settings = Database.settings();
    try (SparkSession session = Commands.session("cliffwatch analyse " + suite.name(), settings)) {
      JavaSparkContext spark = JavaSparkContext.fromSparkContext(session.sparkContext());
      Analyses.Outcome outcome =
          new Analyses(spark, output, fresh, length, System.err)
              .run(suite, landscape ? suite.comparedPrecisions() : List.of());
      Database database = new Database(session, System.err);
      database.open(output, Optional.of(SUMMARY));
      try (PrintStream data = Report.stdout()) {
        database.run(SUMMARY, ResultFormat.table, data);
        if (landscape) {
          database.run(LANDSCAPES, ResultFormat.table, data);
        }
      }
      long without = session.sql(WITHOUT_GRADIENT).first().getLong(0);
      if (landscape && without > 0) {
        System.err.println(
            "%s landscapes without gradient and Hessian: the trainer's backward pass is not theirs"
                .formatted(without));
      }
      System.err.println(
          "%s analysed, %s there already, %s failed; table: %s/analysis"
              .formatted(outcome.analysed(), outcome.reused(), outcome.refusals().size(), output));
      return outcome.refusals().isEmpty() ? ExitCode.DONE : ExitCode.CELLS_FAILED;
    }
  }
}
