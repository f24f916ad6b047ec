package org.cliffwatch.tasks.item;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.tasks.Shared;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.Tasks;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files that failed when tried, each with the right answer. */
@Tag("shared")
class CasesTest {
  @TempDir Path folder;

  private static ItemSet read(String task, Path file) {
    return ItemSet.read(
        Tasks.load(task), file.toString(), new LocalFiles(), PromptVersion.V1, ItemSet.ALL);
  }

  @Test
  void boolqsFirstReleaseAsksAsSuperGlue() throws IOException {
    Path original = Shared.path("cases/boolq-original.jsonl");
    List<String> superGlue = new ArrayList<>();
    for (String line : Files.readAllLines(original)) {
      JsonNode item = Shared.JSON.readTree(line);
      superGlue.add(
          Shared.JSON
              .createObjectNode()
              .put("question", item.get("question").textValue())
              .put(
                  "passage",
                  item.get("title").textValue() + " -- " + item.get("passage").textValue())
              .put("label", item.get("answer").booleanValue())
              .toString());
    }
    ItemSet set = read("boolq", original);
    assertThat(set.rejected()).isEmpty();
    assertThat(set.layout()).isEqualTo("original");
    assertThat(set.items()).extracting(Item::gold).containsExactly(1, 0);
    ItemSet same = read("boolq", Files.write(folder.resolve("val.jsonl"), superGlue));
    assertThat(set.items())
        .extracting(Item::requests)
        .isEqualTo(same.items().stream().map(Item::requests).toList());
  }

  @Test
  void blankLinesAreNoItems() {
    ItemSet set = read("lambada_openai", Shared.path("cases/blank-lines.jsonl"));
    assertThat(set.rejected()).isEmpty();
    assertThat(set.items()).hasSize(2);
  }
}
