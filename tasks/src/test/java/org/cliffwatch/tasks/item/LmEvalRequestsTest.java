package org.cliffwatch.tasks.item;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.metric.ChoiceScore;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.prompt.PythonJson;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Documents of ours at the corners of Unicode, asked by lm-evaluation-harness 0.4.13 itself; the
 * {@code make.py} of two folders of {@code golden} made the answers.
 */
class LmEvalRequestsTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Of sums of a few doubles near 1, in another order. */
  private static final double TOLERANCE = 1e-12;

  @TempDir Path folder;

  static Stream<Map.Entry<String, JsonNode>> tasks() throws IOException {
    return Stream.concat(golden("lm-eval-requests"), golden("lm-eval-tasks"));
  }

  private static Stream<Map.Entry<String, JsonNode>> golden(String folder) throws IOException {
    try (InputStream in =
        LmEvalRequestsTest.class.getResourceAsStream("/golden/" + folder + "/requests.json")) {
      return JSON.readTree(in).get("tasks").properties().stream();
    }
  }

  @ParameterizedTest
  @MethodSource("tasks")
  void asksTheSame(Map.Entry<String, JsonNode> golden) throws IOException {
    TaskDefinition task = Tasks.load(golden.getKey());
    StringBuilder lines = new StringBuilder();
    golden.getValue().forEach(row -> lines.append(row.get("doc")).append('\n'));
    Path file = Files.writeString(folder.resolve("docs.jsonl"), lines);
    ItemSet set =
        ItemSet.read(task, file.toString(), new LocalFiles(), PromptVersion.V1, ItemSet.ALL);
    assertThat(set.rejected()).isEmpty();
    assertThat(set.items()).hasSize(golden.getValue().size());
    for (Item item : set.items()) {
      JsonNode row = golden.getValue().get(item.index());
      JsonNode requests =
          JSON.valueToTree(
              item.requests().stream()
                  .map(request -> List.of(request.context(), request.continuation()))
                  .toList());
      assertThat(PythonJson.line(requests)).isEqualTo(PythonJson.line(row.get("requests")));
      assertThat(item.target()).isEqualTo(row.get("target").textValue());
      assertThat(item.docHash()).isEqualTo(row.get("doc_hash").textValue());
      assertThat(item.promptHash()).isEqualTo(row.get("prompt_hash").textValue());
      assertThat(item.targetHash()).isEqualTo(row.get("target_hash").textValue());
      if (row.get("gold").isInt()) {
        assertThat(item.gold()).isEqualTo(row.get("gold").intValue());
      }
      if (row.has("results")) {
        countsTheSame(task, item, row);
      }
    }
  }

  /** What {@code process_results} made of log-likelihoods that were drawn. */
  private static void countsTheSame(TaskDefinition task, Item item, JsonNode row) {
    List<ChoiceScore> scores = new ArrayList<>();
    for (int i = 0; i < item.requests().size(); i++) {
      JsonNode result = row.get("results").get(i);
      scores.add(
          item.requests().get(i).scored(result.get(0).doubleValue(), 1, result.get(1).asBoolean()));
    }
    ItemResult result = new ItemResult(task.outputType(), item.index(), item.gold(), scores);
    for (Metric metric : task.metrics()) {
      JsonNode counted = row.get("metrics").get(metric == Metric.MC2 ? "acc" : metric.toString());
      if (counted != null) {
        assertThat(metric.contribution(result))
            .as("%s of item %d", metric, item.index())
            .isCloseTo(counted.doubleValue(), within(TOLERANCE));
      }
    }
  }
}
