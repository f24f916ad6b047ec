package org.cliffwatch.jobs.run;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.cliffwatch.jobs.executor.LocalCheckpoints;
import org.cliffwatch.jobs.plan.Cell;
import org.cliffwatch.jobs.plan.Costs;
import org.cliffwatch.jobs.plan.Estimate;
import org.cliffwatch.jobs.plan.FingerprintedCheckpoint;
import org.cliffwatch.jobs.plan.Plan;
import org.cliffwatch.jobs.plan.Recipe;
import org.cliffwatch.jobs.table.StorageException;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.calibration.CheckpointCalibration;
import org.cliffwatch.quantizer.calibration.CheckpointCalibration.TextPart;
import org.cliffwatch.quantizer.calibration.FindingsFile;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.scheme.Calibration;
import org.cliffwatch.quantizer.scheme.Findings;
import org.cliffwatch.quantizer.scheme.InputStatistics;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Tuple2;

/**
 * Checkpoints × precisions that look at text → files of what they find in it, in the output's
 * folder {@code calibration/} by the hash of all that they depend on: what is there is not made
 * again.
 *
 * <p>One Spark task a checkpoint and pass: precisions that can share one do ({@link
 * org.cliffwatch.quantizer.model.Calibrator}). Each costs about samples · length tokens of scoring
 * in float32 a pass, and one file a precision; nothing of it passes the driver. Where executors
 * would be left idle, the samples of a pass that {@linkplain CheckpointCalibration#isDivisible can
 * be divided} are, a task a part, and a shuffle brings what they saw to the task that joins it: a
 * float an input of every layer. On the heap a pass keeps what the Calibrator says; where that is
 * too much, its precisions fail and the others go on.
 */
final class Calibrations {
  private static final Logger LOG = LoggerFactory.getLogger(Calibrations.class);

  private final JavaSparkContext spark;
  private final Plan plan;
  private final String output;
  private final Tables tables;

  Calibrations(JavaSparkContext spark, Plan plan, String output) {
    this.spark = spark;
    this.plan = plan;
    this.output = output;
    this.tables = new Tables(new Path(output), spark.hadoopConfiguration());
  }

  /**
   * Precisions of a checkpoint that go through it together.
   *
   * @param text they are calibrated with
   */
  private record Pass(
      FingerprintedCheckpoint checkpoint, HashedText text, List<Precision> precisions)
      implements Serializable {
    private static final long serialVersionUID = 1L;

    /** Of the samples, at most. */
    double tokens() {
      Calibration calibration = Calibration.of(precisions.get(0));
      int samples = calibration.samples() == null ? Calibration.MOST : calibration.samples();
      return (double) samples * calibration.length();
    }

    /** How often those go through the checkpoint, about. */
    double walks() {
      double walks = Schemes.sharesPass(precisions.get(0)) ? 1 : 0;
      for (Precision precision : precisions) {
        walks += Schemes.of(precision).calibrationWalks(precision);
      }
      return walks;
    }
  }

  /**
   * Makes what is missing for cells.
   *
   * @return why what could not be made was not, by its key
   */
  Map<String, String> make(List<Cell> cells, Progress progress) {
    List<Pass> passes = passes(cells);
    if (passes.isEmpty()) {
      return Map.of();
    }
    int precisions = passes.stream().mapToInt(pass -> pass.precisions().size()).sum();
    int parts = Scoring.executorsAPass(spark, passes.size());
    List<Pass> whole = passes.stream().filter(pass -> parts(pass, parts) == 1).toList();
    List<Pass> divided = passes.stream().filter(pass -> parts(pass, parts) > 1).toList();
    progress.line(
        "calibrating %s precision%s in %s pass%s over checkpoints%s"
            .formatted(
                precisions,
                precisions == 1 ? "" : "s",
                passes.size(),
                passes.size() == 1 ? "" : "es",
                divided.isEmpty()
                    ? ""
                    : ", %s of them in %s parts".formatted(divided.size(), parts)));
    spark.sc().setJobDescription("calibration");
    Map<String, String> refusals = new HashMap<>();
    progress.startShare("calibrated", passes.size());
    try (Underway underway = new Underway(spark.sc(), progress)) {
      Task task =
          new Task(
              output,
              plan.kernel(),
              Scoring.threadsAPass(spark, passes.size()),
              underway.counters(),
              spark.broadcast(new SerializableConfiguration(spark.hadoopConfiguration())));
      JavaRDD<Map<String, String>> made =
          spark.parallelize(whole, Math.max(1, whole.size())).map(task::run);
      if (!divided.isEmpty()) {
        made = made.union(divided(task, divided, parts));
      }
      made.collect().forEach(refusals::putAll);
    } finally {
      progress.end();
    }
    return refusals;
  }

