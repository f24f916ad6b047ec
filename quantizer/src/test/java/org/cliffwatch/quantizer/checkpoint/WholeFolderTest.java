package org.cliffwatch.quantizer.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.cliffwatch.quantizer.InvalidInputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WholeFolderTest {
  @TempDir Path parent;

  private static WholeFolder.Content file(String name) {
    return folder -> Files.writeString(folder.resolve(name), name);
  }

  @Test
  void createsFoldersThatAreNewOrEmpty() throws IOException {
    WholeFolder.create(parent.resolve("deep/new"), file("a"));
    assertThat(parent.resolve("deep/new/a")).hasContent("a");
    Path empty = Files.createDirectory(parent.resolve("empty"));
    WholeFolder.create(empty, file("b"));
    assertThat(empty.resolve("b")).hasContent("b");
    assertThatThrownBy(() -> WholeFolder.create(empty, file("c")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage(empty + ": found a folder of 1 files, expected a new or an empty one");
    assertThat(empty).isDirectoryNotContaining("glob:**/c");
  }

  @Test
  void leavesNothingOfContentThatFails() {
    assertThatThrownBy(
            () ->
                WholeFolder.create(
                    parent.resolve("new"),
                    folder -> {
                      file("a").write(folder);
                      throw new IOException("disk full");
                    }))
        .hasMessage("disk full");
    assertThat(parent).isEmptyDirectory();
  }

  @Test
  void doesNotReplaceWhatAppearedMeanwhile() {
    Path target = parent.resolve("new");
    assertThatThrownBy(
            () ->
                WholeFolder.create(
                    target,
                    folder -> {
                      Files.createDirectory(target);
                      file("theirs").write(target);
                      file("ours").write(folder);
                    }))
        .isInstanceOf(InvalidInputException.class);
    assertThat(target.resolve("theirs")).exists();
    assertThat(parent.toFile().list()).containsExactly("new");
  }

  @Test
  void replacesAFolderWhole() throws IOException {
    Path folder = parent.resolve("state");
    WholeFolder.replace(folder, file("old"));
    WholeFolder.replace(folder, file("new"));
    assertThat(folder.toFile().list()).containsExactly("new");
    assertThat(parent.toFile().list()).containsExactly("state");
  }
}
