package org.cliffwatch.jobs.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.jobs.Shared;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.score.BosRule;
import org.cliffwatch.quantizer.score.Request;
import org.cliffwatch.quantizer.score.Score;
import org.cliffwatch.quantizer.score.Scorer;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.item.ItemRequest;
import org.cliffwatch.tasks.item.ItemSet;
import org.cliffwatch.tasks.item.LocalFiles;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.Metric;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rolling log-likelihoods of WikiText's pages, as lm-evaluation-harness has them in float32. */
@Tag("shared")
class WikiTextScoresTest {
  /** The golden's own: lm-evaluation-harness sums tokens in float32. */
  private static final double RELATIVE_TOLERANCE = 1e-5;

  @Test
  void stories260K() throws IOException {
    scoresEveryPage("stories260K", "models/stories260K/hf");
  }

  @Test
  @Tag("slow")
  void babyllama() throws IOException {
    scoresEveryPage("babyllama-tok105", "models/babyllama-tok105/hf");
  }

  @Test
  @Tag("slow")
  void smolLm2() throws IOException {
    scoresEveryPage("smollm2-135m", "models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf");
  }

  private static void scoresEveryPage(String model, String folder) throws IOException {
    Path checkpointPath = Shared.path(folder);
    JsonNode golden =
        new ObjectMapper()
            .readTree(Shared.path("golden/lm-eval-wikitext.json").toFile())
            .get("models")
            .get(model);
    JsonNode documents = golden.get("documents");
    TaskDefinition task = Tasks.load("wikitext");
    ItemSet items =
        ItemSet.read(
            task,
            Shared.path("benchmarks/wikitext2").toString(),
            new LocalFiles(),
            PromptVersion.V1,
            documents.size());
    List<ItemResult> results = new ArrayList<>();
    try (Checkpoint checkpoint = Checkpoint.open(checkpointPath);
        Scorer scorer =
            Scorer.open(
                checkpoint,
                Precisions.packaged().named("fp32"),
                Backends.open("onednn"),
                BosRule.AUTO,
                0)) {
      for (JsonNode document : documents) {
        int page = document.get("doc").intValue();
        ItemRequest request = items.items().get(page).requests().get(0);
        Score score = scorer.score(List.of(new Request.Rolling(request.continuation())), 0).get(0);
        double expected = document.get("loglikelihood").doubleValue();
        assertThat(score.error()).isNull();
        assertThat(score.logLikelihood())
            .as("page %d", page)
            .isCloseTo(expected, within(RELATIVE_TOLERANCE * Math.abs(expected)));
        results.add(
            new ItemResult(
                task.outputType(),
                page,
                null,
                List.of(request.scored(score.logLikelihood(), score.tokens(), score.greedy()))));
      }
    }
    for (Metric metric : task.metrics()) {
      double expected = golden.get("metrics").get(metric.toString()).doubleValue();
      // A perplexity's relative error is the exponent's absolute one.
      double logPerplexity = Math.max(1, Math.abs(Math.log(expected)));
      assertThat(metric.over(results).value())
          .as(metric.toString())
          .isCloseTo(expected, within(RELATIVE_TOLERANCE * logPerplexity * expected));
    }
  }
}