  /** Into how many a pass is divided. */
  private static int parts(Pass pass, int parts) {
    return CheckpointCalibration.isDivisible(pass.precisions()) ? parts : 1;
  }

  private JavaRDD<Map<String, String>> divided(Task task, List<Pass> passes, int parts) {
    List<Tuple2<Integer, TextPart>> all = new ArrayList<>();
    for (int p = 0; p < passes.size(); p++) {
      for (int part = 0; part < parts; part++) {
        all.add(new Tuple2<>(p, new TextPart(part, parts)));
      }
    }
    return spark
        .parallelizePairs(all, all.size())
        .mapToPair(each -> new Tuple2<>(each._1(), task.look(passes.get(each._1()), each._2())))
        .groupByKey(passes.size())
        .map(each -> task.join(passes.get(each._1()), each._2()));
  }

  /** What {@link #make} would take. */
  Estimate.Calibration estimate(List<Cell> cells, Costs costs) {
    List<Pass> passes = passes(cells);
    if (passes.isEmpty()) {
      return new Estimate.Calibration(0, 0);
    }
    int threads = Scoring.threadsAPass(spark, passes.size());
    int parts = Scoring.executorsAPass(spark, passes.size());
    double longest = 0;
    double sum = 0;
    for (Pass pass : passes) {
      double seconds = costs.calibration(pass.checkpoint(), pass.tokens() * pass.walks());
      longest = Math.max(longest, seconds / threads / parts(pass, parts));
      sum += seconds;
    }
    double atOnce = Math.max(1, Scoring.slots(spark) / threads) * threads;
    return new Estimate.Calibration(passes.size(), Math.max(longest, sum / atOnce));
  }

  private List<Pass> passes(List<Cell> cells) {
    record Shared(String checkpoint, Calibration calibration, String text, Precision alone) {}
    Map<Shared, Pass> passes = new LinkedHashMap<>();
    Set<String> known = new HashSet<>();
    if (cells.stream().anyMatch(cell -> Schemes.isCalibrated(cell.precision()))) {
      known.addAll(made());
    }
    for (Cell cell : cells) {
      Precision precision = cell.precision();
      if (!Schemes.isCalibrated(precision)) {
        continue;
      }
      FingerprintedCheckpoint checkpoint = cell.checkpoint();
      String key = Recipe.calibrationKey(checkpoint.identity(), precision, plan.kernel());
      if (!known.add(tables.calibration(key).getName())) {
        continue;
      }
      String hash = precision.calibrationText().orElseThrow();
      passes
          .computeIfAbsent(
              new Shared(
                  checkpoint.identity(),
                  Calibration.of(precision),
                  hash,
                  Schemes.sharesPass(precision) ? null : precision),
              of ->
                  new Pass(
                      checkpoint,
                      new HashedText(plan.calibrationTexts().get(hash), hash),
                      new ArrayList<>()))
          .precisions()
          .add(precision);
    }
    return List.copyOf(passes.values());
  }

  /** The names of the files that are there: one listing. */
  private Set<String> made() {
    Path folder = tables.calibration("").getParent();
    try {
      return Arrays.stream(folder.getFileSystem(spark.hadoopConfiguration()).listStatus(folder))
          .map(file -> file.getPath().getName())
          .collect(Collectors.toSet());
    } catch (FileNotFoundException e) {
      return Set.of();
    } catch (IOException e) {
      throw new StorageException("cannot list " + folder, e);
    }
  }

