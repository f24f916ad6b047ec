package org.cliffwatch.quantizer.score;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.model.Variant;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ScorerTest {
  private static final List<Request> REQUESTS =
      List.of(new Request.Tokens(new int[] {1, 2, 3}, new int[] {4, 5}));

  @TempDir Path folder;

  @Test
  void closedScorerScoresNothingAndClosesNothingAgain() throws IOException {
    TrackedBackend tracked = new TrackedBackend(() -> {});
    try (Checkpoint checkpoint = Checkpoint.open(Variant.of("llama-linear").write(folder))) {
      Scorer scorer =
          Scorer.open(
              checkpoint, Precisions.packaged().named("fp32"), tracked.backend(), BosRule.AUTO, 1);
      scorer.score(REQUESTS, 0);
      scorer.close();
      scorer.close();
      assertThat(tracked.closings()).isNotEmpty().containsOnly(1);
      assertThatThrownBy(() -> scorer.score(REQUESTS, 0))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("the scorer is closed");
      assertThatThrownBy(() -> scorer.logits(new int[] {1}))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("the scorer is closed");
      assertThatThrownBy(scorer::bytes)
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("the scorer is closed");
    }
  }
}
