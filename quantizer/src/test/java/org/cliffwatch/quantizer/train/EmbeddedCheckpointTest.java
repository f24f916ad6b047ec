package org.cliffwatch.quantizer.train;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import org.assertj.core.data.Offset;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.score.BosRule;
import org.cliffwatch.quantizer.score.Request;
import org.cliffwatch.quantizer.score.Score;
import org.cliffwatch.quantizer.score.Scorer;
import org.junit.jupiter.api.Test;

/**
 * What the trainer wrote scores here as in transformers; {@code train/README.md} made the numbers.
 */
class EmbeddedCheckpointTest {
  private static final Path CHECKPOINTS = Path.of("..", "data", "checkpoints");

  /** Sums of float32 log-probabilities of up to 18 tokens, some of them far below zero. */
  private static final double NATS = 1e-3;

  @Test
  void scoresEqualTransformers() throws IOException {
    JsonNode expected;
    try (InputStream json = getClass().getResourceAsStream("/train/transformers.json")) {
      expected = new ObjectMapper().readTree(json);
    }
    assertThat(expected).hasSize(10);
    for (JsonNode one : expected) {
      try (Checkpoint checkpoint =
              Checkpoint.open(CHECKPOINTS.resolve(one.get("checkpoint").asText()));
          Scorer scorer =
              Scorer.open(
                  checkpoint,
                  Precisions.packaged().named("fp32"),
                  Backends.open(Backends.AUTO),
                  BosRule.AUTO,
                  1)) {
        Request request =
            new Request.Text(one.get("context").asText(), one.get("continuation").asText());
        Score score = scorer.score(List.of(request), 0).get(0);
        assertThat(score.error()).isNull();
        assertThat(score.tokens()).isEqualTo(one.get("tokens").asInt());
        assertThat(score.greedy()).isEqualTo(one.get("greedy").asBoolean());
        assertThat(score.logLikelihood())
            .isCloseTo(one.get("loglikelihood").asDouble(), Offset.offset(NATS));
      }
    }
  }
}
