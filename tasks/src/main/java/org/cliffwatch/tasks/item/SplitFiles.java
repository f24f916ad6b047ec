package org.cliffwatch.tasks.item;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.JsonProblem;
import org.cliffwatch.tasks.definition.Dataset;
import org.cliffwatch.tasks.format.RecordFile;

/**
 * A split's files where Hugging Face's tools leave them: the hub's cache, {@code datasets}' cache,
 * what {@code save_to_disk} wrote, and folders of {@code CONFIG/SPLIT-00000-of-00001.parquet},
 * {@code CONFIG/SPLIT/0000.parquet} and the like. Costs a listing a folder, seven deep at most.
 */
final class SplitFiles {
  private static final int DEEPEST = 7;

  /** How many of the files found a message names. */
  private static final int SHOWN = 8;

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Set<String> ENDINGS =
      Set.of("parquet", "arrow", "jsonl", "ndjson", "json", "csv", "tsv");

  /** Files that tell of others. */
  private static final String STATE = "state.json";

  private static final String INFO = "dataset_info.json";
  private static final Set<String> NO_DATA =
      Set.of(STATE, INFO, "dataset_dict.json", "dataset_infos.json", "README.json");

  /** Folders that say nothing of a configuration. */
  private static final Pattern NEUTRAL =
      Pattern.compile(
          "data|plain_text|default(-[0-9a-f]+)?|[0-9]+\\.[0-9]+\\.[0-9]+|[0-9a-f]{16,64}");

  private static final String SHARD = "(?:-([0-9]{5})-of-([0-9]{5}))?(?:-[0-9a-f]{8,})?";

  /** Names of a file in a folder of one split. */
  private static final Pattern NUMBERED =
      Pattern.compile("(?:(?:data|part|[a-z_]+)-)?[0-9]{4,5}(?:-of-([0-9]{5}))?");

  /** What {@code datasets} takes for a split, besides its own name. */
  private static final Map<String, List<String>> SYNONYMS =
      Map.of("validation", List.of("valid", "dev", "val"), "test", List.of("testing"));

  private final DataSource source;
  private final Dataset dataset;

  SplitFiles(DataSource source, Dataset dataset) {
    this.source = source;
    this.dataset = dataset;
  }

  /**
   * A file of data.
   *
   * @param folder where it lies, below the root; empty for the root itself
   * @param config the configuration its folder or {@code dataset_info.json} says; null if none
   * @param split the split that {@code state.json} says; null if none
   */
  private record Candidate(String folder, String name, String config, String split) {
    String path() {
      return folder.isEmpty() ? name : folder + "/" + name;
    }
  }

  /** Files that are one split's, in one place. */
  private record Group(String folder, String prefix, String ending) implements Comparable<Group> {
    @Override
    public int compareTo(Group other) {
      return toString().compareTo(other.toString());
    }
  }

  /**
   * The folder that holds the data set: of a cache the snapshot or the data set's own folder, else
   * the location itself.
   */
  String root(String location) throws IOException {
    String folder = location.replaceFirst("/+$", "");
    String name = folder.substring(folder.lastIndexOf('/') + 1);
    if (name.startsWith("datasets--") && source.isFolder(folder + "/snapshots")) {
      return snapshot(folder);
    }
    if (dataset.name() != null) {
      String repository = folder + "/datasets--" + dataset.name().replace("/", "--");
      if (source.isFolder(repository + "/snapshots")) {
        return snapshot(repository);
      }
      String cached = folder + "/" + cacheName(dataset.name());
      if (source.isFolder(cached)) {
        return cached;
      }
    }
    return folder;
  }

  /**
   * {@code datasets}' folder for a repository: {@code Org/CamelName} → {@code Org___camel_name}.
   */
  private static String cacheName(String repository) {
    int slash = repository.indexOf('/');
    String name = repository.substring(slash + 1);
    String snake =
        name.replaceAll("([A-Z]+)([A-Z][a-z])", "$1_$2")
            .replaceAll("([a-z0-9])([A-Z])", "$1_$2")
            .toLowerCase(Locale.ROOT);
    return slash < 0 ? snake : repository.substring(0, slash) + "___" + snake;
  }

