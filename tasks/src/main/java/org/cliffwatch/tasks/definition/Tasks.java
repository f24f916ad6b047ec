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
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.Suggestion;

/** The known tasks: those in this jar, and those of folders a user adds. */
public final class Tasks {
  private static final String FOLDER = "definitions/";
  private static final String FILE = "task.yaml";

  private final SortedMap<String, TaskDefinition> byName;

  private Tasks(SortedMap<String, TaskDefinition> byName) {
    this.byName = byName;
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
   * These tasks and those defined under a folder, in files {@code *.yaml} at any depth; a task of
   * the same name replaces the one here, as lm-evaluation-harness's {@code --include_path} does.
   */
  public Tasks including(Path folder) {
    SortedMap<String, TaskDefinition> all = new TreeMap<>(byName);
    if (!Files.isDirectory(folder)) {
      throw new InvalidInputException(folder + ": no such folder, expected one of definitions");
    }
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".yaml")).sorted().toList()) {
        add(all, file.toString(), Files.readString(file));
      }
    } catch (IOException e) {
      throw new InvalidInputException(folder + ": " + e.getMessage(), e);
    }
    return new Tasks(all);
  }

  /**
   * The task of a name.
   *
   * @throws InvalidInputException for an unknown name, with those it may have meant
   */
  public TaskDefinition task(String name) {
    TaskDefinition task = byName.get(name);
    if (task == null) {
      throw new InvalidInputException(
          "unknown task '" + name + "'" + Suggestion.among(byName.keySet(), name));
    }
    return task;
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

  /** All tasks in name order. */
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
      return new Tasks(tasks);
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
