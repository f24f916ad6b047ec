package org.cliffwatch.tasks.definition;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.Sha256;
import org.cliffwatch.tasks.Suggestion;
import org.cliffwatch.tasks.jinja.JinjaException;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.metric.OutputType;
import org.cliffwatch.tasks.prompt.PythonJson;

/**
 * Reads definitions in lm-evaluation-harness's own YAML, where they need no Python. Everything else
 * is refused with file, line and reason, rather than asked otherwise.
 */
final class HarnessReader {
  /** The keys that only a file of ours has. */
  private static final Pattern OURS =
      Pattern.compile("(?m)^(layouts|prompt|metrics|files|lm_eval_version)[ \\t]*:");

  private static final Pattern TASK =
      Pattern.compile(
          "(?m)^['\"]?task['\"]?[ \\t]*:[ \\t]*(['\"]?)([^\\s'\"\\[#]+)\\1[ \\t]*(#.*)?$");

  /** A folder of the tables is named by it. */
  private static final String NAME = "[A-Za-z0-9_.+-]{1,200}";

  /** What a request is made from, and so of the hash. */
  private static final List<String> ASKED =
      List.of(
          "output_type",
          "description",
          "doc_to_text",
          "doc_to_target",
          "doc_to_choice",
          "target_delimiter");

  private static final String FEWSHOT_CONFIG = "fewshot_config";

  /** Keys that change nothing of what is asked without shots. */
  private static final Set<String> IGNORED =
      Set.of(
          "task",
          "task_alias",
          "tag",
          "group",
          "group_alias",
          "dataset_path",
          "dataset_name",
          "dataset_kwargs",
          "training_split",
          "validation_split",
          "test_split",
          "fewshot_split",
          "fewshot_delimiter",
          "fewshot_config",
          "metric_list",
          "num_fewshot",
          "should_decontaminate",
          "doc_to_decontamination_query",
          "generation_kwargs",
          "repeats",
          "unsafe_code",
          "metadata");

  /** Keys that ask for what is not here, and why. */
  private static final Map<String, String> REFUSED =
      Map.of(
          "process_docs", "documents are changed by Python",
          "process_results", "answers are counted by Python",
          "custom_dataset", "documents are made by Python",
          "class", "the task is a class of Python",
          "use_prompt", "prompts of promptsource are not known here",
          "doc_to_image", "images are not known here",
          "doc_to_audio", "audio is not known here",
          "gen_prefix", "a beginning of the answer is not known here",
          "filter_list", "filters of answers are not known here");

  /** {@code weight_by_size} is a group's, and does nothing here in lm-evaluation-harness either. */
  private static final Set<String> METRIC_OPTIONS =
      Set.of("metric", "aggregation", "higher_is_better", "weight_by_size");

  private static final Map<OutputType, List<Metric>> LM_EVAL_METRICS =
      Map.of(
          OutputType.MULTIPLE_CHOICE, List.of(Metric.ACC, Metric.ACC_NORM, Metric.ACC_BYTES),
          OutputType.LOGLIKELIHOOD, List.of(Metric.PERPLEXITY, Metric.ACC),
          OutputType.LOGLIKELIHOOD_ROLLING,
              List.of(Metric.WORD_PERPLEXITY, Metric.BYTE_PERPLEXITY, Metric.BITS_PER_BYTE));

  private static final Map<Metric, String> AGGREGATIONS =
      Map.of(
          Metric.PERPLEXITY, "perplexity",
          Metric.WORD_PERPLEXITY, "weighted_perplexity",
          Metric.BYTE_PERPLEXITY, "weighted_perplexity",
          Metric.BITS_PER_BYTE, "bits_per_byte");

  private final String file;
  private final HarnessYaml yaml;

  private HarnessReader(Path path) {
    this.file = path.toString();
    this.yaml = HarnessYaml.read(path);
  }

  /** Whether a file is lm-evaluation-harness's rather than ours. */
  static boolean isHarness(String text) {
    return !OURS.matcher(text).find();
  }

