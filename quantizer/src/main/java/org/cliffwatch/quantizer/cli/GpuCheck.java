package org.cliffwatch.quantizer.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.Constants;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.HostOperations;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.LogitTransform;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.Session;
import org.cliffwatch.quantizer.kernel.Table;
import org.cliffwatch.quantizer.kernel.VocabularyHead;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.kernel.cuda.ProductRates;
import org.cliffwatch.quantizer.model.Decoder;
import org.cliffwatch.quantizer.model.RandomModel;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.score.SpeedRun;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What a GPU is and how fast the {@code cuda} backend is there. */
@Command(
    name = "gpu-check",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Opens the cuda backend, which compiles the kernels and tests that integer products are exact,"
          + " and measures it: linear layers beside cuBLASLt's bare products, and whole models of"
          + " published shapes on documents shaped like HellaSwag's. One JSON object a line, as soon"
          + " as it is known.",
      "",
      "Models have random weights: those of two layers, used again by every second one.",
      ""
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:done", "3:no GPU, or bad usage", "5:internal error"})
public final class GpuCheck implements Callable<Integer> {
  /** Layers with weights of their own: together larger than any second-level cache. */
  private static final int DISTINCT = 2;

  private static final int REPETITIONS = 4;

  enum Step {
    PROBE,
    PRODUCTS,
    MODELS
  }

  @Option(
      names = "--step",
      split = ",",
      paramLabel = "S",
      description = "probe, products, models (default: all)")
  private List<Step> steps = List.of(Step.values());

  @Option(
      names = "--model",
      split = ",",
      paramLabel = "M",
      description = "pythia-1.4b, pythia-6.9b (default: both)")
  private List<String> models =
      Arrays.stream(RandomModel.values()).map(RandomModel::model).toList();

  @Option(
      names = "--precision",
      split = ",",
      paramLabel = "P",
      description = "of models (default: fp16,w8a8-fp16,w8a8,bf16,w8)")
  private List<String> precisions = List.of("fp16", "w8a8-fp16", "w8a8", "bf16", "w8");

  @Option(
      names = "--output",
      paramLabel = "FILE",
      description = "lines are appended to it (default: standard output)")
  private Path output;

  @Option(
      names = "--seconds",
      paramLabel = "N",
      description = "no measurement is begun after so many (default: 240)")
  private int seconds = 240;

  @Option(names = "--documents", paramLabel = "N", description = "a model scores (default: 240)")
  private int documents = 240;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "that share a model, each with a stream of its own (default: 2)")
  private int threads = 2;

  private final ObjectMapper mapper = new ObjectMapper();
  private final long start = System.nanoTime();

  public static void main(String[] arguments) {
    System.exit(Launcher.run(new GpuCheck(), arguments));
  }

  @Override
  public Integer call() {
    Backend backend = Backends.open("cuda");
    Map<String, Object> probe = new LinkedHashMap<>(Machine.facts());
    probe.put("kernel", backend.kernel());
    probe.put("open_seconds", rounded((System.nanoTime() - start) / 1e9, 3));
    write("probe", probe);
    if (steps.contains(Step.PRODUCTS)) {
      products(backend);
    }
    if (steps.contains(Step.MODELS)) {
      for (String model : models) {
        for (String precision : precisions) {
          if (inTime()) {
            model(backend, RandomModel.of(model), Precisions.packaged().named(precision));
          }
        }
      }
    }
    return Launcher.DONE;
  }

  private void products(Backend backend) {
    for (String name : List.of("w8a8-fp16", "fp16", "fp32")) {
      Precision precision = Precisions.packaged().named(name);
      for (int[] shape : new int[][] {{4096, 4096}, {16_384, 4096}, {4096, 16_384}}) {
        if (!inTime()) {
          return;
        }
        ProductRates.Rate rate =
            ProductRates.measure(backend, precision, shape[0], shape[1], backend.batchRows());
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("precision", name);
        line.put("outputs", shape[0]);
        line.put("inputs", shape[1]);
        line.put("rows", backend.batchRows());
        line.put("layer_tops", rounded(rate.layer() / 1e12, 1));
        line.put("bare_tops", rounded(rate.bare() / 1e12, 1));
        write("product", line);
      }
    }
  }

  private void model(Backend backend, RandomModel shape, Precision precision) {
    Backend repeating = new RepeatedLayers(backend, new HashMap<>());
    long loading = System.nanoTime();
    try (Decoder decoder = new Decoder(shape.inventory(), precision, repeating)) {
      double loaded = (System.nanoTime() - loading) / 1e9;
      int vocabulary = decoder.architecture().vocabulary();
      SpeedRun.Speed speed =
          new SpeedRun(documents, vocabulary).measure(decoder, threads, REPETITIONS);
      Map<String, Object> line = new LinkedHashMap<>();
      line.put("model", shape.model());
      line.put("precision", precision.name());
      line.put("threads", threads);
      line.put("documents", speed.documents());
      line.put("tokens", speed.tokens());
      line.put("seconds", rounded(speed.seconds(), 4));
      line.put("tokens_per_second", Math.round(speed.tokens() / speed.seconds()));
      line.put("documents_per_second", rounded(speed.documents() / speed.seconds(), 1));
      line.put("load_seconds", rounded(loaded, 1));
      write("model", line);
    }
  }

  private boolean inTime() {
    return (System.nanoTime() - start) / 1e9 < seconds;
  }

  private static double rounded(double value, int digits) {
    double unit = Math.pow(10, digits);
    return Math.round(value * unit) / unit;
  }

  private void write(String step, Map<String, Object> facts) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("step", step);
    line.putAll(facts);
    try {
      String json = mapper.writeValueAsString(line) + "\n";
      if (output == null) {
        System.out.print(json);
        System.out.flush();
      } else {
        Files.writeString(
            output,
            json,
            StandardCharsets.UTF_8,
            StandardOpenOption.CREATE,
            StandardOpenOption.APPEND);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Gives every {@link #DISTINCT}th layer of a shape the same weights: models load in seconds. */
  private record RepeatedLayers(Backend backend, Map<String, List<Linear>> packed)
      implements Backend {
    @Override
    public String name() {
      return backend.name();
    }

    @Override
    public String kernel() {
      return backend.kernel();
    }

    @Override
    public Linear linear(List<Projection> projections, Precision precision) {
      WeightRows first = projections.get(0).weight();
      String shape = projections.size() + " " + first.rows() + " " + first.columns();
      List<Linear> used = packed.computeIfAbsent(shape, key -> new ArrayList<>());
      Linear linear =
          used.size() < DISTINCT
              ? backend.linear(projections, precision)
              : used.get(used.size() % DISTINCT);
      used.add(linear);
      return linear;
    }

    @Override
    public VocabularyHead head(
        WeightRows weight, float[] bias, FloatType compute, LogitTransform transform) {
      return backend.head(weight, bias, compute, transform);
    }

    @Override
    public HostOperations operations() {
      return backend.operations();
    }

    @Override
    public Constants constants(float[] values) {
      return backend.constants(values);
    }

    @Override
    public Table table(WeightRows rows, FloatType type) {
      return backend.table(rows, type);
    }

    @Override
    public Session session(FloatType compute) {
      return backend.session(compute);
    }

    @Override
    public int batchRows() {
      return backend.batchRows();
    }

    @Override
    public OptionalLong deviceBytes() {
      return backend.deviceBytes();
    }
  }
}
