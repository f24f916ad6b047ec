package org.cliffwatch.tasks.item;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.cliffwatch.tasks.Shared;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.metric.ChoiceScore;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.prompt.PythonJson;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Hand-written documents of 13 tasks, as lm_eval 0.4.13 asks and counts them. */
@Tag("shared")
class ConformanceVectorsTest {
  private static final double GREEDY_LOG_LIKELIHOOD = -2.5;
  private static final double ROLLING_LOG_LIKELIHOOD = -100;

  @TempDir Path folder;

  static Stream<Map.Entry<String, JsonNode>> tasks() {
    return Shared.json("golden/lm-eval-conformance-vectors.json").properties().stream();
  }

  @Test
  void coversEveryDocument() {
    assertThat(tasks().mapToInt(task -> task.getValue().get("docs").size()).sum()).isEqualTo(24);
  }

  @ParameterizedTest
  @MethodSource("tasks")
  void asksAndCountsAsLmEvaluationHarness(Map.Entry<String, JsonNode> vectors) throws IOException {
    TaskDefinition task = Tasks.load(vectors.getKey());
    assertThat(task.lmEvalVersion()).isEqualTo(vectors.getValue().get("version").asText());
    assertThat(task.multipleInput())
        .isEqualTo(vectors.getValue().get("multiple_input").asBoolean());

    JsonNode docs = vectors.getValue().get("docs");
    Path file = folder.resolve("docs.jsonl");
    for (JsonNode doc : docs) {
      Files.writeString(
          file,
          doc.get("doc").toString() + "\n",
          java.nio.file.StandardOpenOption.CREATE,
          java.nio.file.StandardOpenOption.APPEND);
    }
    ItemSet set =
        ItemSet.read(task, file.toString(), new LocalFiles(), PromptVersion.V1, ItemSet.ALL);
    assertThat(set.rejected()).isEmpty();
    assertThat(set.items()).hasSize(docs.size());
    for (int i = 0; i < docs.size(); i++) {
      check(task, set.items().get(i), docs.get(i));
    }
  }

  private static void check(TaskDefinition task, Item item, JsonNode vector) {
    switch (task.outputType()) {
      case MULTIPLE_CHOICE -> {
        assertThat(requests(item)).isEqualTo(PythonJson.line(vector.get("requests")));
        assertThat(item.target()).isEqualTo(vector.get("target").asText());
        JsonNode gold = vector.get("gold");
        assertThat(gold.isInt() ? item.gold() : (Object) item.target())
            .isEqualTo(gold.isInt() ? gold.intValue() : gold.textValue());
        checkChoices(task, item, vector);
      }
      case LOGLIKELIHOOD -> {
        assertThat(requests(item)).isEqualTo(PythonJson.line(vector.get("requests")));
        assertThat(item.target()).isEqualTo(vector.get("target").asText());
        ItemResult result = result(task, item, List.of(GREEDY_LOG_LIKELIHOOD));
        JsonNode metrics = vector.get("metrics_at_ll_-2.5_greedy");
        assertThat(result.correct()).isEqualTo(metrics.get("acc").intValue() == 1);
        assertThat(Metric.PERPLEXITY.of(result).value())
            .isEqualTo(Math.exp(-metrics.get("perplexity").doubleValue()));
      }
      case LOGLIKELIHOOD_ROLLING -> {
        ItemRequest request = item.requests().get(0);
        assertThat(request.continuation()).isEqualTo(vector.get("requests").get(0).get(0).asText());
        JsonNode metrics = vector.get("metrics_at_ll_-100");
        assertThat(request.words()).isEqualTo(metrics.get("word_perplexity").get(1).intValue());
        assertThat(request.bytes()).isEqualTo(metrics.get("byte_perplexity").get(1).intValue());
        ItemResult result = result(task, item, List.of(ROLLING_LOG_LIKELIHOOD));
        assertThat(Metric.BITS_PER_BYTE.of(result).value())
            .isEqualTo(100.0 / request.bytes() / Math.log(2), offset(1e-12));
      }
    }
  }

  private static void checkChoices(TaskDefinition task, Item item, JsonNode vector) {
    List<Double> scores = new ArrayList<>();
    vector.get("lls").forEach(score -> scores.add(score.doubleValue()));
    ItemResult result = result(task, item, scores);
    JsonNode metrics = vector.get("metrics");
    assertThat(Metric.ACC.of(result).value()).isEqualTo(metrics.get("acc").doubleValue());
    if (metrics.has("acc_norm")) {
      assertThat(Metric.ACC_NORM.of(result).value())
          .isEqualTo(metrics.get("acc_norm").doubleValue());
      for (int i = 0; i < item.requests().size(); i++) {
        String choice = vector.get("choices").get(i).textValue();
        assertThat(item.requests().get(i).characters())
            .isEqualTo(choice.codePointCount(0, choice.length()));
      }
    }
  }

  private static ItemResult result(TaskDefinition task, Item item, List<Double> scores) {
    List<ChoiceScore> choices = new ArrayList<>();
    for (int i = 0; i < scores.size(); i++) {
      ItemRequest request = item.requests().get(i);
      choices.add(request.scored(scores.get(i), 1, true));
    }
    return new ItemResult(task.outputType(), item.index(), item.gold(), choices);
  }

  private static String requests(Item item) {
    return PythonJson.line(
        Shared.JSON.valueToTree(
            item.requests().stream()
                .map(request -> List.of(request.context(), request.continuation()))
                .toList()));
  }
}
