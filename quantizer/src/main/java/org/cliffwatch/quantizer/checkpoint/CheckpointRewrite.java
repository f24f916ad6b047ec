package org.cliffwatch.quantizer.checkpoint;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.cliffwatch.quantizer.InvalidInputException;

/**
 * Writes a Hugging Face folder that is another one with some tensors changed: the same shards, the
 * other files as they are. Tensors are read and written a piece at a time, so that memory does not
 * grow with the checkpoint. The folder appears whole or not at all.
 */
public final class CheckpointRewrite {
  /** What becomes of a tensor. */
  public interface Change {
    /**
     * Changes elements {@code [first, first + count)}, in row-major order. Every element is asked
     * for twice.
     *
     * @throws InvalidInputException if one of them cannot be changed
     */
    void apply(long first, float[] values, int count);
  }

  private interface Piece {
    void accept(float[] values, int count) throws IOException;
  }

  private static final int PIECE = 1 << 18;

  private final Checkpoint from;
  private final HuggingFaceFolder folder;
  private final Map<String, Change> changes;
  private final Map<String, String> metadata;
  private final Consumer<String> progress;
  private final SortedSet<String> widened = new TreeSet<>();
  private long bytes;

  private CheckpointRewrite(
      Checkpoint from,
      Map<String, ? extends Change> changes,
      Map<String, String> metadata,
      Consumer<String> progress) {
    this.from = from;
    this.folder = new HuggingFaceFolder(from.path());
    this.changes = Map.copyOf(changes);
    this.metadata = metadata;
    this.progress = progress;
  }

  /**
   * Writes the folder.
   *
   * @param to a new folder, or an empty one
   * @param changes by the name of the tensor. It keeps its type where that holds every changed
   *     element to the bit, and is stored as F32 where it does not
   * @param metadata that is added to each file's
   * @param progress is told, in words, of files that are written and that are not
   * @return the tensors that are F32 and were not
   * @throws InvalidInputException if {@code from} is no folder of safetensors, or its files' {@code
   *     metadata} is there already; if {@code to} is not new; if something cannot be read or
   *     written
   */
  public static SortedSet<String> write(
      Checkpoint from,
      Path to,
      Map<String, ? extends Change> changes,
      Map<String, String> metadata,
      Consumer<String> progress) {
    if (!Files.isDirectory(from.path()) || new HuggingFaceFolder(from.path()).gguf() != null) {
      throw new InvalidInputException(
          from.path() + ": found GGUF, expected a Hugging Face folder with safetensors");
    }
    try {
      CheckpointRewrite rewrite = new CheckpointRewrite(from, changes, metadata, progress);
      WholeFolder.create(to.toAbsolutePath().normalize(), rewrite::writeConsistently);
      return rewrite.widened;
    } catch (IOException | UncheckedIOException e) {
      throw new InvalidInputException(to + ": cannot be written: " + e, e);
    }
  }

  private void writeConsistently(Path to) {
    from.consistently(
        () ->
            folder
                .files()
                .consistently(
                    () -> {
                      try {
                        write(to);
                        return null;
                      } catch (IOException e) {
                        throw new UncheckedIOException(e);
                      }
                    }));
  }

  private void write(Path to) throws IOException {
    Map<Path, List<StoredTensor>> byFile = new LinkedHashMap<>();
    for (String name : from.tensorNames()) {
      StoredTensor tensor = from.tensor(name).streamed();
      byFile.computeIfAbsent(tensor.file(), file -> new ArrayList<>()).add(tensor);
    }
    for (Map.Entry<Path, List<StoredTensor>> file : byFile.entrySet()) {
      progress.accept(file.getKey() + ": " + file.getValue().size() + " tensors");
      writeTensors(file.getKey(), file.getValue(), to.resolve(file.getKey().getFileName()));
    }
    ObjectNode index = folder.index();
    if (index != null) {
      if (index.at("/metadata/total_size").isNumber()) {
        index.withObject("/metadata").put("total_size", bytes);
      }
      new ObjectMapper()
          .writerWithDefaultPrettyPrinter()
          .writeValue(to.resolve(HuggingFaceFolder.INDEX).toFile(), index);
    }
    for (Path file : folder.others()) {
      Files.copy(file, to.resolve(file.getFileName()));
    }
    folder.besides(byFile.keySet()).forEach(file -> progress.accept(file + ": not copied"));
    Files.copy(from.path().resolve(HuggingFaceFolder.CONFIG), to.resolve(HuggingFaceFolder.CONFIG));
  }

  private void writeTensors(Path source, List<StoredTensor> tensors, Path target)
      throws IOException {
    Map<String, String> all = metadata(source);
    List<SafetensorsWriter.Entry> entries = new ArrayList<>();
    for (StoredTensor tensor : tensors) {
      entries.add(new SafetensorsWriter.Entry(tensor.name(), stored(tensor), tensor.shape()));
    }
    // As the reference implementation has them: so elements lie at multiples of their width.
    entries.sort(Comparator.comparingInt(entry -> -entry.type().blockBytes()));
    try (SafetensorsWriter out = new SafetensorsWriter(target, all, entries)) {
      for (SafetensorsWriter.Entry entry : entries) {
        StoredTensor tensor = from.tensor(entry.name()).streamed();
        if (changes.containsKey(entry.name())) {
          forEachPiece(tensor, out::write);
        } else {
          copy(tensor, out);
        }
        bytes += tensor.elements() * entry.type().blockBytes();
      }
    }
  }

  private Map<String, String> metadata(Path source) {
    Map<String, String> all = new LinkedHashMap<>(SafetensorsFile.metadata(source));
    all.putIfAbsent("format", "pt");
    metadata.forEach(
        (name, value) -> {
          String found = all.put(name, value);
          if (found != null) {
            throw new InvalidInputException(
                source + ": metadata \"" + name + "\": found " + found + ", expected none");
          }
        });
    return all;
  }

  /** The type that a tensor is stored in. */
  private StorageType stored(StoredTensor tensor) throws IOException {
    StorageType type = tensor.type();
    if (!changes.containsKey(tensor.name())) {
      return type;
    }
    boolean[] holds = {true};
    forEachPiece(
        tensor,
        (values, count) -> {
          for (int i = 0; i < count; i++) {
            holds[0] &= type.holds(values[i]);
          }
        });
    if (holds[0]) {
      return type;
    }
    widened.add(tensor.name());
    return StorageType.F32;
  }

  private void forEachPiece(StoredTensor tensor, Piece piece) throws IOException {
    Change change = changes.get(tensor.name());
    float[] values = new float[(int) Math.min(PIECE, tensor.elements())];
    for (long first = 0; first < tensor.elements(); first += values.length) {
      int count = (int) Math.min(values.length, tensor.elements() - first);
      tensor.read(first, values, 0, count);
      change.apply(first, values, count);
      piece.accept(values, count);
    }
  }

  private static void copy(StoredTensor tensor, SafetensorsWriter out) throws IOException {
    byte[] piece = new byte[(int) Math.min(4 * PIECE, tensor.bytes())];
    for (long from = 0; from < tensor.bytes(); from += piece.length) {
      int count = (int) Math.min(piece.length, tensor.bytes() - from);
      tensor.bytes(from, piece, 0, count);
      out.write(piece, count);
    }
  }
}
