package org.cliffwatch.jobs.suite;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.cliffwatch.jobs.suite.Suite.CheckpointSeries;
import org.cliffwatch.jobs.suite.Suite.TaskData;
import org.cliffwatch.quantizer.scheme.Calibration;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.tasks.Suggestion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.item.ChatPrompt;
import org.cliffwatch.tasks.jinja.ChatTemplate;

/**
 * Reads suites. Every key can be set in the file, by an environment variable {@code
 * CLIFFWATCH_SHARD_ITEMS} (dots and dashes become underscores) and by {@code --set
 * shard_items=128}; the later of these wins. Unknown keys and wrong types are errors.
 */
public final class SuiteReader {
  private static final List<String> KEYS =
      List.of(
          "name",
          "checkpoints",
          "precisions",
          "calibration",
          "baseline",
          "tasks_path",
          "tasks",
          "num_fewshot",
          "fewshot_data",
          "shard_items",
          "seed",
          "backend",
          "kernel",
          "bos",
          "apply_chat_template",
          "system_instruction",
          "fewshot_as_multiturn",
          "kl",
          "replicas",
          "self_check",
          "max_rejected_items");
  private static final List<String> CHECKPOINT_KEYS = List.of("model", "path", "steps", "step");
  private static final List<String> TASK_KEYS =
      List.of("task", "data", "limit", "num_fewshot", "fewshot_data");

  /** Keys of a task that the environment may set where the file does not have them. */
  private static final List<String> TASK_NUMBERS = List.of("limit", "num_fewshot");

  private static final int MOST_SHOTS = 1000;
  private static final Pattern SCHEME = Pattern.compile("[a-zA-Z][a-zA-Z0-9+.-]*:(//[^/]*)?");
  private static final String ENVIRONMENT_PREFIX = "CLIFFWATCH_";

  /** Variables of the same prefix that are not suite keys. */
  private static final Set<String> OTHER_VARIABLES =
      Set.of(
          "CLIFFWATCH_SHARED",
          "CLIFFWATCH_CACHE",
          "CLIFFWATCH_CACHE_BYTES",
          "CLIFFWATCH_HOME",
          "CLIFFWATCH_JAVA_OPTS");

  private static final List<String> BACKENDS = List.of("auto", "onednn", "reference", "cuda");
  private static final List<String> BOS_RULES = List.of("auto", "never", "always");
  private static final List<String> BOOLEANS = List.of("false", "true");
  private static final int MOST_REPLICAS = 10_000;
  private static final long MOST_STEPS = Long.MAX_VALUE;

  private final Precisions knownPrecisions;
  private final Tasks knownTasks;
  private final Map<String, String> environment;
  private final String here;

  public SuiteReader(
      Precisions knownPrecisions, Tasks knownTasks, Map<String, String> environment) {
    this(knownPrecisions, knownTasks, environment, "");
  }

  /**
   * @param here what goes before a path of this machine: {@code file:} where a path without a
   *     scheme is another file system's, else nothing
   */
  public SuiteReader(
      Precisions knownPrecisions, Tasks knownTasks, Map<String, String> environment, String here) {
    this.knownPrecisions = knownPrecisions;
    this.knownTasks = knownTasks;
    this.environment = environment;
    this.here = here;
  }

  /** Whether a location says which file system it is of. */
  public static boolean hasScheme(String location) {
    return SCHEME.matcher(location).lookingAt();
  }

  /**
   * @param sets {@code key=value} texts of {@code --set}
   * @throws SuiteException naming file and line
   */
  public Suite read(Path file, List<String> sets) {
    String text;
    try {
      text = Files.readString(file);
    } catch (IOException e) {
      throw new SuiteException(
          file
              + ": cannot read the suite file: found "
              + (Files.exists(file) ? "something unreadable" : "nothing")
              + ", expected a YAML file");
    }
    return read(text, file.toString(), local(file.toAbsolutePath().getParent()), sets);
  }

