package org.cliffwatch.jobs.run;

import java.io.IOException;
import java.io.PrintStream;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkStageInfo;
import org.apache.spark.api.java.JavaFutureAction;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.cliffwatch.jobs.executor.LocalCheckpoints;
import org.cliffwatch.jobs.plan.AnalysisPlan;
import org.cliffwatch.jobs.plan.CheckpointAt;
import org.cliffwatch.jobs.plan.FingerprintedCheckpoint;
import org.cliffwatch.jobs.plan.Planner;
import org.cliffwatch.jobs.plan.Recipe;
import org.cliffwatch.jobs.plan.Sha256;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.table.AnalysisRow;
import org.cliffwatch.jobs.table.RowFile;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.analysis.CheckpointAnalysis;
import org.cliffwatch.quantizer.analysis.LossLandscape;
import org.cliffwatch.quantizer.analysis.Quantity;
import org.cliffwatch.quantizer.calibration.CalibrationText;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.scheme.Precision;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Checkpoints → the table {@code analysis}: one Spark task a checkpoint, which writes its file, and
 * another of its landscape. No row passes the driver. What a file was made of is its name: one that
 * is there is not made again.
 *
 * <p>Costs what {@link CheckpointAnalysis} and {@link LossLandscape} cost, a checkpoint, and a
 * file; of one that is there, a look for it.
 */
public final class Analyses {
  private static final Logger LOG = LoggerFactory.getLogger(Analyses.class);

  private static final long BETWEEN_LINES_SECONDS = 10;

  /** Before the key in the name of a file of landscapes. */
  private static final String LANDSCAPE = "landscape-";

  private final JavaSparkContext spark;
  private final String output;
  private final boolean fresh;
  private final int length;
  private final Progress progress;

  /**
   * @param output folder of the tables, any Hadoop URI
   * @param fresh whether what is there is made again
   * @param length tokens of a sample
   * @param log for progress and warnings
   */
  public Analyses(
      JavaSparkContext spark, String output, boolean fresh, int length, PrintStream log) {
    this.spark = spark;
    this.output = output;
    this.fresh = fresh;
    this.length = length;
    this.progress = new Progress(log);
  }

  /**
   * What became of a checkpoint.
   *
   * @param made whether it was analysed now
   * @param refusal why it was not; null where its file is there
   */
  private record Found(CheckpointAt checkpoint, boolean made, String refusal)
      implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  /**
   * Why checkpoints were not analysed.
   *
   * @param analysed now
   * @param reused that were there
   */
  public record Outcome(int analysed, int reused, Map<CheckpointAt, String> refusals) {}

  /**
   * Analyses a suite's checkpoints.
   *
   * @param precisions whose {@link LossLandscape} is looked at too; none: nor is the checkpoint's
   * @throws org.cliffwatch.jobs.suite.SuiteException or either module's InvalidInputException for
   *     what the user must mend
   */
  public Outcome run(Suite suite, List<Precision> precisions) {
    List<Precision> landscape = precisions.stream().filter(LossLandscape::covers).toList();
    precisions.stream()
        .filter(precision -> !landscape.contains(precision))
        .forEach(
            precision ->
                progress.line(
                    "warning: %s: found a precision that is calibrated, its landscape is left out"
                        .formatted(precision.name())));
    AnalysisPlan plan = new Planner(spark, output).analysisPlan(suite);
    plan.warnings().forEach(warning -> progress.line("warning: " + warning));
    Map<CheckpointAt, String> refusals = new LinkedHashMap<>();
    // The largest first, so that none is left alone at the end.
    List<FingerprintedCheckpoint> readable =
        plan.checkpoints().stream()
            .filter(checkpoint -> checkpoint.refusal() == null)
            .sorted(Comparator.comparingLong(FingerprintedCheckpoint::parameters).reversed())
            .toList();
    plan.checkpoints().stream()
        .filter(checkpoint -> checkpoint.refusal() != null)
        .forEach(refused -> refusals.put(refused.checkpoint(), refused.refusal()));
    List<Found> found = found(plan, readable, landscape);
    for (Found each : found) {
      if (each.refusal() != null) {
        refusals.put(each.checkpoint(), each.refusal());
        progress.line("warning: " + each.checkpoint() + ": " + each.refusal());
      }
    }
    int analysed = (int) found.stream().filter(Found::made).count();
    int reused = (int) found.stream().filter(f -> !f.made() && f.refusal() == null).count();
    return new Outcome(analysed, reused, refusals);
  }

