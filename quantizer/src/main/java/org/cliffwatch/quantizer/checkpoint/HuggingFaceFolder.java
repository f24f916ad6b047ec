package org.cliffwatch.quantizer.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.InvalidInputException;

/**
 * The files of a Hugging Face folder. Every file must lie in the folder itself; the one kind of
 * link out of it that is followed is that of the Hugging Face cache, from {@code
 * snapshots/REVISION} to {@code blobs} beside {@code snapshots}.
 */
final class HuggingFaceFolder {
  private static final long MAX_CONFIG_BYTES = 4L << 20;
  private static final long MAX_INDEX_BYTES = 64L << 20;
  private static final long MAX_TOKENIZER_BYTES = 64L << 20;

  /** Of any framework, with the indices of their parts. */
  private static final Pattern WEIGHT_FILES =
      Pattern.compile(
          ".*\\.(safetensors|gguf|bin|pt|pth|ckpt|h5|msgpack|onnx|onnx_data|ot)(\\.index\\.json)?");

  static final String CONFIG = "config.json";
  static final String INDEX = "model.safetensors.index.json";
  private static final String WEIGHTS = "model.safetensors";
  private static final String TOKENIZER = "tokenizer.json";
  private static final String TOKENIZER_CONFIG = "tokenizer_config.json";
  private static final String SPECIAL_TOKENS = "special_tokens_map.json";

  private final Path folder;
  private final OpenedFiles files = new OpenedFiles();

  /** Every name that was looked for: what is not there at first stays out of it. */
  private final Map<String, Optional<Path>> found = new ConcurrentHashMap<>();

  HuggingFaceFolder(Path folder) {
    this.folder = folder;
  }

  /** The files found so far, as they were then; nothing of a file is read before. */
  OpenedFiles files() {
    return files;
  }

  ConfigFields config() {
    return config(require(CONFIG));
  }

  /** The tokenizer's files, or null if there is no {@code tokenizer.json}. */
  TokenizerFiles tokenizer() {
    Path file = find(TOKENIZER);
    if (file == null) {
      return null;
    }
    return new TokenizerFiles(
        file.toString(),
        Json.bytes(file, MAX_TOKENIZER_BYTES),
        optional(TOKENIZER_CONFIG),
        optional(SPECIAL_TOKENS));
  }

  /** Finds the files {@link #tokenizer} reads; none without {@code tokenizer.json}. */
  void findTokenizer() {
    if (find(TOKENIZER) != null) {
      find(TOKENIZER_CONFIG);
      find(SPECIAL_TOKENS);
    }
  }

  /** Every tensor by name, from one file or from the shards that the index names. */
  Map<String, StoredTensor> tensors() {
    Path single = find(WEIGHTS);
    if (single != null) {
      Map<String, StoredTensor> tensors = new LinkedHashMap<>();
      for (StoredTensor tensor : SafetensorsFile.read(single)) {
        tensors.put(tensor.name(), tensor);
      }
      return tensors;
    }
    Path index = find(INDEX);
    if (index == null) {
      throw new InvalidInputException(
          folder + ": found neither " + WEIGHTS + " nor " + INDEX + otherWeights());
    }
    return sharded(index);
  }

  /** The index of the shards, or null where one file holds every tensor. */
  ObjectNode index() {
    return find(WEIGHTS) != null ? null : Json.object(require(INDEX), MAX_INDEX_BYTES);
  }

  /** The files beside weights and configuration, by name. */
  List<Path> others() {
    return list(file -> Files.isRegularFile(file) && !isWeights(file) && !file.endsWith(CONFIG))
        .stream()
        .map(file -> find(file.getFileName().toString()))
        .toList();
  }

  /** Folders, and files of weights that are neither the index nor among {@code read}. */
  List<Path> besides(Set<Path> read) {
    return list(
        file ->
            !Files.isRegularFile(file)
                || (isWeights(file) && !read.contains(file) && !file.endsWith(INDEX)));
  }

  private List<Path> list(Predicate<Path> wanted) {
    try (Stream<Path> all = Files.list(folder)) {
      return all.filter(wanted).sorted().toList();
    } catch (IOException | UncheckedIOException e) {
      throw new InvalidInputException(folder + ": cannot be read: " + e, e);
    }
  }

  private static boolean isWeights(Path file) {
    return WEIGHT_FILES.matcher(file.getFileName().toString()).matches();
  }

