package org.cliffwatch.tasks.interchange;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.metric.ChoiceScore;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.metric.MetricState;
import org.cliffwatch.tasks.metric.OutputType;

/**
 * Makes a log in lm-evaluation-harness's format of scores of our own: its keys and names, nothing
 * private. What is not known, such as documents and arguments, is left out.
 */
public final class LmEvalExport {
  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
  private static final String FILTER = ",none";
  private static final List<String> BEFORE_SCORES = List.of("doc", "target", "arguments");
  private static final List<String> AFTER_SCORES =
      List.of("doc_hash", "prompt_hash", "target_hash");

  private final ObjectNode results = JSON.objectNode();
  private final SortedMap<String, List<LmEvalSample>> samples = new TreeMap<>();

  /**
   * @param model what {@code config.model_args} names as {@code pretrained}
   * @param dtype what it names as {@code dtype}: our precision
   */
  public LmEvalExport(String model, String dtype) {
    for (String key :
        List.of(
            "results", "group_subtasks", "versions", "n-shot", "higher_is_better", "n-samples")) {
      results.putObject(key);
    }
    results
        .putObject("config")
        .put("model", "cliffwatch")
        .put("model_args", "pretrained=" + model + ",dtype=" + dtype);
    results.put("model_name", model);
  }

  /**
   * Adds a task's scores.
   *
   * @param items how many items the task has before any limit
   * @param shots documents that stood before each question
   * @param scored the items' results in item order
   * @param known for each result what else is known of its sample, by lm-evaluation-harness's keys:
   *     doc_hash, and doc, target, arguments, prompt_hash, target_hash
   */
  public LmEvalExport add(
      TaskDefinition task, int items, int shots, List<ItemResult> scored, List<ObjectNode> known) {
    String name = task.name();
    ObjectNode values = object("results").putObject(name);
    values.put("name", name).put("alias", name).put("sample_len", scored.size());
    ObjectNode directions = object("higher_is_better").putObject(name);
    for (Metric metric : task.metrics()) {
      MetricState state = metric.over(scored);
      values.put(name(metric) + FILTER, state.value());
      if (state.stderr().isPresent()) {
        values.put(name(metric) + "_stderr" + FILTER, state.stderr().getAsDouble());
      } else {
        values.put(name(metric) + "_stderr" + FILTER, "N/A");
      }
      directions.put(name(metric), metric.higherIsBetter());
    }
    object("group_subtasks").putArray(name);
    object("versions")
        .put(
            name,
            Double.parseDouble(
                task.lmEvalVersion() == null ? task.version() + ".0" : task.lmEvalVersion()));
    object("n-shot").put(name, shots);
    object("n-samples").putObject(name).put("original", items).put("effective", scored.size());
    List<LmEvalSample> rows = new ArrayList<>();
    for (int i = 0; i < scored.size(); i++) {
      rows.add(new LmEvalSample(name, row(task, scored.get(i), known.get(i))));
    }
    samples.put(name, rows);
    return this;
  }

  /** The log of what was added. */
  public LmEvalLog log() {
    return new LmEvalLog(results, samples);
  }

  private ObjectNode object(String key) {
    return (ObjectNode) results.get(key);
  }

  private static ObjectNode row(TaskDefinition task, ItemResult result, ObjectNode known) {
    ObjectNode row = JSON.objectNode();
    row.put("doc_id", result.item());
    if (result.gold() != null && !task.multipleInput()) {
      row.put("target", result.gold().toString());
    }
    BEFORE_SCORES.forEach(field -> copy(known, field, row));
    ArrayNode responses = row.putArray("resps");
    ArrayNode filtered = row.putArray("filtered_resps");
    for (ChoiceScore choice : result.choices()) {
      responses.addArray().add(response(task.outputType(), choice));
      filtered.add(response(task.outputType(), choice));
    }
    row.put("filter", "none");
    ArrayNode metrics = row.putArray("metrics");
    task.metrics().forEach(metric -> metrics.add(name(metric)));
    AFTER_SCORES.forEach(field -> copy(known, field, row));
    for (Metric metric : task.metrics()) {
      putMetric(row, metric, result);
    }
    return row;
  }

  private static void copy(ObjectNode from, String field, ObjectNode to) {
    if (from.has(field)) {
      to.set(field, from.get(field));
    }
  }

  private static JsonNode response(OutputType type, ChoiceScore choice) {
    if (type == OutputType.LOGLIKELIHOOD_ROLLING) {
      return JSON.numberNode(choice.logLikelihood());
    }
    return JSON.arrayNode().add(choice.logLikelihood()).add(choice.greedy());
  }

  private static String name(Metric metric) {
    return metric == Metric.MC2 ? Metric.ACC.toString() : metric.toString();
  }

  /** As lm-evaluation-harness logs an item's part: a log-likelihood, or with it a weight. */
  private static void putMetric(ObjectNode row, Metric metric, ItemResult result) {
    ChoiceScore first = result.choices().get(0);
    switch (metric) {
      case ACC, ACC_NORM, ACC_BYTES, MC2, BYTE_LIKELIHOOD ->
          row.put(name(metric), metric.of(result).value());
      case PERPLEXITY -> row.put(metric.toString(), first.logLikelihood());
      case WORD_PERPLEXITY ->
          row.putArray(metric.toString()).add(first.logLikelihood()).add(first.words());
      case BYTE_PERPLEXITY, BITS_PER_BYTE ->
          row.putArray(metric.toString()).add(first.logLikelihood()).add(first.bytes());
    }
  }
}
