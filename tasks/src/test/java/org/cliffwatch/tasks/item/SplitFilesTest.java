package org.cliffwatch.tasks.item;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.Tasks;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The split a task names, where Hugging Face's tools leave it; every other split here has other
 * answers, as a test split without labels has. {@code golden/hugging-face/make.py} made the files.
 */
class SplitFilesTest {
  private static final String GOLDEN = "/golden/hugging-face/";

  @TempDir Path folder;

  private Path put(String golden, String path) throws IOException {
    Path file = folder.resolve(path);
    Files.createDirectories(file.getParent());
    try (InputStream in = SplitFilesTest.class.getResourceAsStream(GOLDEN + golden)) {
      Files.copy(in, file);
    }
    return file;
  }

  private static ItemSet read(String task, Path location) {
    return ItemSet.read(
        Tasks.load(task), location.toString(), new LocalFiles(), PromptVersion.V1, ItemSet.ALL);
  }

  private void holdsPiqa(Path location, String... files) throws IOException {
    ItemSet set = read("piqa", location);
    JsonNode hashes;
    try (InputStream in = SplitFilesTest.class.getResourceAsStream(GOLDEN + "hashes.json")) {
      hashes = new ObjectMapper().readTree(in).get("piqa");
    }
    List<String> expected = new ArrayList<>();
    hashes.forEach(hash -> expected.add(hash.textValue()));
    assertThat(set.rejected()).isEmpty();
    assertThat(set.items()).extracting(Item::docHash).isEqualTo(expected);
    assertThat(set.files())
        .extracting(file -> folder.relativize(Path.of(file.path())).toString())
        .containsExactly(files);
  }

  @ParameterizedTest
  @CsvSource({
    "hub/validation-00000-of-00001.parquet, data/validation-00000-of-00001.parquet",
    "hub/validation-00000-of-00001.parquet, plain_text/validation-00000-of-00001-0123456789abcdef.parquet",
    "hub/validation-00000-of-00001.parquet, plain_text/validation/0000.parquet",
    "hub/validation-00000-of-00001.parquet, default/validation/0000.parquet",
    "hub/validation-00000-of-00001.parquet, deep/piqa-validation.parquet",
    "cache/piqa-validation.arrow, piqa-validation.arrow",
    "cache/piqa-validation.arrow, plain_text/1.1.0/0123456789abcdef0123/piqa-validation.arrow",
    "cache/piqa-validation.arrow, validation/data-00000-of-00001.arrow",
    "cache/piqa-validation.arrow, val/data-00000-of-00001.arrow",
  })
  void theSplitIsFoundBesideOthers(String golden, String path) throws IOException {
    put(golden, path);
    for (String split : new String[] {"test", "train"}) {
      put(golden.replace("validation", "test"), path.replaceAll("validation|\\bval\\b", split));
    }
    holdsPiqa(folder, path);
  }

  @Test
  void ofTheHubsCacheTheMainRevisionIsRead() throws IOException {
    String repository = "hub/datasets--baber--piqa";
    Path blob = put("hub/validation-00000-of-00001.parquet", repository + "/blobs/aaaa");
    Path other = put("hub/test-00000-of-00001.parquet", repository + "/blobs/bbbb");
    for (String revision : new String[] {"0123abcd", "4567abcd"}) {
      Path data = folder.resolve(repository + "/snapshots/" + revision + "/plain_text");
      Files.createDirectories(data);
      boolean main = revision.startsWith("4");
      link(data.resolve("validation-00000-of-00001.parquet"), main ? blob : other);
      link(data.resolve("test-00000-of-00001.parquet"), main ? other : blob);
    }
    assertThatThrownBy(() -> read("piqa", folder.resolve(repository)))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageEndingWith(
            "found no refs/main and 2 snapshots, expected to be given one of them: 0123abcd,"
                + " 4567abcd");
    Path main = folder.resolve(repository + "/refs/main");
    Files.createDirectories(main.getParent());
    Files.writeString(main, "89ef");
    assertThatThrownBy(() -> read("piqa", folder.resolve("hub")))
        .hasMessageContaining(
            "refs/main: found revision '89ef', expected one of 0123abcd, 4567abcd");
    Files.writeString(main, "4567abcd");
    String taken = repository + "/snapshots/4567abcd/plain_text/validation-00000-of-00001.parquet";
    holdsPiqa(folder.resolve(repository), taken);
    holdsPiqa(folder.resolve(repository + "/snapshots/4567abcd"), taken);
    holdsPiqa(folder.resolve("hub"), taken);
  }

