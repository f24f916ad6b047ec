package org.cliffwatch.quantizer.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.RandomRows;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.kernel.onednn.BareProduct;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Each linear shape of a checkpoint, ours beside oneDNN's bare product. */
@Command(
    name = "layers",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "The linear layers of a checkpoint, a line a shape and precision: the rate of the whole layer"
          + " (inputs packed or quantized, tiles, scales and bias, Java arrays on both sides) beside"
          + " the library's bare product of the same rows in one call. Layers that share an input"
          + " (query, key and value; gate and up) run together, as they do in the model. The last"
          + " line of a precision is all layers of the checkpoint. One thread.",
      "",
      "Ours and bare alternate; each rate is of the fastest repetition, which another process did"
          + " not interrupt. Weights are random.",
      ""
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:done", "3:bad usage or input", "5:internal error"})
public final class LayersBench implements Callable<Integer> {
  @Option(
      names = "--checkpoint",
      required = true,
      paramLabel = "C",
      description = "Hugging Face folder or .gguf file")
  private Path checkpoint;

  @Option(
      names = "--precision",
      split = ",",
      arity = "1..*",
      paramLabel = "P",
      description = "rows of conf/precisions.yaml (default: w8a8 bf16 fp32)")
  private List<String> precisions = List.of("w8a8", "bf16", "fp32");

  @Option(
      names = "--rows",
      paramLabel = "N",
      description = "tokens multiplied at once (default: 768)")
  private int rows = 768;

  @Option(
      names = "--repetitions",
      paramLabel = "N",
      description = "of each, about 5 ms long (default: 60)")
  private int repetitions = 60;

  @Option(
      names = "--format",
      defaultValue = "text",
      paramLabel = "F",
      description = "text or json (default: text)")
  private Format format;

  enum Format {
    TEXT,
    JSON
  }

  /**
   * Layers that share an input.
   *
   * @param outputs of each
   */
  private record Shape(int inputs, List<Integer> outputs) {
    static Shape of(List<Inventory.Matrix> layer) {
      return new Shape(
          Math.toIntExact(layer.get(0).columns()),
          layer.stream().map(matrix -> Math.toIntExact(matrix.rows())).toList());
    }

    double operations(int rows) {
      return 2.0 * rows * inputs * outputs.stream().mapToInt(Integer::intValue).sum();
    }

    @Override
    public String toString() {
      return outputs.stream().map(String::valueOf).collect(Collectors.joining("+"));
    }
  }

  /** Seconds of the fastest repetition. */
  private record Timing(double ours, double bare, String routine) {}

  @Override
  public Integer call() throws JsonProcessingException {
    Backend backend = Backends.open("onednn");
    Map<Shape, Integer> shapes = shapes();
    List<Map<String, Object>> lines = new ArrayList<>();
    for (String name : precisions) {
      Precision precision = Precisions.packaged().named(name);
      double operations = 0;
      double ours = 0;
      double bare = 0;
      for (Map.Entry<Shape, Integer> entry : shapes.entrySet()) {
        Shape shape = entry.getKey();
        int layers = entry.getValue();
        Timing timing = measure(backend, precision, shape);
        String inputs = String.valueOf(shape.inputs);
        lines.add(line(name, inputs, shape.toString(), layers, shape.operations(rows), timing));
        operations += layers * shape.operations(rows);
        ours += layers * timing.ours;
        bare += layers * timing.bare;
      }
      int layers = shapes.values().stream().mapToInt(Integer::intValue).sum();
      lines.add(line(name, "all", "", layers, operations, new Timing(ours, bare, "")));
    }
    print(backend, lines);
    return Launcher.DONE;
  }

  /** The shapes in the order of the model, and how many layers have them. */
  private Map<Shape, Integer> shapes() {
    try (Checkpoint opened = Checkpoint.open(checkpoint)) {
      Map<Shape, Integer> shapes = new LinkedHashMap<>();
      for (List<Inventory.Matrix> layer : Inventory.of(opened).layers()) {
        shapes.merge(Shape.of(layer), 1, Integer::sum);
      }
      return shapes;
    }
  }

  private Timing measure(Backend backend, Precision precision, Shape shape) {
    SplittableRandom random = new SplittableRandom(1);
    float[] x = normals(random, rows * shape.inputs, precision);
    List<Projection> projections = new ArrayList<>();
    List<BareProduct> products = new ArrayList<>();
    float[][] y = new float[shape.outputs.size()][];
    for (int outputs : shape.outputs) {
      WeightRows weight = new RandomRows(outputs, shape.inputs);
      y[projections.size()] = new float[rows * outputs];
      projections.add(new Projection(weight, new float[outputs]));
      products.add(new BareProduct(weight, precision, rows));
    }
    double ours = Double.MAX_VALUE;
    double bare = Double.MAX_VALUE;
    try (Linear linear = backend.linear(projections, precision)) {
      for (int repetition = 0; repetition < repetitions; repetition++) {
        ours = Math.min(ours, seconds(() -> linear.apply(x, rows, y)));
        bare = Math.min(bare, seconds(() -> products.forEach(BareProduct::multiply)));
      }
      return new Timing(ours, bare, products.get(0).implementation());
    } finally {
      products.forEach(BareProduct::close);
    }
  }

  private static Map<String, Object> line(
      String precision,
      String inputs,
      String outputs,
      int layers,
      double operations,
      Timing timing) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("precision", precision);
    line.put("inputs", inputs);
    line.put("outputs", outputs);
    line.put("layers", layers);
    line.put("layer_gops", Math.round(operations / timing.ours / 1e8) / 10.0);
    line.put("bare_gops", Math.round(operations / timing.bare / 1e8) / 10.0);
    line.put("ratio", Math.round(1000 * timing.bare / timing.ours) / 1000.0);
    line.put("routine", timing.routine);
    return line;
  }

  /** Seconds a call, over calls that take about 5 ms. */
  private static double seconds(Runnable call) {
    long start = System.nanoTime();
    int calls = 0;
    long elapsed;
    do {
      call.run();
      calls++;
      elapsed = System.nanoTime() - start;
    } while (elapsed < 5_000_000);
    return elapsed / 1e9 / calls;
  }

  private static float[] normals(SplittableRandom random, int n, Precision precision) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = precision.compute().round((float) random.nextGaussian());
    }
    return values;
  }

  private void print(Backend backend, List<Map<String, Object>> lines)
      throws JsonProcessingException {
    Map<String, Object> report = new LinkedHashMap<>(Machine.facts());
    report.put("kernel", backend.kernel());
    report.put("checkpoint", checkpoint.toString());
    report.put("rows", rows);
    if (format == Format.JSON) {
      report.put("layers", lines);
      ObjectMapper mapper = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
      System.out.println(mapper.writeValueAsString(report));
      return;
    }
    report.forEach((name, value) -> System.out.println(name + ": " + value));
    String columns = "%-10s %7s %11s %7s %11s %10s %6s  %s%n";
    System.out.printf(
        Locale.ROOT,
        columns,
        "precision",
        "inputs",
        "outputs",
        "layers",
        "layer Gop/s",
        "bare Gop/s",
        "ratio",
        "routine");
    for (Map<String, Object> line : lines) {
      System.out.printf(Locale.ROOT, columns, line.values().toArray());
    }
  }
}