  /** The name of the file's task; none for a group, or for what other files include. */
  static Optional<String> name(String text) {
    Matcher matcher = TASK.matcher(text);
    return matcher.find() ? Optional.of(matcher.group(2)) : Optional.empty();
  }

  /**
   * The file's task.
   *
   * @throws InvalidInputException naming file and line, and why it cannot be asked
   */
  static TaskDefinition read(Path path) {
    return new HarnessReader(path).definition();
  }

  private TaskDefinition definition() {
    refuse();
    String name = text("task");
    if (!name.matches(NAME)) {
      throw invalid("task", "found '" + name + "', expected letters, digits and ._+-");
    }
    OutputType type = outputType();
    String split = split();
    HarnessPrompt prompt = prompt(type);
    List<Metric> metrics = metrics(type);
    String version = version();
    return new TaskDefinition(
        name,
        number(version),
        version.isEmpty() ? null : version,
        "as " + file + " defines it",
        new Dataset(optional("dataset_path"), optional("dataset_name"), split, null, "not stated"),
        type,
        false,
        metrics,
        List.of(),
        files(split),
        Map.of(),
        null,
        numFewshot(),
        fewshot(split),
        List.of(new Layout("columns", null, null, null, null, null, null, null, null)),
        hash(metrics),
        PromptKeys.NONE,
        PromptKeys.NONE,
        prompt);
  }

  private void refuse() {
    for (Map.Entry<String, String> function : yaml.functions().entrySet()) {
      // Only shots need it, and they are refused where they are asked for.
      if (!function.getKey().equals(FEWSHOT_CONFIG)) {
        throw invalid(
            function.getKey(),
            "found !function "
                + function.getValue()
                + ", which is Python; expected what a template can say"
                + (REFUSED.containsKey(function.getKey())
                    ? " (" + REFUSED.get(function.getKey()) + ")"
                    : ""));
      }
    }
    for (Map.Entry<String, JsonNode> value : yaml.values().entrySet()) {
      String key = value.getKey();
      if (REFUSED.containsKey(key)) {
        if (!value.getValue().isNull()) {
          throw invalid(key, REFUSED.get(key));
        }
      } else if (!IGNORED.contains(key) && !ASKED.contains(key)) {
        List<String> known = new ArrayList<>(ASKED);
        known.addAll(IGNORED);
        throw invalid(key, "unknown key" + Suggestion.among(known, key));
      }
    }
    if (yaml.values().containsKey("repeats") && value("repeats").asInt() != 1) {
      throw invalid("repeats", "found " + value("repeats") + ", expected 1");
    }
  }

  private OutputType outputType() {
    String name = optional("output_type");
    if (name == null || name.equals("generate_until")) {
      throw new InvalidInputException(
          yaml.place("output_type", file)
              + ": output_type: found generate_until"
              + (name == null ? " (what none means)" : "")
              + ", expected multiple_choice, loglikelihood or loglikelihood_rolling: texts are"
              + " scored here, not generated");
    }
    return OutputType.named(name)
        .orElseThrow(
            () ->
                invalid(
                    "output_type",
                    "found '"
                        + name
                        + "'"
                        + Suggestion.among(
                            Arrays.stream(OutputType.values()).map(Object::toString).toList(),
                            name)));
  }

  /** What is evaluated: the test split if there is one, else the validation split. */
  private String split() {
    String test = optional("test_split");
    String split = test == null ? optional("validation_split") : test;
    if (split == null) {
      throw new InvalidInputException(
          file + ": found neither test_split nor validation_split, expected one");
    }
    return split;
  }

  private Integer numFewshot() {
    String shots = optional("num_fewshot");
    if (shots == null) {
      return null;
    }
    if (!shots.matches("[0-9]{1,4}")) {
      throw invalid("num_fewshot", "found " + shots + ", expected a number from 0");
    }
    return Integer.valueOf(shots);
  }

