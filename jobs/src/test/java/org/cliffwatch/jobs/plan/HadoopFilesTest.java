package org.cliffwatch.jobs.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.item.ItemSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Hugging Face's folders, links into blobs included, by Hadoop's file systems. */
class HadoopFilesTest {
  private static final String ITEM =
      "{\"goal\": \"g\", \"sol1\": \"a\", \"sol2\": \"b\", \"label\": 1}\n";

  @TempDir Path folder;

  private static ItemSet read(String location) {
    return ItemSet.read(
        Tasks.load("piqa"),
        location,
        new HadoopFiles(new Configuration()),
        PromptVersion.V1,
        ItemSet.ALL);
  }

  @Test
  void theHubsCacheIsReadByItsMainRevision() throws IOException {
    Path repository = folder.resolve("datasets--baber--piqa");
    Path data = Files.createDirectories(repository.resolve("snapshots/0123abcd/data"));
    Path blob =
        Files.writeString(
            Files.createDirectories(repository.resolve("blobs")).resolve("aaaa"), ITEM);
    Files.createSymbolicLink(data.resolve("validation.jsonl"), data.relativize(blob));
    Files.createSymbolicLink(data.resolve("test.jsonl"), Path.of("../../../blobs/gone"));
    Files.writeString(
        Files.createDirectories(repository.resolve("refs")).resolve("main"), "0123abcd\n");
    for (Path location : new Path[] {folder, repository, data.getParent(), data}) {
      for (String scheme : new String[] {"", "file:", "file://"}) {
        ItemSet set = read(scheme + location);
        assertThat(set.items()).hasSize(1);
        assertThat(set.files().get(0).path()).endsWith("/data/validation.jsonl");
      }
    }
  }

  @Test
  void whatIsMissingIsNamed() throws IOException {
    Files.writeString(folder.resolve("test.jsonl"), ITEM);
    assertThatThrownBy(() -> read("file:" + folder))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith("file:" + folder)
        .hasMessageEndingWith(
            "or files of split validation (or name the file itself); found test.jsonl");
  }
}
