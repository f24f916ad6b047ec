package org.cliffwatch.tasks.item;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.cliffwatch.tasks.Shared;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.Metric;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Pages, words, bytes and metrics of lm-evaluation-harness's own runs of task wikitext. */
@Tag("shared")
class WikiTextRollingTest {
  /** Sums of lm-evaluation-harness are in another order. */
  private static final double PERCENT = 1e-10;

  static Stream<Map.Entry<String, JsonNode>> models() {
    return Shared.json("golden/lm-eval-wikitext.json").get("models").properties().stream();
  }

  @ParameterizedTest
  @MethodSource("models")
  void countsAsLmEvaluationHarness(Map.Entry<String, JsonNode> model) {
    TaskDefinition task = Tasks.load("wikitext");
    JsonNode documents = model.getValue().get("documents");
    ItemSet set =
        ItemSet.read(
            task,
            Shared.benchmark("wikitext2"),
            new LocalFiles(),
            PromptVersion.V1,
            documents.size());
    assertThat(set.rejected()).isEmpty();
    assertThat(set.items()).hasSize(documents.size());
    List<ItemResult> results = new ArrayList<>();
    for (JsonNode document : documents) {
      Item item = set.items().get(document.get("doc").intValue());
      ItemRequest request = item.requests().get(0);
      assertThat(request.words()).isEqualTo(document.get("words").intValue());
      assertThat(request.bytes()).isEqualTo(document.get("bytes").intValue());
      results.add(
          new ItemResult(
              task.outputType(),
              item.index(),
              item.gold(),
              List.of(request.scored(document.get("loglikelihood").doubleValue(), 1, false))));
    }
    for (Metric metric : task.metrics()) {
      JsonNode golden = model.getValue().get("metrics").get(metric.toString());
      assertThat(golden).as(metric.toString()).isNotNull();
      assertThat(metric.over(results).value())
          .isCloseTo(golden.doubleValue(), withinPercentage(PERCENT));
    }
  }
}