  private List<Found> found(
      AnalysisPlan plan, List<FingerprintedCheckpoint> checkpoints, List<Precision> landscape) {
    Task task =
        new Task(
            output,
            plan.kernel(),
            new HashedText(plan.text(), plan.textHash()),
            length,
            landscape,
            plan.suite().seed(),
            fresh,
            Scoring.threadsAPass(spark, checkpoints.size()),
            spark.broadcast(new SerializableConfiguration(spark.hadoopConfiguration())));
    spark.sc().setJobDescription("analysis");
    JavaFutureAction<List<Found>> all =
        spark.parallelize(checkpoints, checkpoints.size()).map(task::run).collectAsync();
    int told = 0;
    while (true) {
      try {
        return all.get(BETWEEN_LINES_SECONDS, TimeUnit.SECONDS);
      } catch (TimeoutException e) {
        int done = done(all);
        if (done > told) {
          progress.line("%s of %s checkpoints".formatted(done, checkpoints.size()));
          told = done;
        }
      } catch (InterruptedException e) {
        all.cancel(true);
        Thread.currentThread().interrupt();
        throw new IllegalStateException(e);
      } catch (ExecutionException e) {
        throw e.getCause() instanceof RuntimeException cause
            ? cause
            : new IllegalStateException(e.getCause());
      }
    }
  }

  private int done(JavaFutureAction<?> action) {
    int done = 0;
    for (int job : action.jobIds()) {
      for (int stage : spark.statusTracker().getJobInfo(job).stageIds()) {
        SparkStageInfo info = spark.statusTracker().getStageInfo(stage);
        done += info == null ? 0 : info.numCompletedTasks();
      }
    }
    return done;
  }

  /** Runs on an executor. */
  private record Task(
      String output,
      String kernel,
      HashedText text,
      int length,
      List<Precision> landscape,
      long seed,
      boolean fresh,
      int threads,
      Broadcast<SerializableConfiguration> hadoop)
      implements Serializable {
    private static final long serialVersionUID = 1L;

    Found run(FingerprintedCheckpoint checkpoint) {
      CheckpointAt at = checkpoint.checkpoint();
      try {
        boolean made =
            isMade(
                checkpoint,
                "",
                key(checkpoint, "analysis", Integer.toString(CheckpointAnalysis.VERSION)),
                (opened, text) ->
                    CheckpointAnalysis.of(
                        opened, text, length, backend(), threads, seed, share -> {}));
        if (!landscape.isEmpty()) {
          made |=
              isMade(
                  checkpoint,
                  LANDSCAPE,
                  key(checkpoint, "landscape", LossLandscape.VERSION + precisions()),
                  (opened, text) ->
                      LossLandscape.of(opened, text, length, landscape, backend(), threads, seed));
        }
        return new Found(at, made, null);
      } catch (InvalidInputException e) {
        return new Found(at, false, e.getMessage());
      } catch (IOException | RuntimeException | OutOfMemoryError e) {
        LOG.warn("analysis of {}", at, e);
        return new Found(at, false, UnitScorer.message(e));
      }
    }

    private Backend backend() {
      return Backends.openKernel(kernel);
    }

    /** Rows name precisions, which their recipes make. */
    private String precisions() {
      return landscape.stream()
          .map(precision -> ", " + precision.name() + " " + Recipe.of(precision))
          .collect(Collectors.joining());
    }

    /** Of all that the rows depend on. */
    private String key(FingerprintedCheckpoint checkpoint, String kind, String version) {
      return Sha256.of(
          "checkpoint",
          checkpoint.identity(),
          "text",
          text.hash(),
          "length",
          Integer.toString(length),
          "kernel",
          kernel,
          "seed",
          Long.toString(seed),
          kind,
          version);
    }

    private interface Analysis {
      List<Quantity> of(Checkpoint checkpoint, CalibrationText text);
    }

    /**
     * Makes a file of rows, unless it is there.
     *
     * @param prefix of its name: one of an older key is superseded
     * @return whether it was made now
     */
    private boolean isMade(
        FingerprintedCheckpoint fingerprinted, String prefix, String key, Analysis analysis)
        throws IOException {
      CheckpointAt at = fingerprinted.checkpoint();
      Configuration configuration = hadoop.value().value();
      Tables tables = new Tables(new Path(output), configuration);
      RowFile file = tables.analysis(at.model(), at.step(), prefix + key);
      if (!fresh && file.exists()) {
        return false;
      }
      List<AnalysisRow> rows;
      try (Checkpoint checkpoint = new LocalCheckpoints(configuration).open(at.uri())) {
        rows =
            analysis.of(checkpoint, text.read(configuration)).stream()
                .map(each -> row(each, fingerprinted))
                .toList();
      }
      List<RowFile> superseded = new ArrayList<>(tables.analyses(at.model(), at.step()));
      superseded.removeIf(
          other ->
              other.path().getName().equals(file.path().getName())
                  || other.path().getName().startsWith(LANDSCAPE) != prefix.equals(LANDSCAPE));
      file.write(tables.staging(), Tables.ANALYSIS, Map.of(), rows, superseded);
      return true;
    }

    private AnalysisRow row(Quantity quantity, FingerprintedCheckpoint checkpoint) {
      return new AnalysisRow(
          quantity.layer(),
          quantity.projection(),
          quantity.quantity(),
          quantity.precision(),
          quantity.value(),
          checkpoint.identity(),
          text.hash(),
          kernel,
          seed);
    }
  }
}
