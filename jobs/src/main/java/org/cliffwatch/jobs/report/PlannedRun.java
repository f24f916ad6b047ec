package org.cliffwatch.jobs.report;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The cells that a run planned, as the configuration in {@code runs} says: all of its models ×
 * precisions × tasks. An imported run says nothing of them.
 *
 * @param bos the suite's rule
 * @param rows precisions that the suite defines itself
 * @param data file or folder of each task's items, as the suite had it
 * @param tasksPath folder of the suite's own task definitions, or null
 */
record PlannedRun(
    String id,
    String started,
    String codeVersion,
    String bos,
    List<Model> models,
    List<String> precisions,
    List<Recipe> rows,
    Map<String, String> data,
    String tasksPath) {
  private static final Pattern ELEMENT = Pattern.compile("([a-z]+)\\.([0-9]+)(?:\\.(.+))?");

  /**
   * A checkpoint, or all of a series.
   *
   * @param step null for every step
   */
  record Model(String name, Long step) {}

  /** A precision's storage: bits of a quantized weight (0: as stored) and of the others. */
  record Recipe(String precision, int weightBits, int computeBits) {}

  /**
   * @param configuration {@code key: value} lines
   */
  static PlannedRun of(String id, String started, String codeVersion, String configuration) {
    String bos = "auto";
    String tasksPath = null;
    Map<Integer, Map<String, String>> checkpoints = new TreeMap<>();
    Map<Integer, Map<String, String>> precisions = new TreeMap<>();
    Map<Integer, Map<String, String>> tasks = new TreeMap<>();
    for (String line : configuration == null ? List.<String>of() : configuration.lines().toList()) {
      int colon = line.indexOf(": ");
      if (colon < 0) {
        continue;
      }
      String key = line.substring(0, colon);
      String value = line.substring(colon + 2);
      Matcher element = ELEMENT.matcher(key);
      if (key.equals("bos")) {
        bos = value;
      } else if (key.equals("tasks_path")) {
        tasksPath = value;
      } else if (element.matches()) {
        Map<Integer, Map<String, String>> list =
            switch (element.group(1)) {
              case "checkpoints" -> checkpoints;
              case "precisions" -> precisions;
              case "tasks" -> tasks;
              default -> new TreeMap<>();
            };
        String field = element.group(3) == null ? "name" : element.group(3);
        list.computeIfAbsent(Integer.valueOf(element.group(2)), i -> new LinkedHashMap<>())
            .put(field, value);
      }
    }
    List<Model> models = new ArrayList<>();
    checkpoints.values().forEach(checkpoint -> models.addAll(models(checkpoint)));
    Map<String, String> data = new LinkedHashMap<>();
    tasks.values().forEach(task -> data.put(task.get("task"), task.get("data")));
    return new PlannedRun(
        id,
        started,
        codeVersion,
        bos,
        models,
        precisions.values().stream().map(precision -> precision.get("name")).toList(),
        precisions.values().stream()
            .filter(row -> row.containsKey("weight_bits") && row.containsKey("compute"))
            .map(
                row ->
                    new Recipe(
                        row.get("name"),
                        Integer.parseInt(row.get("weight_bits")),
                        row.get("compute").equals("float32") ? Float.SIZE : Short.SIZE))
            .toList(),
        data,
        tasksPath);
  }

  private static List<Model> models(Map<String, String> checkpoint) {
    String name = checkpoint.get("model");
    if (!checkpoint.getOrDefault("path", "").contains("{step}")) {
      return List.of(new Model(name, Long.valueOf(checkpoint.getOrDefault("step", "0"))));
    }
    List<Model> listed =
        checkpoint.entrySet().stream()
            .filter(field -> field.getKey().matches("steps\\.[0-9]+"))
            .map(field -> new Model(name, Long.valueOf(field.getValue())))
            .toList();
    return listed.isEmpty() ? List.of(new Model(name, null)) : listed;
  }

  boolean saysItsCells() {
    return !models.isEmpty() && !precisions.isEmpty() && !data.isEmpty();
  }
}
