package org.cliffwatch.quantizer.score;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.model.Variant;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ScorerTest {
  private static final List<Request> REQUESTS =
      List.of(new Request.Tokens(new int[] {1, 2, 3}, new int[] {4, 5}));

  @TempDir Path folder;

  /** Bytes of a row of llama-linear: ten arrays, its position, and its cos and sin. */
  private static final int ROW_BYTES = 4 * (3 * 32 + 2 * 32 + 2 * 16 + 2 * 40) + 4 + 4 * 8;

  private Scorer open(Checkpoint checkpoint, long heapBytes) {
    return Scorer.open(
        checkpoint,
        Precisions.packaged().named("fp32"),
        null,
        Backends.open("reference"),
        BosRule.AUTO,
        1,
        heapBytes);
  }

  /** A heap for 30 rows, requests of 2 to 30, and among them some longer. */
  @Test
  void requestsThatDoNotFitTheHeapFailAlone() throws IOException {
    List<Request> requests = new ArrayList<>();
    for (int length = 2; length < 60; length++) {
      int[] context = new int[length];
      Arrays.setAll(context, i -> i % 7);
      context[length - 1] = length % 3;
      requests.add(new Request.Tokens(context, new int[] {4}));
    }
    try (Checkpoint checkpoint = Checkpoint.open(Variant.of("llama-linear").write(folder));
        Scorer small = open(checkpoint, 30L * ROW_BYTES);
        Scorer large = open(checkpoint, Long.MAX_VALUE)) {
      List<Score> expected = large.score(requests, 0);
      List<Score> scores = small.score(requests, 0);
      for (int i = 0; i < scores.size(); i++) {
        int tokens = i + 2;
        if (tokens <= 30) {
          assertThat(scores.get(i)).as("%d tokens", tokens).isEqualTo(expected.get(i));
        } else {
          assertThat(scores.get(i).error())
              .isEqualTo(
                  "its %d tokens need %d bytes of activations, more than the %d of the Java heap"
                      + " (-Xmx)",
                  tokens, tokens * ROW_BYTES, 30 * ROW_BYTES);
        }
      }
    }
  }

  @Test
  void logitsThatDoNotFitTheHeapAreInvalid() throws IOException {
    int perToken = ROW_BYTES + 4 * 48;
    try (Checkpoint checkpoint = Checkpoint.open(Variant.of("llama-linear").write(folder));
        Scorer scorer = open(checkpoint, 10L * perToken)) {
      assertThat(scorer.logits(new int[10])).hasSize(10 * 48);
      assertThat(scorer.invalid(new int[11]))
          .hasValueSatisfying(
              r ->
                  assertThat(r)
                      .startsWith(
                          "its 11 tokens need "
                              + 11 * perToken
                              + " bytes of activations, more than the"));
      assertThatThrownBy(() -> scorer.logits(new int[11]))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageStartingWith("its 11 tokens need");
    }
  }

  @ParameterizedTest
  @CsvSource({"NaN, not a number", "Infinity, Infinity", "-Infinity, -Infinity"})
  void sumThatIsNotFiniteIsRefused(double part, String found) {
    Score[] parts = {
      new Score(-1, true, 1, false, false, null, Optional.empty()),
      new Score(part, true, 1, false, false, null, Optional.empty())
    };
    assertThat(Scorer.sum(parts, 0, 1).logLikelihood()).isEqualTo(-1);
    assertThat(Scorer.sum(parts, 0, 2).error())
        .isEqualTo("the log-likelihood is " + found + ": a value has overflowed its type");
  }

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
