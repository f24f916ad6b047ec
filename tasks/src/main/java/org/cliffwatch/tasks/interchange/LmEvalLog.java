package org.cliffwatch.tasks.interchange;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.JsonProblem;
import org.cliffwatch.tasks.definition.FewShot;
import org.cliffwatch.tasks.format.RecordFile;
import org.cliffwatch.tasks.format.SourceRecord;
import org.cliffwatch.tasks.item.ItemSet;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.prompt.PythonJson;
import org.cliffwatch.tasks.prompt.PythonText;

/**
 * One run as lm-evaluation-harness logs it: {@code results_DATE.json}, and {@code
 * samples_TASK_DATE.jsonl} for each task where it was told to log samples.
 *
 * @param results the results file's object; empty where only samples were given
 * @param samples each task's samples in the order of its file
 */
public record LmEvalLog(ObjectNode results, SortedMap<String, List<LmEvalSample>> samples) {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Pattern SAMPLES =
      Pattern.compile("samples_(.+?)(_\\d{4}-\\d{2}-\\d{2}T[-0-9.]+)?\\.jsonl");

  public LmEvalLog {
    samples = Collections.unmodifiableSortedMap(new TreeMap<>(samples));
  }

  /**
   * Reads a run's files, in any order, compressed or not.
   *
   * @throws InvalidInputException where a file is neither kind, there is more than one results
   *     file, or a sample is malformed
   */
  public static LmEvalLog read(List<Path> files) {
    ObjectNode results = null;
    SortedMap<String, List<LmEvalSample>> samples = new TreeMap<>();
    for (Path file : files) {
      String name = file.getFileName().toString();
      Matcher matcher = SAMPLES.matcher(RecordFile.withoutCompression(name));
      if (matcher.matches()) {
        String task = matcher.group(1);
        if (samples.put(task, samples(file)) != null) {
          throw new InvalidInputException(file + ": found samples of " + task + " twice");
        }
      } else if (results == null) {
        results = results(file);
      } else {
        throw new InvalidInputException(
            file + ": found a second results file, expected the files of one run");
      }
    }
    return new LmEvalLog(results == null ? JSON.createObjectNode() : results, samples);
  }

  /** Writes the results file, and the samples beside it as {@code samples_TASK.jsonl}. */
  public void write(Path resultsFile) throws IOException {
    Files.createDirectories(resultsFile.toAbsolutePath().getParent());
    Files.writeString(resultsFile, PythonJson.indented(results) + "\n");
    for (var task : samples.entrySet()) {
      StringBuilder lines = new StringBuilder();
      task.getValue().forEach(sample -> lines.append(PythonJson.line(sample.row())).append('\n'));
      Files.writeString(
          resultsFile.resolveSibling("samples_" + task.getKey() + ".jsonl"), lines.toString());
    }
  }

  /** The tasks with results or samples, in name order. */
  public NavigableSet<String> tasks() {
    NavigableSet<String> tasks = new TreeSet<>(samples.keySet());
    results.path("results").fieldNames().forEachRemaining(tasks::add);
    return tasks;
  }

  /** The logged value of a metric. */
  public OptionalDouble value(String task, Metric metric) {
    return number(task, metric, "");
  }

  /** The logged standard error of a metric; none where it says N/A. */
  public OptionalDouble stderr(String task, Metric metric) {
    return number(task, metric, "_stderr");
  }

  /** Version 0.4 logs {@code acc,none}; 0.3 logged {@code acc}, and {@code ppl} for perplexity. */
  private OptionalDouble number(String task, Metric metric, String suffix) {
    JsonNode values = results.path("results").path(task);
    List<String> keys = new ArrayList<>(List.of(metric + suffix + ",none", metric + suffix));
    if (metric == Metric.PERPLEXITY) {
      keys.add("ppl" + suffix);
    }
    return keys.stream()
        .map(values::path)
        .filter(JsonNode::isNumber)
        .mapToDouble(JsonNode::doubleValue)
        .findFirst();
  }

  /** Whether it is of version 0.3 or older, which asked in another form. */
  public boolean isOfVersionZero() {
    for (JsonNode values : results.path("results")) {
      Iterator<String> keys = values.fieldNames();
      while (keys.hasNext()) {
        if (keys.next().contains(",")) {
          return false;
        }
      }
    }
    return !results.path("results").isEmpty();
  }

  /** What stood before a task's questions; nothing where the log does not say. */
  public ItemSet.Shots shots(String task) {
    JsonNode sampler = results.path("configs").path(task).path("fewshot_config").path("sampler");
    JsonNode seed = results.path("config").path("fewshot_seed");
    return ItemSet.Shots.logged(
        results.path("n-shot").path(task).asInt(),
        FewShot.Sampler.FIRST_N.toString().equals(sampler.asText())
            ? FewShot.Sampler.FIRST_N
            : FewShot.Sampler.DEFAULT,
        seed.isInt() ? (Integer) seed.intValue() : null);
  }

  /** The version of lm-evaluation-harness, where it says. */
  public Optional<String> version() {
    return Optional.ofNullable(results.path("lm_eval_version").textValue());
  }

  /** The model's name: {@code model_name}, or {@code pretrained} of the model's arguments. */
  public Optional<String> model() {
    return Optional.ofNullable(results.path("model_name").textValue())
        .or(() -> modelArgument("pretrained"))
        .map(name -> name.replaceFirst("/+$", "").replaceFirst(".*/", ""))
        .filter(name -> !name.isEmpty());
  }

  /** The type it computed in, without {@code torch.}: float32, bfloat16, float16. */
  public Optional<String> dtype() {
    return Optional.ofNullable(results.path("config").path("model_dtype").textValue())
        .or(() -> modelArgument("dtype"))
        .map(dtype -> dtype.replaceFirst("^torch\\.", ""));
  }

  private Optional<String> modelArgument(String name) {
    JsonNode arguments = results.path("config").path("model_args");
    if (arguments.isObject()) {
      return Optional.ofNullable(arguments.path(name).textValue());
    }
    return PythonText.split(arguments.asText(), ",").stream()
        .filter(argument -> argument.startsWith(name + "="))
        .map(argument -> argument.substring(name.length() + 1))
        .findFirst();
  }

  private static ObjectNode results(Path file) {
    String text = new String(read(file), StandardCharsets.UTF_8);
    try {
      if (JSON.readTree(text) instanceof ObjectNode object && object.path("results").isObject()) {
        return object;
      }
    } catch (JsonProcessingException e) {
      throw new InvalidInputException(
          file + ", line " + e.getLocation().getLineNr() + ": " + JsonProblem.of(e), e);
    }
    throw new InvalidInputException(
        file
            + ": found neither 'results' nor a name like samples_TASK.jsonl, expected a results"
            + " or samples file of lm-evaluation-harness");
  }

  private static List<LmEvalSample> samples(Path file) {
    List<LmEvalSample> samples = new ArrayList<>();
    for (SourceRecord record : new RecordFile(file.toString(), read(file)).records()) {
      String place = file + ", " + record.place();
      if (record.problem() != null) {
        throw new InvalidInputException(place + ": " + record.problem());
      }
      samples.add(new LmEvalSample(place, record.fields()));
    }
    return samples;
  }

  private static byte[] read(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new InvalidInputException(file + ": cannot be read: " + e, e);
    }
  }
}
