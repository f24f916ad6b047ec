package org.cliffwatch.jobs.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.RowFile;
import org.cliffwatch.jobs.table.RunRow;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.cli.Machine;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.tasks.item.Item;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * {@code bench.sh spark}: documents a second of {@code evaluate.sh}, a process with {@code
 * local[threads]}, beside the scorer alone, in alternating repetitions.
 */
@Command(
    name = "spark",
    description = {
      "Documents a second of evaluate.sh beside the scorer alone, in alternating repetitions, and",
      "the share of a run's thread time that is not scoring: planning, loading, Spark, tables."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false)
public final class SparkBench implements Callable<Integer> {
  @Mixin private Measurement measurement;

  @Option(names = "--precision", defaultValue = "w8a8", description = "Default: ${DEFAULT-VALUE}.")
  private String precision;

  @Option(names = "--threads", description = "Threads; all cores by default.")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Spec private CommandSpec spec;

  /**
   * @param command seconds on the wall, with the start of Java and Spark
   * @param run seconds from the run's start to its end, as the table {@code runs} has them
   * @param scoring thread seconds inside the scorer
   */
  private record Evaluated(double command, double run, double scoring) {}

  @Override
  public Integer call() throws IOException, InterruptedException {
    List<Item> items = measurement.items();
    Backend backend = Backends.open(Backends.AUTO);
    List<Double> alone = new ArrayList<>();
    List<Evaluated> evaluated = new ArrayList<>();
    for (int r = 0; r < measurement.repeat(); r++) {
      try (ScoringRun run =
          new ScoringRun(
              measurement.checkpoint(), Precisions.packaged().named(precision), backend)) {
        run.warmUp(items, threads);
        alone.add(run.time(items, threads).seconds());
      }
      evaluated.add(evaluate());
      spec.commandLine()
          .getErr()
          .printf(
              Locale.ROOT,
              "repetition %d: scorer alone %.2f s, evaluate.sh %.2f s%n",
              r + 1,
              alone.get(r),
              evaluated.get(r).run());
    }
    print(items.size(), alone, evaluated);
    return 0;
  }

  private Evaluated evaluate() throws IOException, InterruptedException {
    String home = System.getenv("CLIFFWATCH_HOME");
    if (home == null) {
      throw new InvalidInputException("CLIFFWATCH_HOME: not set, expected the project's folder");
    }
    Path output = Files.createTempDirectory("cliffwatch-bench");
    try {
      Instant start = Instant.now();
      Process process =
          new ProcessBuilder(
                  home + "/submit/evaluate.sh",
                  "--checkpoint",
                  measurement.checkpoint().toString(),
                  "--precision",
                  precision,
                  "--task",
                  measurement.task().name() + "=" + measurement.task().data(),
                  "--limit",
                  Integer.toString(measurement.limit()),
                  "--output",
                  output.toString(),
                  "--master",
                  "local[" + threads + "]")
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      int exit = process.waitFor();
      double command = seconds(start, Instant.now());
      if (exit != 0) {
        throw new InvalidInputException(
            "evaluate.sh ended with exit code "
                + exit
                + "; try it alone: "
                + measurement.checkpoint());
      }
      Configuration configuration = new Configuration();
      Tables tables = new Tables(new org.apache.hadoop.fs.Path(output.toString()), configuration);
      RunRow run = run(output, configuration);
      StoredCell cell = tables.storedCells().get(0);
      MetricRow metric = tables.metrics(cell.slice().model()).read(Tables.METRICS).get(0);
      return new Evaluated(
          command,
          seconds(Instant.parse(run.started()), Instant.parse(run.finished())),
          metric.items() / metric.itemsPerSecond());
    } finally {
      delete(output);
    }
  }

  private static RunRow run(Path output, Configuration configuration) throws IOException {
    try (Stream<Path> files = Files.walk(output.resolve("runs"))) {
      Path file = files.filter(f -> f.toString().endsWith(".parquet")).findFirst().orElseThrow();
      return new RowFile(new org.apache.hadoop.fs.Path(file.toString()), configuration)
          .read(Tables.RUNS)
          .get(0);
    }
  }

  private static double seconds(Instant from, Instant to) {
    return Duration.between(from, to).toNanos() / 1e9;
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      files.sorted(Comparator.reverseOrder()).forEach(SparkBench::deleteOne);
    }
  }

  private static void deleteOne(Path file) {
    try {
      Files.delete(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void print(int documents, List<Double> alone, List<Evaluated> evaluated)
      throws IOException {
    Map<String, Object> results = new LinkedHashMap<>(Machine.facts());
    results.put("task", measurement.task().name());
    results.put("precision", precision);
    results.put("documents", documents);
    results.put("threads", threads);
    results.put("repetitions", measurement.repeat());
    results.put("scorer_documents_per_second", documents / Measurement.median(alone.stream()));
    results.put(
        "run_documents_per_second",
        documents / Measurement.median(evaluated.stream().map(Evaluated::run)));
    results.put(
        "command_documents_per_second",
        documents / Measurement.median(evaluated.stream().map(Evaluated::command)));
    results.put(
        "share_outside_scoring",
        Measurement.median(evaluated.stream().map(e -> 1 - e.scoring() / (threads * e.run()))));
    var out = spec.commandLine().getOut();
    results.forEach(
        (key, value) ->
            out.println(
                key.replace('_', ' ')
                    + ": "
                    + (value instanceof Double number
                        ? String.format(Locale.ROOT, "%.3f", number)
                        : value)));
    out.flush();
    measurement.write(results);
  }
}
