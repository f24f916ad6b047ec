package org.cliffwatch.jobs.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.cliffwatch.quantizer.cli.Machine;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.Stage;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.tasks.item.Item;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * {@code bench.sh score}: documents a second and where the time goes, in alternating repetitions of
 * one run. All answers of a precision must be the same bits in every repetition.
 */
@Command(
    name = "score",
    description = {
      "Documents a second of a checkpoint, by precision and threads, with a breakdown of the time."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false)
public sealed class ScoreBench implements Callable<Integer> permits PeersBench {
  @Mixin private Measurement measurement;

  @Option(
      names = "--precision",
      split = ",",
      defaultValue = "fp32,bf16,w8a8,w8a8-bf16",
      description = "Default: ${DEFAULT-VALUE}.")
  private List<String> precisions;

  @Option(
      names = "--threads",
      split = ",",
      description = "1,2 shows what the second gives. Default: all cores.")
  private List<Integer> threadCounts = List.of(Runtime.getRuntime().availableProcessors());

  @Spec private CommandSpec spec;

  private record Measured(String system, int threads) {}

  /**
   * @param tokensPerSecond that went through the layers, a shared prefix once; by repetition, empty
   *     for a peer
   * @param bareRate the time that bare products take, of the time spent in products; by repetition,
   *     empty where the backend is not oneDNN
   * @param breakdown the last repetition's shares of thread time, by stage
   */
  private record Result(
      String system,
      int threads,
      List<Double> documentsPerSecond,
      List<Double> tokensPerSecond,
      List<Double> bareRate,
      Map<String, Double> breakdown) {
    double median() {
      return Measurement.median(documentsPerSecond.stream());
    }
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (threadCounts.stream().anyMatch(threads -> threads < 1)) {
      throw new ParameterException(
          spec.commandLine(), "--threads: found " + threadCounts + ", expected 1 or more");
    }
    List<Item> items = measurement.items();
    Backend backend = Backends.open(Backends.AUTO);
    BareProducts bare =
        backend.name().equals("onednn") ? BareProducts.of(measurement.checkpoint()) : null;
    Map<Measured, Result> results = new LinkedHashMap<>();
    Map<String, List<double[]>> answers = new LinkedHashMap<>();
    for (int r = 1; r <= measurement.repeat(); r++) {
      for (int threads : threadCounts) {
        for (String name : precisions) {
          Precision precision = Precisions.packaged().named(name);
          try (ScoringRun run = new ScoringRun(measurement.checkpoint(), precision, backend)) {
            run.warmUp(items, threads);
            ScoringRun.Timing timing = run.time(items, threads);
            requireSame(name, answers.putIfAbsent(name, timing.logLikelihoods()), timing);
            double rate = items.size() / timing.seconds();
            Result result = add(results, r, ours(name), threads, rate, breakdown(timing));
            result.tokensPerSecond().add(timing.rows() / timing.seconds());
            if (bare != null) {
              double seconds = bare.seconds(precision, timing.rows(), timing.scoredRows(), threads);
              result.bareRate().add(seconds / timing.products());
            }
          }
        }
        for (String peer : peers()) {
          Workload workload =
              new Workload(
                  measurement.checkpoint(), measurement.task().name(), items.size(), threads);
          add(results, r, peer, threads, documentsPerSecond(peer, workload), Map.of());
        }
      }
    }
    print(results, items.size(), backend.kernel());
    return 0;
  }

  private static String ours(String precision) {
    return "cliffwatch " + precision;
  }

  private Result add(
      Map<Measured, Result> results,
      int repetition,
      String system,
      int threads,
      double rate,
      Map<String, Double> breakdown) {
    Measured what = new Measured(system, threads);
    Result old = results.get(what);
    List<Double> rates = old == null ? new ArrayList<>() : old.documentsPerSecond();
    List<Double> tokenRates = old == null ? new ArrayList<>() : old.tokensPerSecond();
    List<Double> bareRate = old == null ? new ArrayList<>() : old.bareRate();
    rates.add(rate);
    Result result = new Result(system, threads, rates, tokenRates, bareRate, breakdown);
    results.put(what, result);
    spec.commandLine()
        .getErr()
        .printf(
            Locale.ROOT,
            "repetition %d: %s, threads %d: %.2f documents/s%n",
            repetition,
            system,
            threads,
            rate);
    return result;
  }

  private static void requireSame(
      String precision, List<double[]> first, ScoringRun.Timing timing) {
    for (int i = 0; first != null && i < first.size(); i++) {
      if (!Arrays.equals(first.get(i), timing.logLikelihoods().get(i))) {
        throw new IllegalStateException(
            precision + ": item " + i + " scored other bits in another repetition");
      }
    }
  }

  private static Map<String, Double> breakdown(ScoringRun.Timing timing) {
    Map<String, Double> shares = new LinkedHashMap<>();
    for (Stage stage : Stage.values()) {
      shares.put(stage.spelled(), timing.stages().get(stage) / timing.threadSeconds());
    }
    return shares;
  }

  /** What a peer is asked to score. */
  record Workload(Path checkpoint, String task, int documents, int threads) {}

  /** Other programs to time in each repetition, and to give ratios against. */
  List<String> peers() {
    return List.of();
  }

  double documentsPerSecond(String peer, Workload workload)
      throws IOException, InterruptedException {
    throw new IllegalArgumentException(peer);
  }

  private void print(Map<Measured, Result> results, int documents, String kernel)
      throws IOException {
    var out = spec.commandLine().getOut();
    Map<String, Object> machine = Machine.facts();
    machine.forEach((key, value) -> out.println(key + ": " + value));
    out.printf(
        Locale.ROOT,
        "kernel: %s%n%s, %d documents, medians of %d alternating repetitions%n%n",
        kernel,
        measurement.task().name(),
        documents,
        measurement.repeat());
    out.printf("%-24s %7s %12s %9s", "system", "threads", "documents/s", "tokens/s");
    int first = threadCounts.get(0);
    boolean scaling = threadCounts.size() > 1;
    if (scaling) {
      out.printf(" %12s", "× threads " + first);
    }
    for (String peer : peers()) {
      out.printf(" %20s", "× " + peer);
    }
    out.println();
    for (Result result : results.values()) {
      out.printf(
          Locale.ROOT, "%-24s %7d %12.2f", result.system(), result.threads(), result.median());
      boolean ours = !result.tokensPerSecond().isEmpty();
      double tokens = Measurement.median(result.tokensPerSecond().stream());
      out.printf(Locale.ROOT, " %9s", ours ? Math.round(tokens) : "");
      if (scaling) {
        Result alone = results.get(new Measured(result.system(), first));
        out.printf(Locale.ROOT, " %12.2f", result.median() / alone.median());
      }
      for (String peer : peers()) {
        Result rival = results.get(new Measured(peer, result.threads()));
        out.printf(Locale.ROOT, " %20.2f", result.median() / rival.median());
      }
      out.println();
    }
    out.printf("%n%-24s %7s", "share of thread time", "threads");
    for (Stage stage : Stage.values()) {
      out.printf(" %12s", stage.spelled());
    }
    out.printf(" %15s", "× bare products");
    out.println();
    for (Result result : results.values()) {
      if (!result.breakdown().isEmpty()) {
        out.printf(Locale.ROOT, "%-24s %7d", result.system(), result.threads());
        result.breakdown().values().forEach(v -> out.printf(Locale.ROOT, " %11.1f%%", 100 * v));
        out.printf(Locale.ROOT, " %15.2f", Measurement.median(result.bareRate().stream()));
        out.println();
      }
    }
    out.flush();
    Map<String, Object> all = new LinkedHashMap<>(machine);
    all.put("kernel", kernel);
    all.put("task", measurement.task().name());
    all.put("documents", documents);
    all.put("results", results.values());
    measurement.write(all);
  }
}