  /** {@code ConfigurableTask.fewshot_docs}, and which documents its sampler leaves out. */
  private FewShot fewshot(String evaluated) {
    JsonNode own = config().path("split");
    String stated = own.isTextual() ? own.textValue() : optional("fewshot_split");
    String split = stated;
    for (String key : List.of("training_split", "validation_split", "test_split")) {
      split = split == null ? optional(key) : split;
    }
    return new FewShot(
        split,
        evaluated.equals(split) ? null : files(split),
        FewShot.Sampler.FIRST_N.toString().equals(config().path("sampler").asText())
            ? FewShot.Sampler.FIRST_N
            : FewShot.Sampler.DEFAULT,
        Objects.equals(stated, optional("test_split")));
  }

  private JsonNode config() {
    return yaml.values().getOrDefault(FEWSHOT_CONFIG, MissingNode.getInstance());
  }

  /** Why shots cannot be drawn as lm-evaluation-harness would; null where they can. */
  private String shotsRefusal() {
    String place = yaml.place(FEWSHOT_CONFIG, file) + ": " + FEWSHOT_CONFIG + ": ";
    if (yaml.functions().containsKey(FEWSHOT_CONFIG)) {
      return place
          + "found !function "
          + yaml.functions().get(FEWSHOT_CONFIG)
          + ", which is Python";
    }
    for (Map.Entry<String, JsonNode> option : config().properties()) {
      String sampler = option.getValue().asText();
      boolean known =
          switch (option.getKey()) {
            case "split" -> true;
            case "sampler" -> Set.of("default", "first_n").contains(sampler);
            default -> option.getValue().isNull();
          };
      if (!known) {
        return place
            + option.getKey()
            + ": found "
            + PythonJson.line(option.getValue())
            + ", which is not known here";
      }
    }
    return null;
  }

  private HarnessPrompt prompt(OutputType type) {
    boolean choices = type == OutputType.MULTIPLE_CHOICE;
    if (yaml.values().get("doc_to_target") == null) {
      throw new InvalidInputException(file + ": key 'doc_to_target' is missing");
    }
    if (type != OutputType.LOGLIKELIHOOD_ROLLING && yaml.values().get("doc_to_text") == null) {
      throw new InvalidInputException(file + ": key 'doc_to_text' is missing");
    }
    if (choices && yaml.values().get("doc_to_choice") == null) {
      throw new InvalidInputException(file + ": key 'doc_to_choice' is missing");
    }
    if (!choices && yaml.values().get("doc_to_choice") != null) {
      throw invalid("doc_to_choice", "found choices, expected none for a " + type + " task");
    }
    if (value("doc_to_target").isArray()) {
      throw invalid(
          "doc_to_target",
          "found a list, expected a template: several right answers are not known here");
    }
    Map<String, JsonNode> keys = new LinkedHashMap<>();
    for (String key : ASKED) {
      putUnlessNull(key, keys);
    }
    putUnlessNull("fewshot_delimiter", keys);
    try {
      return new HarnessPrompt(keys, shotsRefusal());
    } catch (JinjaException e) {
      String key = e.getMessage().substring(0, e.getMessage().indexOf(':'));
      throw new InvalidInputException(yaml.place(key, file) + ": " + e.getMessage(), e);
    }
  }

  private void putUnlessNull(String key, Map<String, JsonNode> keys) {
    JsonNode value = yaml.values().get(key);
    if (value != null && !value.isNull()) {
      keys.put(key, value);
    }
  }

  private List<Metric> metrics(OutputType type) {
    JsonNode list = yaml.values().get("metric_list");
    if (list == null || list.isNull()) {
      return switch (type) {
        case MULTIPLE_CHOICE -> List.of(Metric.ACC, Metric.ACC_NORM);
        case LOGLIKELIHOOD -> List.of(Metric.PERPLEXITY, Metric.ACC);
        case LOGLIKELIHOOD_ROLLING ->
            List.of(Metric.WORD_PERPLEXITY, Metric.BYTE_PERPLEXITY, Metric.BITS_PER_BYTE);
      };
    }
    List<Metric> metrics = new ArrayList<>();
    for (JsonNode entry : list) {
      metrics.add(metric(entry, type));
    }
    if (metrics.isEmpty()) {
      throw invalid("metric_list", "found no metrics, expected at least one");
    }
    return List.copyOf(metrics);
  }

