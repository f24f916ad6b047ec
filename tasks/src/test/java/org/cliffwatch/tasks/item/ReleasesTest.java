package org.cliffwatch.tasks.item;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.Tasks;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every task's items are read from its first release as from the Hub, the right split and
 * configuration beside others; {@code releases.yaml} has an item of ours in both forms.
 */
class ReleasesTest {
  /** Published as a page of schemas, which was never a file of items. */
  private static final String WITHOUT_RELEASE = "wsc273";

  @TempDir Path folder;

  static Stream<Map.Entry<String, JsonNode>> releases() throws IOException {
    try (InputStream in = ReleasesTest.class.getResourceAsStream("/releases.yaml")) {
      return new YAMLMapper().readTree(in).properties().stream();
    }
  }

  private ItemSet read(String task, String form, JsonNode files) throws IOException {
    Path at = folder.resolve(form);
    for (Map.Entry<String, JsonNode> file : files.properties()) {
      Path path = at.resolve(file.getKey());
      Files.createDirectories(path.getParent());
      Files.writeString(path, file.getValue().textValue());
    }
    return ItemSet.read(
        Tasks.load(task), at.toString(), new LocalFiles(), PromptVersion.V1, ItemSet.ALL);
  }

  @ParameterizedTest
  @MethodSource("releases")
  void theReleaseAsksAsTheHubDoes(Map.Entry<String, JsonNode> task) throws IOException {
    ItemSet release = read(task.getKey(), "release", task.getValue().get("release"));
    ItemSet hub = read(task.getKey(), "hub", task.getValue().get("hub"));
    assertThat(release.rejected()).isEmpty();
    assertThat(hub.rejected()).isEmpty();
    assertThat(hub.items()).isNotEmpty();
    assertThat(release.items().stream().map(Item::requests).toList())
        .isEqualTo(hub.items().stream().map(Item::requests).toList());
    assertThat(release.items().stream().map(Item::gold).toList())
        .isEqualTo(hub.items().stream().map(Item::gold).toList());
    assertThat(release.items().stream().map(Item::targetHash).toList())
        .isEqualTo(hub.items().stream().map(Item::targetHash).toList());
    assertThat(
            release.items().stream()
                .map(Item::docHash)
                .toList()
                .equals(hub.items().stream().map(Item::docHash).toList()))
        .isEqualTo(task.getValue().get("same").textValue().equals("documents"));
  }

  @Test
  void everyDefinitionIsTried() throws IOException {
    List<String> tried = releases().map(Map.Entry::getKey).toList();
    try (Stream<Path> definitions = Files.list(Path.of("definitions"))) {
      assertThat(definitions.map(definition -> definition.getFileName().toString()))
          .allMatch(
              name ->
                  name.equals(WITHOUT_RELEASE)
                      || tried.stream()
                          .anyMatch(task -> task.equals(name) || task.startsWith(name + "_")));
    }
  }
}