  private static void link(Path link, Path target) throws IOException {
    Files.createSymbolicLink(link, link.getParent().relativize(target));
  }

  @Test
  void theDatasetsCacheIsReadFromEveryOfItsFolders() throws IOException {
    String hash = "cache/baber___piqa/plain_text/0.0.0/0123456789abcdef0123456789abcdef01234567";
    put("cache/piqa-validation.arrow", hash + "/piqa-validation.arrow");
    put("cache/piqa-test.arrow", hash + "/piqa-test.arrow");
    put("cache/piqa-test.arrow", hash + "/cache-0123456789abcdef.arrow");
    put("cache/dataset_info.json", hash + "/dataset_info.json");
    Path at = folder.resolve(hash);
    while (!at.equals(folder)) {
      holdsPiqa(at, hash + "/piqa-validation.arrow");
      at = at.getParent();
    }
  }

  @Test
  void shardsAreReadInOrderAndMustBeThere() throws IOException {
    put("cache/piqa-validation.arrow", "piqa-validation-00001-of-00002.arrow");
    assertThatThrownBy(() -> read("piqa", folder))
        .hasMessageEndingWith(
            "piqa-validation-00001-of-00002.arrow: found 1 of the split's files beside it,"
                + " expected 2");
    put("cache/piqa-test.arrow", "piqa-validation-00000-of-00002.arrow");
    assertThat(read("piqa", folder).items()).extracting(Item::index).containsExactly(3, 4, 5);
  }

  @Test
  void whatSaveToDiskWroteIsTheSplitItsStateSays() throws IOException {
    for (String split : new String[] {"validation", "test"}) {
      for (String file :
          new String[] {"data-00000-of-00001.arrow", "state.json", "dataset_info.json"}) {
        put("saved/" + split + "/" + file, "saved/" + split + "/" + file);
      }
    }
    put("saved/dataset_dict.json", "saved/dataset_dict.json");
    holdsPiqa(folder.resolve("saved"), "saved/validation/data-00000-of-00001.arrow");
    holdsPiqa(folder.resolve("saved/validation"), "saved/validation/data-00000-of-00001.arrow");
    assertThatThrownBy(() -> read("piqa", folder.resolve("saved/test")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("found no item file of task piqa, expected one of valid.jsonl")
        .hasMessageContaining("or files of split validation")
        .hasMessageEndingWith("found data-00000-of-00001.arrow");
  }

  @Test
  void moreThanOnePlaceIsAnErrorThatListsThem() throws IOException {
    put("cache/piqa-validation.arrow", "a/piqa-validation.arrow");
    put("cache/piqa-validation.arrow", "b/piqa-validation.arrow");
    assertThatThrownBy(() -> read("piqa", folder))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageEndingWith(
            "found split validation in more than one place, expected to be given one of them:"
                + " a/piqa-validation.arrow, b/piqa-validation.arrow");
  }

  @Test
  void anotherConfigurationIsNeverTaken() throws IOException {
    put("hub/test-00000-of-00001.parquet", "ARC-Easy/test/0000.parquet");
    assertThatThrownBy(() -> read("arc_challenge", folder))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageEndingWith(
            "found split test of other configurations, expected ARC-Challenge:"
                + " ARC-Easy/test/0000.parquet");
    put("hub/test-00000-of-00001.parquet", "ARC-Challenge/test/0000.parquet");
    assertThat(read("arc_challenge", folder).files())
        .extracting(ItemSet.SourceFile::path)
        .containsExactly(folder + "/ARC-Challenge/test/0000.parquet");
    put("cache/piqa-test.arrow", "info/super_glue-validation.arrow");
    put("cache/dataset_info.json", "info/dataset_info.json");
    assertThat(read("piqa", put("cache/piqa-test.arrow", "plain/piqa-validation.arrow")).records())
        .hasSize(3);
  }

  @Test
  void aSplitThatIsNotThereIsNotReplacedByAnother() throws IOException {
    put("hub/test-00000-of-00001.parquet", "data/test-00000-of-00001.parquet");
    put("hub/test-00000-of-00001.parquet", "data/train-00000-of-00001.parquet");
    assertThatThrownBy(() -> read("piqa", folder))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageEndingWith(
            "or files of split validation (or name the file itself); found"
                + " data/test-00000-of-00001.parquet, data/train-00000-of-00001.parquet");
  }
}