  /**
   * @param origin the suite's path or URI
   * @param folder what paths in it are relative to, a path or URI
   */
  public Suite read(String text, String origin, String folder, List<String> sets) {
    return bind(YamlValue.parse(text, origin), sets, folder, origin, defaultName(origin));
  }

  private String local(Path path) {
    return here + path.normalize();
  }

  /** A suite made of flags: {@code --checkpoint}, {@code --precision}, {@code --task NAME=DATA}. */
  public Suite fromFlags(
      List<String> checkpoints,
      List<String> precisions,
      List<String> tasks,
      OptionalInt limit,
      List<String> sets) {
    YamlValue root = YamlValue.emptyMapping("command line");
    root.set(
        "checkpoints",
        flow(checkpoints.stream().map(SuiteReader::checkpointFlow).toList()),
        "--checkpoint");
    root.set(
        "precisions", flow(precisions.stream().map(SuiteReader::quoted).toList()), "--precision");
    List<String> taskFlows = new ArrayList<>();
    for (String task : tasks) {
      int equals = task.indexOf('=');
      if (equals <= 0) {
        throw new SuiteException("--task: found '" + task + "', expected NAME=DATA");
      }
      taskFlows.add(
          "{task: "
              + quoted(task.substring(0, equals))
              + ", data: "
              + quoted(task.substring(equals + 1))
              + (limit.isPresent() ? ", limit: " + limit.getAsInt() : "")
              + "}");
    }
    root.set("tasks", flow(taskFlows), "--task");
    return bind(root, sets, local(Path.of("").toAbsolutePath()), "command line", "evaluate");
  }

  private static String checkpointFlow(String path) {
    String trimmed = path.replaceAll("/+$", "");
    String model = trimmed.substring(trimmed.lastIndexOf('/') + 1).replaceAll("\\.gguf$", "");
    return "{model: " + quoted(model) + ", path: " + quoted(path) + "}";
  }

  private static String quoted(String text) {
    return "'" + text.replace("'", "''") + "'";
  }

  private static String flow(List<String> values) {
    return "[" + String.join(", ", values) + "]";
  }

  private static String defaultName(String origin) {
    return origin.substring(origin.lastIndexOf('/') + 1).replaceAll("\\.ya?ml$", "");
  }

  private Suite bind(
      YamlValue root, List<String> sets, String folder, String origin, String defaultName) {
    root.allowOnly(KEYS);
    applyEnvironment(root);
    for (String set : sets) {
      int equals = set.indexOf('=');
      if (equals <= 0) {
        throw new SuiteException("--set: found '" + set + "', expected key=value");
      }
      root.set(set.substring(0, equals), set.substring(equals + 1), "--set " + set);
    }
    root.allowOnly(KEYS);
    List<CheckpointSeries> checkpoints = checkpoints(root.required("checkpoints"), folder);
    List<Precision> precisions = precisions(root.required("precisions"), folder);
    YamlValue calibrationValue = root.field("calibration");
    String calibration = calibrationValue == null ? null : resolve(calibrationValue.text(), folder);
    List<String> names = precisions.stream().map(Precision::name).toList();
    String baseline = names.get(0);
    YamlValue baselineValue = root.field("baseline");
    if (baselineValue != null) {
      baseline = baselineValue.oneOf(names);
    }
    Tasks known = tasks(root, folder);
    return new Suite(
        text(root, "name", defaultName),
        origin,
        checkpoints,
        precisions,
        calibration,
        baseline,
        known,
        tasks(root, known, folder),
        (int) integer(root, "shard_items", 64, 1, 1_000_000),
        integer(root, "seed", 1, Long.MIN_VALUE, Long.MAX_VALUE),
        choice(root, "backend", BACKENDS),
        text(root, "kernel", "auto"),
        choice(root, "bos", BOS_RULES),
        chat(root),
        choice(root, "kl", BOOLEANS).equals("true"),
        (int) integer(root, "replicas", 1, 1, MOST_REPLICAS),
        root.field("self_check") == null ? 0.01 : root.field("self_check").fraction(),
        (int) integer(root, "max_rejected_items", 0, 0, Integer.MAX_VALUE),
        root.leaves().values().stream()
            .map(leaf -> leaf.path() + ": " + leaf.text())
            .collect(Collectors.joining("\n")));
  }

