package org.cliffwatch.tasks.item;

import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.definition.Dataset;
import org.cliffwatch.tasks.definition.FewShot;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.format.FileForm;
import org.cliffwatch.tasks.format.RecordFile;

/** Finds a task's files in a folder, and reads them. */
final class ItemFiles {
  /** No benchmark's items come near it. */
  private static final int LARGEST = 1 << 30;

  private final DataSource source;

  ItemFiles(DataSource source) {
    this.source = source;
  }

  /** A file's bytes. */
  byte[] read(String file) {
    return read(source, file);
  }

  static byte[] read(DataSource source, String file) {
    try (InputStream in = source.open(file)) {
      byte[] bytes = in.readNBytes(LARGEST + 1);
      if (bytes.length > LARGEST) {
        throw new InvalidInputException(
            file + ": found more than " + LARGEST + " bytes, expected a file of items");
      }
      return bytes;
    } catch (IOException e) {
      throw new InvalidInputException(file + ": cannot be read: " + e, e);
    }
  }

  /**
   * The item files of a location: itself if it is a file, else what the task's patterns find, else
   * its data set's split where Hugging Face's tools leave it.
   */
  List<String> itemFiles(TaskDefinition task, String location) {
    return files(location, task.files(), task.dataset(), "item", task, "or name the file itself");
  }

  /** The files that a task's shots are drawn from, of a location as for items. */
  List<String> shotFiles(TaskDefinition task, String location) {
    FewShot from = task.fewshot();
    boolean sameSplit = from.split() == null || from.split().equals(task.dataset().split());
    return files(
        location,
        sameSplit ? task.files() : from.files(),
        sameSplit ? task.dataset() : task.dataset().of(from.split()),
        "shot",
        task,
        "fewshot_data can name another file or folder");
  }

  private List<String> files(
      String location,
      List<String> patterns,
      Dataset dataset,
      String what,
      TaskDefinition task,
      String hint) {
    try {
      if (source.isFile(location)) {
        return List.of(location);
      }
      if (!source.isFolder(location)) {
        throw new InvalidInputException(
            location
                + ": no such file or folder, expected the "
                + what
                + "s of task "
                + task.name());
      }
      SplitFiles split = new SplitFiles(source, dataset);
      String root = split.root(location);
      for (String pattern : patterns) {
        List<String> found = matches(root, pattern);
        if (!found.isEmpty()) {
          return found;
        }
      }
      List<String> found = split.find(root);
      if (!found.isEmpty()) {
        return found;
      }
      throw new InvalidInputException(
          root
              + ": found no "
              + what
              + " file of task "
              + task.name()
              + ", expected "
              + (patterns.isEmpty() ? "" : "one of " + String.join(", ", patterns) + ", or ")
              + "files of "
              + split.wanted()
              + " ("
              + hint
              + "); found "
              + split.others(root));
    } catch (IOException e) {
      throw new InvalidInputException(location + ": cannot be read: " + e, e);
    }
  }

  /** The folder that a task's files are in: the location itself, or the one of the file it is. */
  String folder(String location) {
    try {
      if (!source.isFile(location)) {
        return location;
      }
    } catch (IOException e) {
      throw new InvalidInputException(location + ": cannot be read: " + e, e);
    }
    int slash = location.lastIndexOf('/');
    return slash < 0 ? "." : location.substring(0, Math.max(slash, 1));
  }

  /** The file of answers beside an item file, or null where there is none. */
  String labelFile(TaskDefinition.Labels labels, String itemFile) {
    int slash = itemFile.lastIndexOf('/');
    String name = itemFile.substring(slash + 1);
    int dot = name.indexOf('.');
    String stem = dot < 0 ? name : name.substring(0, dot);
    String file = itemFile.substring(0, slash + 1) + labels.file().replace("{stem}", stem);
    try {
      return source.isFile(file) ? file : null;
    } catch (IOException e) {
      throw new InvalidInputException(file + ": cannot be read: " + e, e);
    }
  }

  private List<String> matches(String location, String pattern) throws IOException {
    int slash = pattern.lastIndexOf('/');
    String folder =
        location.replaceFirst("/+$", "") + (slash < 0 ? "" : "/" + pattern.substring(0, slash));
    if (!source.isFolder(folder)) {
      return List.of();
    }
    Pattern name = glob(pattern.substring(slash + 1));
    // Of a file that lies there both plain and compressed, the plain one: it sorts first.
    SortedMap<String, String> found = new TreeMap<>();
    source.list(folder).stream()
        .filter(file -> name.matcher(RecordFile.withoutCompression(file)).matches())
        .sorted()
        .forEach(
            file -> found.putIfAbsent(RecordFile.withoutCompression(file), folder + "/" + file));
    return List.copyOf(found.values());
  }

  /** How a file is read: by the first pattern that its name, or the end of its path, fits. */
  static FileForm form(TaskDefinition task, String file) {
    String name = RecordFile.withoutCompression(file);
    return task.formats().entrySet().stream()
        .filter(form -> name.matches("(.*/)?" + glob(form.getKey()).pattern()))
        .map(Map.Entry::getValue)
        .findFirst()
        .orElse(FileForm.BY_NAME);
  }

  private static Pattern glob(String pattern) {
    return Pattern.compile(
        ("\\Q" + pattern + "\\E").replace("*", "\\E[^/]*\\Q").replace("?", "\\E[^/]\\Q"));
  }
}
