package org.cliffwatch.jobs.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.commons.math3.stat.descriptive.rank.Median;
import org.cliffwatch.tasks.item.Item;
import picocli.CommandLine.Option;

/**
 * What is measured, how often, and where the result goes: the options of every bench of scoring.
 */
final class Measurement {
  @Option(names = "--checkpoint", required = true, description = "Hugging Face folder or .gguf.")
  private Path checkpoint;

  @Option(
      names = "--task",
      required = true,
      paramLabel = "NAME=DATA",
      converter = BenchTask.Converter.class,
      description = "A task and its file or folder.")
  private BenchTask task;

  @Option(names = "--limit", defaultValue = "400", description = "Default: ${DEFAULT-VALUE}.")
  private int limit;

  @Option(names = "--repeat", defaultValue = "3", description = "Default: ${DEFAULT-VALUE}.")
  private int repeat;

  @Option(names = "--json", paramLabel = "FILE", description = "Also writes the results here.")
  private Path json;

  Path checkpoint() {
    return checkpoint;
  }

  BenchTask task() {
    return task;
  }

  /** Documents at most. */
  int limit() {
    return limit;
  }

  /** Repetitions. */
  int repeat() {
    return repeat;
  }

  List<Item> items() {
    return task.items(limit);
  }

  /** NaN of nothing. */
  static double median(Stream<Double> values) {
    return new Median().evaluate(values.mapToDouble(Double::doubleValue).toArray());
  }

  /** Writes the results where they were asked for. */
  void write(Map<String, Object> results) throws IOException {
    if (json != null) {
      Files.writeString(
          json,
          new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(results) + "\n");
    }
  }
}