  private void applyEnvironment(YamlValue root) {
    Set<String> settable = new HashSet<>(KEYS);
    settable.addAll(root.leaves().keySet());
    for (int i = 0; root.field("tasks") != null && i < root.field("tasks").list().size(); i++) {
      for (String key : TASK_NUMBERS) {
        settable.add("tasks." + i + "." + key);
      }
    }
    for (String key : settable) {
      String variable = variable(key);
      String value = environment.get(variable);
      if (value != null) {
        root.set(key, value, variable);
      }
    }
    Set<String> known = settable.stream().map(SuiteReader::variable).collect(Collectors.toSet());
    for (String variable : environment.keySet()) {
      if (variable.startsWith(ENVIRONMENT_PREFIX)
          && !known.contains(variable)
          && !OTHER_VARIABLES.contains(variable)) {
        throw new SuiteException(
            "environment: found "
                + variable
                + ", which sets no key of the suite"
                + Suggestion.among(known, variable));
      }
    }
  }

  private static String variable(String key) {
    return ENVIRONMENT_PREFIX + key.toUpperCase(Locale.ROOT).replaceAll("[.-]", "_");
  }

  private static String text(YamlValue root, String key, String otherwise) {
    return root.field(key) == null ? otherwise : root.field(key).text();
  }

  private static long integer(YamlValue root, String key, long otherwise, long least, long most) {
    return root.field(key) == null ? otherwise : root.field(key).integer(least, most);
  }

  /** true stands for the template a checkpoint has, a name for one of several. */
  private static ChatPrompt chat(YamlValue root) {
    String template = text(root, "apply_chat_template", "false");
    String instruction = text(root, "system_instruction", "");
    if (template.equals("false")) {
      return instruction.isEmpty() ? null : new ChatPrompt(null, instruction, false);
    }
    return new ChatPrompt(
        template.equals("true") ? ChatTemplate.DEFAULT : template,
        instruction.isEmpty() ? null : instruction,
        choice(root, "fewshot_as_multiturn", List.of("true", "false")).equals("true"));
  }

  private static String choice(YamlValue root, String key, List<String> known) {
    return root.field(key) == null ? known.get(0) : root.field(key).oneOf(known);
  }

  private List<CheckpointSeries> checkpoints(YamlValue list, String folder) {
    List<CheckpointSeries> series = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    for (YamlValue value : nonEmpty(list)) {
      value.requireMapping("{model: NAME, path: FOLDER}");
      value.allowOnly(CHECKPOINT_KEYS);
      String model = partitionName(value.required("model"));
      String path = resolve(value.required("path").text(), folder);
      YamlValue steps = value.field("steps");
      YamlValue step = value.field("step");
      boolean isSeries = path.contains(CheckpointSeries.STEP);
      if (!isSeries && steps != null) {
        throw steps.wrong("no steps, or a path with {step} in it");
      }
      if (isSeries && step != null) {
        throw step.wrong("'steps' rather than 'step', since the path has {step} in it");
      }
      series.add(
          new CheckpointSeries(
              model,
              path,
              steps == null || !steps.isList() ? allSteps(steps) : Optional.of(steps(steps)),
              step == null ? OptionalLong.empty() : OptionalLong.of(step.integer(0, MOST_STEPS)),
              value.place()));
      if (!seen.add(model + "\0" + (isSeries ? path : step == null ? "0" : step.text()))) {
        throw value.wrong("each model and step once; '" + model + "' is there already");
      }
    }
    return series;
  }

  private static Optional<List<Long>> allSteps(YamlValue steps) {
    if (steps != null && !steps.text().equals("all")) {
      throw steps.wrong("a list of steps, or all");
    }
    return Optional.empty();
  }

  private static List<Long> steps(YamlValue list) {
    return nonEmpty(list).stream().map(step -> step.integer(0, MOST_STEPS)).distinct().toList();
  }