  private String snapshot(String repository) throws IOException {
    String main = repository + "/refs/main";
    String snapshots = repository + "/snapshots";
    if (source.isFile(main)) {
      String revision = new String(ItemFiles.read(source, main), StandardCharsets.UTF_8).strip();
      if (!revision.matches("[0-9A-Za-z._-]+") || !source.isFolder(snapshots + "/" + revision)) {
        throw new InvalidInputException(
            main
                + ": found revision '"
                + revision
                + "', expected one of "
                + String.join(", ", sorted(source.folders(snapshots))));
      }
      return snapshots + "/" + revision;
    }
    List<String> revisions = sorted(source.folders(snapshots));
    if (revisions.size() != 1) {
      throw new InvalidInputException(
          repository
              + ": found no refs/main and "
              + revisions.size()
              + " snapshots, expected to be given one of them: "
              + String.join(", ", revisions));
    }
    return snapshots + "/" + revisions.get(0);
  }

  /**
   * The files of the data set's split below a folder, in the order of their shards; empty where
   * there are none.
   *
   * @throws InvalidInputException where more than one place has it, or shards are missing
   */
  List<String> find(String root) throws IOException {
    List<Candidate> all = new ArrayList<>();
    walk(root, "", 0, all);
    List<String> names =
        Stream.concat(
                Stream.of(dataset.split()),
                SYNONYMS.getOrDefault(dataset.split(), List.of()).stream())
            .toList();
    for (String split : names) {
      Map<Group, List<Candidate>> groups = ofConfiguration(root, groups(all, split));
      if (groups.size() > 1) {
        throw new InvalidInputException(
            root
                + ": found split "
                + split
                + " in more than one place, expected to be given one of them: "
                + shown(groups.values().stream().map(files -> files.get(0).path()).toList()));
      }
      if (!groups.isEmpty()) {
        return whole(root, groups.values().iterator().next());
      }
    }
    return List.of();
  }

  /** What a message says of the files that are there: none is the split's. */
  String others(String root) throws IOException {
    List<Candidate> all = new ArrayList<>();
    walk(root, "", 0, all);
    return all.isEmpty()
        ? "no file of data"
        : shown(all.stream().map(Candidate::path).sorted().toList());
  }

  /** The split and its configuration, for messages. */
  String wanted() {
    return "split "
        + dataset.split()
        + (dataset.config() == null ? "" : " of configuration " + dataset.config());
  }

  private void walk(String root, String folder, int depth, List<Candidate> found)
      throws IOException {
    String here = folder.isEmpty() ? root : root + "/" + folder;
    List<String> files = sorted(source.list(here));
    String config = config(here, folder, files);
    String split = files.contains(STATE) ? text(here + "/" + STATE, "_split") : null;
    for (String file : files) {
      if (isData(file)) {
        found.add(new Candidate(folder, file, config, split));
      }
    }
    if (depth < DEEPEST) {
      for (String inner : sorted(source.folders(here))) {
        if (!inner.startsWith(".")) {
          walk(root, folder.isEmpty() ? inner : folder + "/" + inner, depth + 1, found);
        }
      }
    }
  }

  private static boolean isData(String file) {
    return ENDINGS.contains(ending(file))
        && !NO_DATA.contains(file)
        && !file.startsWith(".")
        && !(file.startsWith("cache-") && file.endsWith(".arrow"));
  }

  private String config(String here, String folder, List<String> files) throws IOException {
    if (files.contains(INFO)) {
      String named = text(here + "/" + INFO, "config_name");
      if (named != null && !NEUTRAL.matcher(named).matches()) {
        return named;
      }
    }
    String first = null;
    for (String step : folder.split("/", -1)) {
      if (dataset.config() != null
          && step.matches(Pattern.quote(dataset.config()) + "(-[0-9a-f]{8,})?")) {
        return dataset.config();
      }
      boolean says = !step.isEmpty() && !NEUTRAL.matcher(step).matches() && !isSplit(step);
      first = first == null && says ? step : first;
    }
    return first;
  }

