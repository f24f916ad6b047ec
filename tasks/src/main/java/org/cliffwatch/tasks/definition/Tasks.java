package org.cliffwatch.tasks.definition;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.Suggestion;

/** The known tasks: those in this jar, and those of folders a user adds. */
public final class Tasks {
  private static final String FOLDER = "definitions/";
  private static final String FILE = "task.yaml";

  private final SortedMap<String, TaskDefinition> byName;

  /** Those in lm-evaluation-harness's own YAML, which are read when they are asked for. */
  private final SortedMap<String, Path> harness;

  private Tasks(SortedMap<String, TaskDefinition> byName, SortedMap<String, Path> harness) {
    this.byName = byName;
    this.harness = harness;
  }

  /** The tasks of this jar. */
  public static Tasks builtIn() {
    return BuiltIn.TASKS;
  }

  /**
   * A task of this jar.
   *
   * @throws InvalidInputException for an unknown name
   */
  public static TaskDefinition load(String name) {
    return builtIn().task(name);
  }

  /**
   * These tasks and those defined under a folder, in files {@code *.yaml} at any depth, ours or
   * lm-evaluation-harness's; a task of the same name replaces the one here, as its {@code
   * --include_path} does.
   *
   * @throws InvalidInputException for a folder that is none, or a mistake in a file of ours; what
   *     is wrong in a file of lm-evaluation-harness's is said where its task is asked for
   */
  public Tasks including(Path folder) {
    SortedMap<String, TaskDefinition> all = new TreeMap<>(byName);
    SortedMap<String, Path> others = new TreeMap<>(harness);
    if (!Files.isDirectory(folder)) {
      throw new InvalidInputException(folder + ": no such folder, expected one of definitions");
    }
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.filter(Tasks::isYaml).sorted().toList()) {
        String text = Files.readString(file);
        if (HarnessReader.isHarness(text)) {
          HarnessReader.name(text).ifPresent(name -> others.put(name, file));
        } else {
          add(all, file.toString(), text);
        }
      }
    } catch (IOException e) {
      throw new InvalidInputException(folder + ": " + e.getMessage(), e);
    }
    others.keySet().forEach(all::remove);
    return new Tasks(all, others);
  }

  private static boolean isYaml(Path file) {
    return file.toString().endsWith(".yaml") || file.toString().endsWith(".yml");
  }

  /**
   * The task of a name.
   *
   * @throws InvalidInputException for an unknown name, with those it may have meant, or for one
   *     whose definition cannot be read
   */
  public TaskDefinition task(String name) {
    TaskDefinition task = byName.get(name);
    if (task != null) {
      return task;
    }
    if (harness.containsKey(name)) {
      return HarnessReader.read(harness.get(name));
    }
    throw new InvalidInputException(
        "unknown task '" + name + "'" + Suggestion.among(names(), name));
  }

  /** The names that stand for several tasks, and these in name order. */
  public SortedMap<String, List<TaskDefinition>> groups() {
    SortedMap<String, List<TaskDefinition>> groups = new TreeMap<>();
    for (TaskDefinition task : all()) {
      for (String group : task.groups()) {
        groups.computeIfAbsent(group, name -> new ArrayList<>()).add(task);
      }
    }
    return groups;
  }

  /** The names of all tasks, in order; those whose definition cannot be read too. */
  public SortedSet<String> names() {
    SortedSet<String> names = new TreeSet<>(byName.keySet());
    names.addAll(harness.keySet());
    return names;
  }

  /**
   * All tasks in name order.
   *
   * @param refused receives, by name, why a definition of lm-evaluation-harness's cannot be asked
   */
  public Collection<TaskDefinition> all(Map<String, String> refused) {
    SortedMap<String, TaskDefinition> all = new TreeMap<>(byName);
    harness.forEach(
        (name, file) -> {
          try {
            all.put(name, HarnessReader.read(file));
          } catch (InvalidInputException e) {
            refused.put(name, e.getMessage());
          }
        });
    return all.values();
  }

  /** The tasks in name order that are defined by files of ours. */
  public Collection<TaskDefinition> all() {
    return byName.values();
  }

  private static void add(SortedMap<String, TaskDefinition> tasks, String file, String yaml) {
    for (TaskDefinition task : DefinitionReader.read(file, yaml)) {
      tasks.put(task.name(), task);
    }
  }

  private static final class BuiltIn {
    static final Tasks TASKS = read();

    private static Tasks read() {
      SortedMap<String, TaskDefinition> tasks = new TreeMap<>();
      for (String resource : resources()) {
        try (InputStream in = Tasks.class.getResourceAsStream("/" + resource)) {
          add(tasks, resource, new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }
      return new Tasks(tasks, new TreeMap<>());
    }

    /** There is no index to keep: the definitions are found where this class was loaded from. */
    private static List<String> resources() {
      try {
        Path code =
            Path.of(Tasks.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        return Files.isDirectory(code) ? inFolder(code) : inJar(code);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      } catch (URISyntaxException e) {
        throw new IllegalStateException(e);
      }
    }

    private static List<String> inFolder(Path classes) throws IOException {
      try (Stream<Path> files = Files.walk(classes.resolve(FOLDER))) {
        return files
            .filter(file -> file.endsWith(FILE))
            .map(file -> classes.relativize(file).toString().replace('\\', '/'))
            .sorted()
            .toList();
      }
    }

    private static List<String> inJar(Path jar) throws IOException {
      try (JarFile file = new JarFile(jar.toFile())) {
        return file.stream()
            .map(entry -> entry.getName())
            .filter(name -> name.startsWith(FOLDER) && name.endsWith("/" + FILE))
            .sorted()
            .toList();
      }
    }
  }
}