  /** The folder's GGUF file if that is what it holds in place of safetensors, else null. */
  Path gguf() {
    if (find(WEIGHTS) != null || find(INDEX) != null) {
      return null;
    }
    Set<String> weights = new TreeSet<>();
    try (DirectoryStream<Path> some = Files.newDirectoryStream(folder, "*.gguf")) {
      some.forEach(file -> weights.add(file.getFileName().toString()));
    } catch (IOException | DirectoryIteratorException e) {
      throw new InvalidInputException(folder + ": cannot be read: " + e, e);
    }
    if (weights.isEmpty()) {
      return null;
    }
    if (weights.size() == 1) {
      return find(weights.iterator().next());
    }
    return GgufFile.firstPart(weights)
        .map(this::find)
        .orElseThrow(
            () ->
                new InvalidInputException(
                    folder
                        + ": found "
                        + weights.size()
                        + " .gguf files, expected one, or the parts of one; name the file itself"));
  }

  private Map<String, StoredTensor> sharded(Path index) {
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    shards(index).forEach((shard, names) -> addShard(index, shard, names, tensors));
    return tensors;
  }

  /** The names of the tensors in every shard. */
  private static Map<String, List<String>> shards(Path index) {
    JsonNode weightMap = Json.object(index, MAX_INDEX_BYTES).get("weight_map");
    if (!(weightMap instanceof ObjectNode map)) {
      throw new InvalidInputException(index + ": expected an object \"weight_map\"");
    }
    Map<String, List<String>> shards = new LinkedHashMap<>();
    map.properties()
        .forEach(
            entry -> {
              if (!entry.getValue().isTextual()) {
                throw new InvalidInputException(
                    index + ": tensor " + entry.getKey() + ": expected the name of a file");
              }
              shards
                  .computeIfAbsent(entry.getValue().textValue(), shard -> new ArrayList<>())
                  .add(entry.getKey());
            });
    return shards;
  }

  private void addShard(
      Path index, String shard, List<String> names, Map<String, StoredTensor> tensors) {
    if (!shard.endsWith(".safetensors")
        || shard.indexOf('/') >= 0
        || shard.indexOf('\\') >= 0
        || shard.indexOf('\0') >= 0) {
      throw new InvalidInputException(
          index
              + ": tensor "
              + names.get(0)
              + ": found file \""
              + shard
              + "\", expected the name of a .safetensors file in the same folder");
    }
    Path file = find(shard);
    if (file == null) {
      throw new InvalidInputException(
          folder.resolve(shard) + ": missing, but " + INDEX + " names it for " + names.get(0));
    }
    TreeSet<String> expected = new TreeSet<>(names);
    for (StoredTensor tensor : SafetensorsFile.read(file)) {
      if (!expected.remove(tensor.name())) {
        throw new InvalidInputException(tensor.where() + ": not in " + INDEX + " for this shard");
      }
      tensors.put(tensor.name(), tensor);
    }
    if (!expected.isEmpty()) {
      throw new InvalidInputException(
          file + ": tensor " + expected.first() + ": missing, but " + INDEX + " names it");
    }
  }

  private String otherWeights() {
    for (String name : List.of("pytorch_model.bin", "pytorch_model.bin.index.json")) {
      if (Files.exists(folder.resolve(name))) {
        return "; "
            + name
            + " is a pickle and not read, save the model with safe_serialization=True";
      }
    }
    return "";
  }

  private ConfigFields optional(String name) {
    Path file = find(name);
    return file == null
        ? ConfigFields.of(folder.resolve(name).toString(), JsonNodeFactory.instance.objectNode())
        : config(file);
  }

  private static ConfigFields config(Path file) {
    return ConfigFields.of(file.toString(), Json.object(file, MAX_CONFIG_BYTES));
  }

  private Path require(String name) {
    Path file = find(name);
    if (file == null) {
      throw new InvalidInputException(
          folder.resolve(name) + ": missing; expected a Hugging Face folder or a .gguf file");
    }
    return file;
  }

  /** The file of this name, or null. */
  private Path find(String name) {
    return found.computeIfAbsent(name, n -> Optional.ofNullable(look(n))).orElse(null);
  }

  private Path look(String name) {
    Path file = folder.resolve(name);
    if (!Files.exists(file)) {
      return null;
    }
    try {
      Path real = file.toRealPath();
      Path home = folder.toRealPath();
      if (!real.startsWith(home) && !isCacheBlob(home, real)) {
        throw new InvalidInputException(file + ": a link out of its folder, to " + real);
      }
      if (!Files.isRegularFile(real)) {
        throw new InvalidInputException(file + ": not a regular file");
      }
      return files.add(file);
    } catch (IOException e) {
      throw new InvalidInputException(file + ": cannot be read: " + e, e);
    }
  }

  /** {@code …/models--ORG--NAME/snapshots/REVISION/x} → {@code …/models--ORG--NAME/blobs/y}. */
  private static boolean isCacheBlob(Path home, Path real) {
    Path snapshots = home.getParent();
    return snapshots != null
        && snapshots.endsWith("snapshots")
        && snapshots.resolveSibling("blobs").equals(real.getParent());
  }
}
