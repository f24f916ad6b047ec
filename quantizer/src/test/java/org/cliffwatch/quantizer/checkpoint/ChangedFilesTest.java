package org.cliffwatch.quantizer.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Checkpoints whose files change between being opened and being read. */
class ChangedFilesTest {
  @TempDir Path temporary;

  static Stream<Arguments> changes() {
    return Stream.of(Change.values())
        .flatMap(
            change ->
                Stream.of(
                        "single/config.json",
                        "single/model.safetensors",
                        "single/tokenizer.json",
                        "single/tokenizer_config.json",
                        "sharded/" + SmallModels.shard(2),
                        "sharded/model.safetensors.index.json",
                        "gguf/model.gguf",
                        "gguf/tokenizer.json")
                    .map(file -> Arguments.of(change, file)));
  }

  /** A file of a checkpoint of the kind its folder says. */
  private Path file(String name) throws IOException {
    Path file = temporary.resolve(name);
    Path folder = file.getParent();
    switch (folder.getFileName().toString()) {
      case "single" -> SmallModels.folder(folder);
      case "sharded" -> SmallModels.sharded(folder);
      default -> {
        Files.createDirectories(folder);
        Files.write(folder.resolve("model.gguf"), SmallModels.gguf());
        Files.writeString(folder.resolve("tokenizer.json"), SmallModels.tokenizer());
      }
    }
    return file;
  }

  @ParameterizedTest
  @MethodSource("changes")
  void changedFileHasNoIdentity(Change change, String name) throws IOException {
    Path file = file(name);
    try (Checkpoint checkpoint = Checkpoint.open(file.getParent())) {
      String before = checkpoint.identity();
      assertThat(checkpoint.identity()).isEqualTo(before);
      change.apply(file);
      assertThatThrownBy(checkpoint::identity)
          .isInstanceOf(InvalidInputException.class)
          .hasMessageStartingWith(file + ": changed while it was in use: found ")
          .hasMessageContaining(", expected ");
    }
  }

  @ParameterizedTest
  @MethodSource("changes")
  void whatIsReadWhileAFileChangesIsNotGiven(Change change, String name) throws IOException {
    Path file = file(name);
    try (Checkpoint checkpoint = Checkpoint.open(file.getParent())) {
      assertThatThrownBy(() -> checkpoint.consistently(() -> readAfter(change, file, checkpoint)))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageStartingWith(file + ": changed while it was in use: found ");
    }
  }