  /**
   * What a part of a pass's text has shown.
   *
   * @param inputs null: nothing, and {@code refusals} say why
   */
  private record Seen(
      int part, SortedMap<String, InputStatistics> inputs, Map<String, String> refusals)
      implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  /** Runs on an executor. */
  private record Task(
      String output,
      String kernel,
      int threads,
      Underway.Counters counters,
      Broadcast<SerializableConfiguration> hadoop)
      implements Serializable {
    private static final long serialVersionUID = 1L;

    /** Why what was not made was not, by its key. */
    Map<String, String> run(Pass pass) {
      return attempt(
          pass,
          calibration ->
              write(pass, calibration.find(threads, share -> counters.scored(0, share))));
    }

    /** What a part of the text shows, or why it shows nothing. */
    Seen look(Pass pass, TextPart part) {
      AtomicReference<SortedMap<String, InputStatistics>> inputs = new AtomicReference<>();
      Map<String, String> refusals =
          attempt(
              pass,
              calibration ->
                  inputs.set(
                      calibration.look(
                          part, threads, share -> counters.scored(0, share / part.of()))));
      return new Seen(part.number(), inputs.get(), refusals);
    }

    /** As {@link #run}, once all of the text was looked at. */
    Map<String, String> join(Pass pass, Iterable<Seen> seen) {
      List<Seen> parts = new ArrayList<>();
      seen.forEach(parts::add);
      parts.sort(Comparator.comparingInt(Seen::part));
      for (Seen part : parts) {
        if (part.inputs() == null) {
          return part.refusals();
        }
      }
      return attempt(
          pass,
          calibration -> write(pass, calibration.join(parts.stream().map(Seen::inputs).toList())));
    }

    /** What is done in a pass. */
    private interface Work {
      void with(CheckpointCalibration calibration) throws IOException;
    }

    /** Why something was not done; empty if it was. */
    private Map<String, String> attempt(Pass pass, Work work) {
      Configuration configuration = hadoop.value().value();
      try (Checkpoint checkpoint =
          new LocalCheckpoints(configuration).open(pass.checkpoint().checkpoint().uri())) {
        work.with(
            new CheckpointCalibration(
                checkpoint,
                pass.precisions(),
                pass.text().read(configuration),
                Backends.openKernel(kernel)));
        return Map.of();
      } catch (IOException | RuntimeException | OutOfMemoryError e) {
        LOG.warn("calibration of {}", pass.checkpoint().checkpoint(), e);
        Map<String, String> refusals = new TreeMap<>();
        for (Precision precision : pass.precisions()) {
          refusals.put(
              Recipe.calibrationKey(pass.checkpoint().identity(), precision, kernel),
              "calibration: "
                  + (e instanceof InvalidInputException ? e.getMessage() : UnitScorer.message(e)));
        }
        return refusals;
      }
    }

    private void write(Pass pass, Map<Precision, Findings> found) throws IOException {
      Tables tables = new Tables(new Path(output), hadoop.value().value());
      for (Map.Entry<Precision, Findings> each : found.entrySet()) {
        String key = Recipe.calibrationKey(pass.checkpoint().identity(), each.getKey(), kernel);
        java.nio.file.Path local = Files.createTempFile("cliffwatch-calibration", ".safetensors");
        try {
          FindingsFile.write(local, each.getValue(), description(pass, each.getKey()));
          tables.upload(local, tables.calibration(key));
        } finally {
          Files.deleteIfExists(local);
        }
      }
    }

    private Map<String, String> description(Pass pass, Precision precision) {
      Map<String, String> description = new TreeMap<>(precision.options());
      description.put("checkpoint", pass.checkpoint().identity());
      description.put("kernel", kernel);
      description.put("scheme", precision.scheme());
      return description;
    }
  }
}