  /** Names, or rows as {@code conf/precisions.yaml} has them with a name of their own. */
  private List<Precision> precisions(YamlValue list, String folder) {
    List<Precision> rows = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (YamlValue value : nonEmpty(list)) {
      Precision row =
          value.isMapping()
              ? own(value, folder)
              : knownPrecisions.named(value.oneOf(new TreeSet<>(knownPrecisions.names())));
      if (!names.add(row.name())) {
        throw value.wrong("each precision once");
      }
      rows.add(row);
    }
    return rows;
  }

  private Precision own(YamlValue row, String folder) {
    String name = partitionName(row.required("name"));
    Map<String, String> keys = row.texts();
    keys.remove("name");
    keys.computeIfPresent(Calibration.TEXT, (key, text) -> resolve(text, folder));
    return knownPrecisions.added(row.place(), name, keys);
  }

  /** Definitions of one's own are beside the suite, and the tables remember where. */
  private Tasks tasks(YamlValue root, String folder) {
    YamlValue path = root.field("tasks_path");
    if (path == null) {
      return knownTasks;
    }
    String resolved = resolve(path.text(), folder);
    String local = resolved.replaceFirst("^file:(//(?=/))?", "");
    if (hasScheme(local)) {
      throw path.wrong("a folder of this machine");
    }
    root.set("tasks_path", quoted(local), path.place());
    return knownTasks.including(Path.of(local));
  }

  private List<TaskData> tasks(YamlValue root, Tasks known, String folder) {
    List<TaskData> tasks = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    Map<String, List<TaskDefinition>> groups = known.groups();
    Set<String> names = new TreeSet<>(known.names());
    names.addAll(groups.keySet());
    for (YamlValue value : nonEmpty(root.required("tasks"))) {
      value.requireMapping("{task: NAME, data: FOLDER}");
      value.allowOnly(TASK_KEYS);
      String name = value.required("task").oneOf(names);
      List<String> members =
          known.names().contains(name)
              ? List.of(name)
              : groups.get(name).stream().map(TaskDefinition::name).toList();
      YamlValue fewshotData = own(value, root, "fewshot_data");
      for (String task : members) {
        if (!seen.add(task)) {
          throw value
              .required("task")
              .wrong(
                  "each task once" + (task.equals(name) ? "" : "; " + task + " is there already"));
        }
        tasks.add(
            new TaskData(
                task,
                resolve(value.required("data").text(), folder),
                optional(value.field("limit"), 1, Integer.MAX_VALUE),
                optional(own(value, root, "num_fewshot"), 0, MOST_SHOTS),
                fewshotData == null ? null : resolve(fewshotData.text(), folder),
                value.place(),
                task.equals(name) ? null : name));
      }
    }
    return tasks;
  }

  /** A task's key, or where it has none the suite's. */
  private static YamlValue own(YamlValue task, YamlValue suite, String key) {
    return task.field(key) == null ? suite.field(key) : task.field(key);
  }

  private static OptionalInt optional(YamlValue value, int least, int most) {
    return value == null ? OptionalInt.empty() : OptionalInt.of((int) value.integer(least, most));
  }

  private static List<YamlValue> nonEmpty(YamlValue list) {
    if (list.list().isEmpty()) {
      throw list.wrong("at least one element");
    }
    return list.list();
  }

  /** A value that becomes a folder name of the tables. */
  private static String partitionName(YamlValue value) {
    String name = value.text();
    if (name.isBlank() || name.length() > 200 || name.chars().anyMatch(c -> c < ' ')) {
      throw value.wrong("a name of 1 to 200 printable characters");
    }
    return name;
  }

  private static String resolve(String path, String folder) {
    if (hasScheme(path)) {
      return path;
    }
    Matcher scheme = SCHEME.matcher(folder);
    int root = scheme.lookingAt() ? scheme.end() : 0;
    Path resolved = Path.of(folder.substring(root)).resolve(path).normalize();
    return (path.startsWith("/") ? "" : folder.substring(0, root)) + resolved;
  }
}