  private Metric metric(JsonNode entry, OutputType type) {
    String name = entry.path("metric").asText();
    Metric metric =
        Metric.named(name)
            .filter(known -> LM_EVAL_METRICS.get(type).contains(known))
            .orElseThrow(
                () ->
                    invalid(
                        "metric_list",
                        "found metric '"
                            + name
                            + "', expected of a "
                            + type
                            + " task "
                            + LM_EVAL_METRICS.get(type)));
    String aggregation = metric.isAccuracy() ? "mean" : AGGREGATIONS.get(metric);
    JsonNode found = entry.path("aggregation");
    if (!found.isMissingNode() && !found.asText().equals(aggregation)) {
      throw invalid(
          "metric_list",
          name + ": found aggregation '" + found.asText() + "', expected " + aggregation);
    }
    JsonNode better = entry.path("higher_is_better");
    if (better.isBoolean() && better.booleanValue() != metric.higherIsBetter()) {
      throw invalid(
          "metric_list",
          name + ": found higher_is_better: " + better + ", expected " + metric.higherIsBetter());
    }
    for (Map.Entry<String, JsonNode> option : entry.properties()) {
      if (!METRIC_OPTIONS.contains(option.getKey())) {
        throw invalid(
            "metric_list", name + ": the option " + option.getKey() + " is not known here");
      }
    }
    return metric;
  }

  private String version() {
    JsonNode version =
        yaml.values().getOrDefault("metadata", MissingNode.getInstance()).path("version");
    return version.isMissingNode() || version.isNull() ? "" : PythonJson.text(version);
  }

  /** Our version is a whole number from 1, theirs {@code 1.0} or whatever else people write. */
  private static int number(String version) {
    Matcher whole = Pattern.compile("[0-9]{1,9}").matcher(version);
    return whole.lookingAt() ? Math.max(1, Integer.parseInt(whole.group())) : 1;
  }

  /** The file the definition names, and the split's; the Hub's forms of it are found besides. */
  private List<String> files(String split) {
    List<String> files = new ArrayList<>();
    JsonNode data =
        yaml.values().getOrDefault("dataset_kwargs", MissingNode.getInstance()).path("data_files");
    JsonNode own = data.isObject() ? data.path(split) : data;
    if (own.isTextual()) {
      String path = own.textValue();
      files.add(path.substring(path.lastIndexOf('/') + 1));
    }
    files.add(split.replaceFirst("\\[.*$", "") + "*.jsonl");
    return List.copyOf(files);
  }

  private String hash(List<Metric> metrics) {
    TreeMap<String, JsonNode> asked = new TreeMap<>();
    ObjectNode all = JsonNodeFactory.instance.objectNode();
    for (String key : ASKED) {
      if (yaml.values().containsKey(key)) {
        asked.put(key, yaml.values().get(key));
      }
    }
    Integer shots = numFewshot();
    if (shots != null && shots > 0) {
      asked.put("num_fewshot", all.numberNode(shots));
    }
    asked.forEach(all::set);
    metrics.forEach(metric -> all.withArray("metrics").add(metric.toString()));
    return Sha256.of(PythonJson.compact(all));
  }

  private JsonNode value(String key) {
    return yaml.values().get(key);
  }

  private String text(String key) {
    String text = optional(key);
    if (text == null) {
      throw new InvalidInputException(file + ": key '" + key + "' is missing");
    }
    return text;
  }

  private String optional(String key) {
    JsonNode value = yaml.values().get(key);
    if (value == null || value.isNull()) {
      return null;
    }
    if (!value.isValueNode()) {
      throw invalid(key, "found a list or mapping, expected a single value");
    }
    return value.asText();
  }

  private InvalidInputException invalid(String key, String what) {
    return new InvalidInputException(yaml.place(key, file) + ": " + key + ": " + what);
  }
}
