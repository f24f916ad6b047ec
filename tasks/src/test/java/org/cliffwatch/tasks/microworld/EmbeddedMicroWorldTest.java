package org.cliffwatch.tasks.microworld;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The micro-world under {@code data/} is what the generator makes, as data/README.md says. */
class EmbeddedMicroWorldTest {
  private static final Path EMBEDDED = Path.of("..", "data", "microworld");
  private static final long SEED = 1;
  private static final int DOCUMENTS = 40_000;
  private static final int CALIBRATION = 256;
  private static final int ITEMS = 500;

  @Test
  void everyFileIsAsGenerated(@TempDir Path folder) throws IOException {
    new MicroWorld(SEED).write(folder, DOCUMENTS, CALIBRATION, ITEMS);
    Path text = folder.resolve("training.jsonl");
    try (InputStream zipped =
        new GZIPInputStream(Files.newInputStream(EMBEDDED.resolve("training.jsonl.gz")))) {
      assertThat(zipped).hasBinaryContent(Files.readAllBytes(text));
    }
    Files.delete(text);
    assertThat(files(EMBEDDED))
        .filteredOn(file -> !file.toString().equals("training.jsonl.gz"))
        .isEqualTo(files(folder));
    for (Path file : files(folder)) {
      assertThat(EMBEDDED.resolve(file)).hasSameBinaryContentAs(folder.resolve(file));
    }
  }

  private static List<Path> files(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.filter(Files::isRegularFile).map(folder::relativize).sorted().toList();
    }
  }
}
