package org.cliffwatch.quantizer.checkpoint;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.cliffwatch.quantizer.InvalidInputException;

/**
 * A checkpoint, opened: its configuration, its tensors (memory-mapped, not loaded) and its
 * tokenizer's files. Opening reads headers only. Safe for use by many threads.
 *
 * <p>It is the files as they were when it was opened. Identity and tokenizer are never read from
 * files that have changed since; who reads tensors does so in {@link #consistently}.
 */
public final class Checkpoint implements AutoCloseable {
  private final Path path;
  private final ConfigFields config;
  private final Supplier<TokenizerFiles> tokenizer;
  private final OpenedFiles files;
  private final AtomicReference<Runnable> onClose = new AtomicReference<>(() -> {});
  private volatile Map<String, StoredTensor> tensors;

  private Checkpoint(
      Path path,
      ConfigFields config,
      Supplier<TokenizerFiles> tokenizer,
      OpenedFiles files,
      Map<String, StoredTensor> tensors) {
    this.path = path;
    this.config = config;
    this.tokenizer = tokenizer;
    this.files = files;
    this.tensors = tensors;
  }

  /**
   * Opens a Hugging Face folder ({@code config.json}; {@code model.safetensors}, or {@code
   * model.safetensors.index.json} with its shards; {@code tokenizer.json} if there is one), a GGUF
   * file, or a folder with one GGUF file, or the parts of a split one, and no safetensors. A GGUF
   * file's tokenizer is the {@code tokenizer.json} beside it, or else made of its own vocabulary.
   *
   * @throws InvalidInputException if it is not there, not sound, or changing
   */
  public static Checkpoint open(Path path) {
    if (Files.isRegularFile(path)) {
      HuggingFaceFolder beside = new HuggingFaceFolder(path.toAbsolutePath().getParent());
      return beside.files().consistently(() -> gguf(path, beside));
    }
    if (!Files.isDirectory(path)) {
      throw new InvalidInputException(
          path + ": not found, expected a Hugging Face folder or a .gguf file");
    }
    HuggingFaceFolder folder = new HuggingFaceFolder(path);
    return folder
        .files()
        .consistently(
            () -> {
              Path gguf = folder.gguf();
              return gguf == null ? huggingFace(path, folder) : gguf(gguf, folder);
            });
  }

  private static Checkpoint huggingFace(Path path, HuggingFaceFolder folder) {
    ConfigFields config = folder.config();
    folder.findTokenizer();
    return new Checkpoint(path, config, folder::tokenizer, folder.files(), folder.tensors());
  }

  private static Checkpoint gguf(Path path, HuggingFaceFolder beside) {
    beside.findTokenizer();
    GgufFile file = GgufFile.open(path, beside.files()::add);
    GgufModel model = new GgufModel(file);
    Supplier<TokenizerFiles> tokenizer =
        () -> {
          TokenizerFiles own = beside.tokenizer();
          return own != null ? own : GgufVocabulary.read(file);
        };
    return new Checkpoint(path, model.config(), tokenizer, beside.files(), model.tensors());
  }

  /** The folder, or the GGUF file. */
  public Path path() {
    return path;
  }

  /**
   * What this checkpoint is, wherever it lies: a sha256 in hex over the configuration, every tensor
   * (name, type, shape, stored bytes) and the tokenizer's files. File names, sharding, the order of
   * tensors and the layout of JSON do not count.
   *
   * <p>Reads all of it, once in this process as long as the files keep path, size and time.
   *
   * @throws InvalidInputException if a file has changed since this was opened
   */
  public String identity() {
    return Identity.of(this, files.states());
  }

  /**
   * Reads something of this checkpoint, and makes sure that all of it was of the files that were
   * opened: the same ones, with the size and the time of modification they had.
   *
   * <p>Where {@code reading} fails and a file has changed, that is the failure: so does what reads
   * beyond the end of a file that was truncated, which Java reports as an {@link InternalError}.
   *
   * @return what {@code reading} gives; if a file has changed, that is closed if it can be
   * @throws InvalidInputException naming a file that has changed, what was found and what expected
   */
  public <T> T consistently(Supplier<T> reading) {
    return files.consistently(reading);
  }

  /** Whether a file is not as it was when this was opened, so that nothing can be read any more. */
  public boolean hasChanged() {
    return files.change().isPresent();
  }

  /** The fields of {@code config.json}, or what a GGUF file says in its place. */
  public ConfigFields config() {
    return config;
  }

  /**
   * The tokenizer's files, read anew at each call; empty for a checkpoint without one.
   *
   * @throws InvalidInputException if a file has changed since this was opened
   */
  public Optional<TokenizerFiles> tokenizerFiles() {
    return Optional.ofNullable(consistently(tokenizer));
  }

  /** The names of all tensors, in the order in which they are stored. */
  public Set<String> tensorNames() {
    return Collections.unmodifiableSet(open().keySet());
  }

  public boolean hasTensor(String name) {
    return open().containsKey(name);
  }

  /**
   * The tensor of this name.
   *
   * @throws InvalidInputException if there is none
   */
  public StoredTensor tensor(String name) {
    StoredTensor tensor = open().get(name);
    if (tensor == null) {
      throw new InvalidInputException(
          path + ": tensor " + name + ": missing among " + open().size() + " tensors");
    }
    return tensor;
  }

  /**
   * What its weight files say of themselves, {@code __metadata__} of safetensors; where several say
   * something, the first of them. Of GGUF nothing.
   */
  public Map<String, String> metadata() {
    Map<String, String> metadata = new LinkedHashMap<>();
    if (Files.isDirectory(path)) {
      open().values().stream()
          .map(StoredTensor::file)
          .distinct()
          .forEach(file -> SafetensorsFile.metadata(file).forEach(metadata::putIfAbsent));
    }
    return metadata;
  }

  /**
   * Has an action run when this is closed, once: who brought the files here may take them away.
   *
   * @return this
   */
  public Checkpoint onClose(Runnable action) {
    onClose.set(action);
    return this;
  }

  /** Lets go of the mapped files, which are unmapped when the last tensor is garbage. */
  @Override
  public void close() {
    tensors = null;
    onClose.getAndSet(() -> {}).run();
  }

  private Map<String, StoredTensor> open() {
    Map<String, StoredTensor> current = tensors;
    if (current == null) {
      throw new IllegalStateException(path + ": closed");
    }
    return current;
  }
}