  private boolean isSplit(String folder) {
    return folder.equals(dataset.split())
        || Set.of("train", "validation", "test").contains(folder)
        || SYNONYMS.getOrDefault(dataset.split(), List.of()).contains(folder);
  }

  private Map<Group, List<Candidate>> groups(List<Candidate> all, String split) {
    Pattern named = Pattern.compile("(?:(.+)[-.])?" + Pattern.quote(split) + SHARD);
    Map<Group, List<Candidate>> groups = new TreeMap<>();
    for (Candidate file : all) {
      Matcher matcher = named.matcher(stem(file.name()));
      boolean inFolder =
          (file.folder().equals(split) || file.folder().endsWith("/" + split))
              && NUMBERED.matcher(stem(file.name())).matches();
      boolean said = file.split() != null;
      if (said ? file.split().equals(split) : inFolder || matcher.matches()) {
        String prefix = said || inFolder || matcher.group(1) == null ? "" : matcher.group(1);
        groups
            .computeIfAbsent(
                new Group(file.folder(), prefix, ending(file.name())), g -> new ArrayList<>())
            .add(file);
      }
    }
    return groups;
  }

  /** Of several configurations the data set's; where none says which it is, all. */
  private Map<Group, List<Candidate>> ofConfiguration(
      String root, Map<Group, List<Candidate>> groups) {
    String wanted = dataset.config();
    if (wanted == null || groups.isEmpty()) {
      return groups;
    }
    for (boolean named : new boolean[] {true, false}) {
      Map<Group, List<Candidate>> of = new TreeMap<>(groups);
      of.values()
          .removeIf(
              files -> {
                String config = files.get(0).config();
                return named ? !wanted.equals(config) : config != null;
              });
      if (!of.isEmpty()) {
        return of;
      }
    }
    throw new InvalidInputException(
        root
            + ": found split "
            + dataset.split()
            + " of other configurations, expected "
            + wanted
            + ": "
            + shown(groups.values().stream().map(files -> files.get(0).path()).toList()));
  }

  /** All shards there are, or an error. */
  private static List<String> whole(String root, List<Candidate> files) {
    Pattern shard = Pattern.compile(".*?([0-9]{5})-of-([0-9]{5}).*");
    for (Candidate file : files) {
      Matcher matcher = shard.matcher(file.name());
      int total = matcher.matches() ? Integer.parseInt(matcher.group(2)) : files.size();
      if (total != files.size()) {
        throw new InvalidInputException(
            root
                + "/"
                + file.path()
                + ": found "
                + files.size()
                + " of the split's files beside it, expected "
                + total);
      }
    }
    return files.stream().map(file -> root + "/" + file.path()).sorted().toList();
  }

  private String text(String file, String field) throws IOException {
    try {
      JsonNode value = JSON.readTree(ItemFiles.read(source, file)).path(field);
      return value.isTextual() ? value.textValue() : null;
    } catch (JsonProcessingException e) {
      throw new InvalidInputException(
          file
              + ", line "
              + e.getLocation().getLineNr()
              + ": found malformed JSON: "
              + JsonProblem.of(e),
          e);
    }
  }

  private static String ending(String file) {
    String name = RecordFile.withoutCompression(file);
    return name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
  }

  private static String stem(String file) {
    String name = RecordFile.withoutCompression(file);
    return name.substring(0, Math.max(0, name.lastIndexOf('.')));
  }

  private static List<String> sorted(List<String> names) {
    return names.stream().sorted().toList();
  }

  private static String shown(List<String> paths) {
    return String.join(", ", paths.subList(0, Math.min(SHOWN, paths.size())))
        + (paths.size() > SHOWN ? " and " + (paths.size() - SHOWN) + " more" : "");
  }
}