  private static List<float[]> readAfter(Change change, Path file, Checkpoint checkpoint) {
    try {
      change.apply(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return checkpoint.tensorNames().stream()
        .map(tensor -> checkpoint.tensor(tensor).read())
        .toList();
  }

  /** The JVM reports such reads some time later, in compiled code later still: never outside. */
  @Test
  void readsBeyondTheEndOfATruncatedFileSurfaceNowhereElse() throws IOException {
    byte[] whole = SmallModels.safetensors();
    Path file = file("single/model.safetensors");
    for (int i = 0; i < 100; i++) {
      Files.write(file, whole);
      Checkpoint checkpoint = Checkpoint.open(file.getParent());
      try {
        checkpoint.consistently(() -> readAfter(Change.TRUNCATED, file, checkpoint));
        throw new AssertionError("read from a truncated file");
      } catch (InvalidInputException e) {
        assertThat(e).hasMessageStartingWith(file + ": changed while it was in use: found ");
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Change.class)
  void changedTokenizerIsNotRead(Change change) throws IOException {
    Path file = file("single/tokenizer.json");
    try (Checkpoint checkpoint = Checkpoint.open(file.getParent())) {
      change.apply(file);
      assertThatThrownBy(checkpoint::tokenizerFiles)
          .isInstanceOf(InvalidInputException.class)
          .hasMessageStartingWith(file + ": changed while it was in use: found ");
    }
  }

  /** Two megabytes and more, of which the stream has read one when the file changes. */
  @ParameterizedTest
  @EnumSource(Change.class)
  void streamNoticesAtItsNextRead(Change change) throws IOException {
    Files.writeString(temporary.resolve("config.json"), "{\"model_type\": \"llama\"}");
    Path file = temporary.resolve("model.safetensors");
    int rows = 600;
    ByteBuffer bytes = ByteBuffer.allocate(4 * rows * 1024).order(ByteOrder.LITTLE_ENDIAN);
    TestTensor.write(
        file, Map.of("w", new TestTensor("F32", new long[] {rows, 1024}, bytes.array())));
    try (Checkpoint checkpoint = Checkpoint.open(temporary)) {
      WeightRows streamed = checkpoint.tensor("w").streamed().rows();
      float[] row = new float[1024];
      streamed.row(0, row);
      change.apply(file);
      assertThatThrownBy(() -> streamed.row(rows - 1, row))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageStartingWith(file + ": changed while it was in use: found ");
    }
  }

  @Test
  void whatCanBeClosedIsClosedWhenAFileHasChanged() throws IOException {
    Path file = file("single/model.safetensors");
    List<String> closed = new ArrayList<>();
    try (Checkpoint checkpoint = Checkpoint.open(file.getParent())) {
      assertThat(checkpoint.consistently(() -> (AutoCloseable) () -> closed.add("unchanged")))
          .isNotNull();
      assertThatThrownBy(
              () ->
                  checkpoint.consistently(
                      () -> {
                        readAfter(Change.REPLACED, file, checkpoint);
                        return (AutoCloseable) () -> closed.add("changed");
                      }))
          .isInstanceOf(InvalidInputException.class);
    }
    assertThat(closed).containsExactly("changed");
  }

  @Test
  void otherFailuresStayWhatTheyAre() throws IOException {
    try (Checkpoint checkpoint = Checkpoint.open(file("single/config.json").getParent())) {
      assertThatThrownBy(() -> checkpoint.consistently(() -> checkpoint.tensor("none")))
          .hasMessageContaining("tensor none: missing");
      assertThatThrownBy(
              () ->
                  checkpoint.consistently(
                      () -> {
                        throw new InternalError("of another kind");
                      }))
          .isInstanceOf(InternalError.class);
    }
  }

  @Test
  void hardLinkChangesNothing() throws IOException {
    Path file = file("single/model.safetensors");
    try (Checkpoint checkpoint = Checkpoint.open(file.getParent())) {
      String before = checkpoint.identity();
      Files.createLink(temporary.resolve("link"), file);
      assertThat(checkpoint.identity()).isEqualTo(before);
      assertThat(checkpoint.consistently(() -> checkpoint.tensor("model.norm.weight").read()))
          .isNotEmpty();
    }
  }

  @Test
  void fileThatAppearsLaterIsNotPartOfIt() throws IOException {
    Path folder = file("single/config.json").getParent();
    String without;
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      without = checkpoint.identity();
      Files.writeString(folder.resolve("special_tokens_map.json"), "{\"unk_token\": \"<extra>\"}");
      assertThat(checkpoint.identity()).isEqualTo(without);
      assertThat(checkpoint.tokenizerFiles().orElseThrow().specialTokens().has("unk_token"))
          .isFalse();
    }
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.identity()).isNotEqualTo(without);
    }
  }

  /**
   * Files that look unchanged in every respect are not hashed again: that shows in what changed.
   */
  @Test
  void identityIsReadOnceAsLongAsFilesLookTheSame() throws IOException {
    Path file = file("single/model.safetensors");
    String before;
    try (Checkpoint checkpoint = Checkpoint.open(file.getParent())) {
      before = checkpoint.identity();
    }
    FileTime time = Files.getLastModifiedTime(file);
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length - 4] ^= 1;
    Files.write(file, bytes, StandardOpenOption.WRITE);
    Files.setLastModifiedTime(file, time);
    try (Checkpoint checkpoint = Checkpoint.open(file.getParent())) {
      assertThat(checkpoint.identity()).isEqualTo(before);
    }
    Path copy = Files.copy(file, temporary.resolve("copy"));
    Files.move(copy, file, StandardCopyOption.REPLACE_EXISTING);
    try (Checkpoint checkpoint = Checkpoint.open(file.getParent())) {
      assertThat(checkpoint.identity()).isNotEqualTo(before);
    }
  }
}
