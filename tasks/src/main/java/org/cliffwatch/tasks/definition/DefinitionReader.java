package org.cliffwatch.tasks.definition;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.exc.InvalidFormatException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.JsonProblem;
import org.cliffwatch.tasks.Sha256;
import org.cliffwatch.tasks.Suggestion;
import org.cliffwatch.tasks.format.FileForm;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.metric.OutputType;
import org.cliffwatch.tasks.prompt.PythonJson;

/** Reads and checks a definition file. Every mistake is an error that names the line. */
final class DefinitionReader {
  /** BLiMP's tasks have capitals in their names. */
  private static final String NAME = "[A-Za-z0-9_]+";

  /** Keys that say where a task comes from, not what it asks. */
  private static final Set<String> NOT_HASHED =
      Set.of(
          "description",
          "dataset",
          "lm_eval_version",
          "groups",
          "files",
          "fewshot",
          "formats",
          "variants");

  private static final ObjectMapper YAML =
      YAMLMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY)
          .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
          .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
          .build();

  /** The file's keys. */
  private record Definition(
      String task,
      Integer version,
      String lmEvalVersion,
      String description,
      Dataset dataset,
      String outputType,
      Boolean multipleInput,
      List<String> metrics,
      @JsonFormat(with = JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY) List<String> groups,
      @JsonFormat(with = JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY) List<String> files,
      Map<String, FileForm> formats,
      TaskDefinition.Labels labels,
      Integer numFewshot,
      FewShot fewshot,
      List<Layout> layouts,
      JsonNode variants,
      PromptKeys prompt,
      PromptKeys promptV0) {}

  private final String file;

  private DefinitionReader(String file) {
    this.file = file;
  }

  /** The file's task; one for each of its variants if it has some. */
  static List<TaskDefinition> read(String file, String yaml) {
    DefinitionReader reader = new DefinitionReader(file);
    List<Map<String, String>> variants = reader.variants(yaml);
    if (variants.isEmpty()) {
      return List.of(reader.definition(yaml));
    }
    return variants.stream().map(variant -> reader.definition(filled(yaml, variant))).toList();
  }

  private static String filled(String yaml, Map<String, String> variant) {
    String filled = yaml;
    for (Map.Entry<String, String> value : variant.entrySet()) {
      filled = filled.replace("{" + value.getKey() + "}", value.getValue());
    }
    return filled;
  }

  /** {@code {name: [values]}}, or a list of {@code {name: value, …}}: what each is, by name. */
  private List<Map<String, String>> variants(String yaml) {
    JsonNode variants;
    try {
      variants = YAML.readTree(yaml).path("variants");
    } catch (JsonProcessingException e) {
      throw invalid(e.getLocation().getLineNr(), e, JsonProblem.of(e));
    }
    List<Map<String, String>> found = new ArrayList<>();
    if (variants.isObject() && variants.size() == 1) {
      String name = variants.fieldNames().next();
      variants.get(name).forEach(value -> found.add(Map.of(name, value.asText())));
    } else {
      for (JsonNode variant : variants) {
        Map<String, String> values = new LinkedHashMap<>();
        variant.properties().forEach(e -> values.put(e.getKey(), e.getValue().asText()));
        found.add(values);
      }
    }
    if (!variants.isMissingNode()
        && (found.isEmpty() || found.contains(Map.<String, String>of()))) {
      throw invalid("variants: expected {name: [values]} or a list of {name: value}");
    }
    return found;
  }

  private TaskDefinition definition(String yaml) {
    Definition d = bind(yaml);
    require(d.task, "task");
    require(d.version, "version");
    require(d.dataset, "dataset");
    require(d.outputType, "output_type");
    require(d.metrics, "metrics");
    require(d.files, "files");
    require(d.layouts, "layouts");
    require(d.prompt, "prompt");
    if (!d.task.matches(NAME)) {
      throw invalid("task: found '" + d.task + "', expected letters a-z and A-Z, digits and _");
    }
    if (d.version < 1) {
      throw invalid("version: found " + d.version + ", expected 1 or more");
    }
    if (d.numFewshot != null && d.numFewshot < 0) {
      throw invalid("num_fewshot: found " + d.numFewshot + ", expected 0 or more");
    }
    TaskDefinition task =
        new TaskDefinition(
            d.task,
            d.version,
            d.lmEvalVersion,
            d.description,
            d.dataset,
            outputType(d.outputType),
            Boolean.TRUE.equals(d.multipleInput),
            metrics(d.metrics),
            groups(d.groups),
            List.copyOf(d.files),
            d.formats == null ? Map.of() : new LinkedHashMap<>(d.formats),
            d.labels,
            d.numFewshot,
            d.fewshot == null ? FewShot.NONE : d.fewshot,
            List.copyOf(d.layouts),
            hash(yaml),
            d.prompt,
            d.promptV0 == null ? PromptKeys.NONE : d.promptV0,
            null);
    check(task);
    return task;
  }

  private Definition bind(String yaml) {
    try {
      return YAML.readValue(yaml, Definition.class);
    } catch (UnrecognizedPropertyException e) {
      Collection<String> known =
          e.getKnownPropertyIds().stream().map(Object::toString).sorted().toList();
      throw invalid(
          line(yaml, e),
          e,
          "unknown key '"
              + e.getPropertyName()
              + "'"
              + Suggestion.among(known, e.getPropertyName()));
    } catch (InvalidFormatException e) {
      throw invalid(
          line(yaml, e),
          e,
          path(e) + ": found '" + e.getValue() + "', expected " + expected(e.getTargetType()));
    } catch (JsonMappingException e) {
      throw invalid(line(yaml, e), e, path(e) + ": " + JsonProblem.of(e));
    } catch (JsonProcessingException e) {
      throw invalid(e.getLocation().getLineNr(), e, JsonProblem.of(e));
    }
  }

  private OutputType outputType(String name) {
    return OutputType.named(name)
        .orElseThrow(
            () ->
                invalid(
                    "output_type: found '"
                        + name
                        + "'"
                        + Suggestion.among(
                            Arrays.stream(OutputType.values()).map(Object::toString).toList(),
                            name)));
  }

  private List<String> groups(List<String> names) {
    if (names == null) {
      return List.of();
    }
    for (String name : names) {
      if (!name.matches(NAME)) {
        throw invalid("groups: found '" + name + "', expected letters, digits and _");
      }
    }
    return List.copyOf(names);
  }

  private List<Metric> metrics(List<String> names) {
    List<Metric> metrics = new ArrayList<>();
    for (String name : names) {
      metrics.add(
          Metric.named(name)
              .orElseThrow(
                  () ->
                      invalid(
                          "metrics: found '"
                              + name
                              + "'"
                              + Suggestion.among(Metric.names(), name))));
    }
    return List.copyOf(metrics);
  }

  /** Every prompt the definition can give has what its output type needs. */
  private void check(TaskDefinition task) {
    for (Layout layout : task.layouts()) {
      if (layout.name() == null || layout.fields().isEmpty()) {
        throw invalid("layouts: found one without name or fields, expected both");
      }
      for (PromptVersion version : PromptVersion.values()) {
        Prompt prompt;
        try {
          prompt = task.prompt(layout, version);
        } catch (InvalidInputException e) {
          throw invalid(e.getMessage());
        }
        String place = "layout " + layout.name() + ": ";
        boolean choices = task.outputType() == OutputType.MULTIPLE_CHOICE;
        if (prompt.docToTarget() == null) {
          throw invalid(place + "doc_to_target is missing");
        }
        if (choices == prompt.docToChoice().isEmpty()) {
          throw invalid(
              place
                  + "doc_to_choice is "
                  + (choices ? "missing" : "not for a " + task.outputType() + " task"));
        }
        if (task.metrics().contains(Metric.MC2) && prompt.rightAnswers() == null) {
          throw invalid(place + "right_answers is missing, expected for metric " + Metric.MC2);
        }
        boolean rolling = task.outputType() == OutputType.LOGLIKELIHOOD_ROLLING;
        if (rolling != (prompt.countedText() != null)) {
          throw invalid(
              place + "counted_text is " + (rolling ? "missing" : "only for a rolling task"));
        }
        if (rolling != (prompt.docToText() == null)) {
          throw invalid(
              place + "doc_to_text is " + (rolling ? "not for a rolling task" : "missing"));
        }
      }
    }
  }

  private String hash(String yaml) {
    try {
      ObjectNode tree = (ObjectNode) YAML.readTree(yaml);
      if (tree.path("num_fewshot").asInt() == 0) {
        tree.remove("num_fewshot"); // asks what a definition without it asks
      }
      return Sha256.of(PythonJson.compact(sorted(tree.without(NOT_HASHED))));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("it was read before", e);
    }
  }

  private static JsonNode sorted(JsonNode node) {
    if (node instanceof ObjectNode object) {
      ObjectNode copy = object.objectNode();
      object.properties().stream()
          .collect(
              Collectors.toMap(
                  entry -> entry.getKey(),
                  entry -> sorted(entry.getValue()),
                  (a, b) -> b,
                  TreeMap::new))
          .forEach(copy::set);
      return copy;
    }
    return node;
  }

  private void require(Object value, String key) {
    if (value == null) {
      throw invalid("key '" + key + "' is missing");
    }
  }

  private InvalidInputException invalid(String what) {
    return new InvalidInputException(file + ": " + what);
  }

  private InvalidInputException invalid(int line, JsonProcessingException cause, String what) {
    return new InvalidInputException(file + ", line " + line + ": " + what, cause);
  }

  /**
   * The line of the key a mistake is at. The exception itself tells the end of the mapping, since
   * records are made of all their keys at once.
   */
  private static int line(String yaml, JsonMappingException mistake) {
    StringBuilder pointer = new StringBuilder();
    for (JsonMappingException.Reference step : mistake.getPath()) {
      pointer
          .append('/')
          .append(step.getFieldName() == null ? step.getIndex() : step.getFieldName());
    }
    try (JsonParser parser = YAML.createParser(yaml)) {
      while (parser.nextToken() != null) {
        if (parser.currentToken() == JsonToken.FIELD_NAME
            && parser.getParsingContext().pathAsPointer().toString().contentEquals(pointer)) {
          return parser.currentTokenLocation().getLineNr();
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return mistake.getLocation().getLineNr();
  }

  private static String path(JsonMappingException e) {
    return e.getPath().stream()
        .map(
            step -> step.getFieldName() == null ? "[" + step.getIndex() + "]" : step.getFieldName())
        .collect(Collectors.joining("."));
  }

  private static String expected(Class<?> type) {
    if (!type.isEnum()) {
      return type.getSimpleName().toLowerCase(Locale.ROOT);
    }
    return "one of "
        + Arrays.stream(type.getEnumConstants())
            .map(constant -> ((Enum<?>) constant).name().toLowerCase(Locale.ROOT))
            .collect(Collectors.joining(", "));
  }
}
