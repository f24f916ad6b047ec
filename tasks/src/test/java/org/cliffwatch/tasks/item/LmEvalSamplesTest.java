package org.cliffwatch.tasks.item;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.tasks.Sha256;
import org.cliffwatch.tasks.Shared;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.metric.ChoiceScore;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.metric.MetricState;
import org.cliffwatch.tasks.prompt.PythonJson;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** lm-evaluation-harness's own run of SmolLM2-135M: every sample, hash, metric and error. */
@Tag("shared")
class LmEvalSamplesTest {
  /** lm-evaluation-harness prints doubles; only the order of a sum may differ. */
  private static final double TOLERANCE = 1e-12;

  @ParameterizedTest
  @CsvSource({
    "piqa, piqa, 1838",
    "winogrande, winogrande, 1267",
    "copa, copa, 100",
    "copa_dev500, copa, 500",
    "copa_test500, copa, 500",
    "wsc273, wsc273, 273",
    "lambada_openai, lambada_openai, 1000",
    "hellaswag, hellaswag, 500",
  })
  void asksAndCountsAsLmEvaluationHarness(String name, String folder, int items) {
    TaskDefinition task = Tasks.load(name);
    List<JsonNode> samples =
        Shared.jsonLines("golden/lm-eval-smollm2/samples_" + name + ".jsonl.gz");
    ItemSet set =
        ItemSet.read(
            task, Shared.benchmark(folder), new LocalFiles(), PromptVersion.V1, samples.size());
    assertThat(set.rejected()).isEmpty();
    assertThat(set.items()).hasSize(items).hasSameSizeAs(samples);

    List<ItemResult> results = new ArrayList<>();
    for (int i = 0; i < items; i++) {
      Item item = set.items().get(i);
      JsonNode sample = samples.get(i);
      assertThat(PythonJson.line(requests(item)))
          .isEqualTo(PythonJson.line(sample.get("arguments")));
      assertThat(item.target()).isEqualTo(sample.get("target").asText());
      assertThat(item.docHash()).isEqualTo(sample.get("doc_hash").textValue());
      assertThat(item.docHash()).isEqualTo(Sha256.of(PythonJson.indented(sample.get("doc"))));
      assertThat(item.promptHash()).isEqualTo(sample.get("prompt_hash").textValue());
      assertThat(item.targetHash()).isEqualTo(sample.get("target_hash").textValue());
      results.add(result(task, item, sample));
    }
    JsonNode golden = Shared.json("golden/lm-eval-smollm2/results.json").get("results").get(name);
    for (Metric metric : task.metrics()) {
      if (golden.has(metric + ",none")) {
        MetricState state = metric.over(results);
        assertThat(state.items()).isEqualTo(items);
        assertThat(state.value())
            .isCloseTo(golden.get(metric + ",none").doubleValue(), within(TOLERANCE * 100));
        assertThat(state.stderr().orElseThrow())
            .isCloseTo(golden.get(metric + "_stderr,none").doubleValue(), within(TOLERANCE * 100));
      }
    }
  }

  private static ItemResult result(TaskDefinition task, Item item, JsonNode sample) {
    List<ChoiceScore> choices = new ArrayList<>();
    for (int i = 0; i < item.requests().size(); i++) {
      ItemRequest request = item.requests().get(i);
      JsonNode response = sample.get("filtered_resps").get(i);
      choices.add(request.scored(response.get(0).doubleValue(), 1, response.get(1).booleanValue()));
    }
    ItemResult result = new ItemResult(task.outputType(), item.index(), item.gold(), choices);
    assertThat(result.correct()).isEqualTo(sample.get("acc").doubleValue() == 1);
    if (sample.has("acc_norm")) {
      assertThat(result.correctNorm()).isEqualTo(sample.get("acc_norm").doubleValue() == 1);
    }
    return result;
  }

  private static JsonNode requests(Item item) {
    return Shared.JSON.valueToTree(
        item.requests().stream()
            .map(request -> List.of(request.context(), request.continuation()))
            .toList());
  }
}
