package org.cliffwatch.quantizer.score;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Change;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.model.Variant;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** No score is made of a checkpoint that has changed since it was opened. */
class ChangedCheckpointTest {
  private static final List<Request> REQUESTS =
      List.of(new Request.Tokens(new int[] {1, 2, 3}, new int[] {4, 40}));

  @TempDir Path folder;

  private static Scorer open(Checkpoint checkpoint, Backend backend) {
    return Scorer.open(checkpoint, Precisions.packaged().named("fp32"), backend, BosRule.AUTO, 1);
  }

  private static void assertRefused(ThrowingCallable call, Path file) {
    assertThatThrownBy(call)
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith(file + ": changed while it was in use: found ");
  }

  @ParameterizedTest
  @EnumSource(Change.class)
  void changeBetweenTwoCalls(Change change) throws IOException {
    // Half of it is more than a page, so that truncation takes embeddings away.
    Path file = Variant.of("llama-linear").widened(4).write(folder).resolve("model.safetensors");
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        Scorer scorer = open(checkpoint, Backends.open("reference"))) {
      List<Score> before = scorer.score(REQUESTS, 0);
      Files.createLink(folder.resolve("link"), file);
      assertThat(scorer.score(REQUESTS, 0)).isEqualTo(before);
      change.apply(file);
      assertRefused(() -> scorer.score(REQUESTS, 0), file);
      assertRefused(() -> scorer.logits(new int[] {1, 190}), file);
    }
  }

  @ParameterizedTest
  @EnumSource(Change.class)
  void changeBetweenOpeningAndLoading(Change change) throws IOException {
    Path file = Variant.of("llama-linear").write(folder).resolve("model.safetensors");
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      change.apply(file);
      assertRefused(() -> open(checkpoint, Backends.open("reference")).close(), file);
    }
  }

  @Test
  void changedTokenizerIsNoticedWhenLoading() throws IOException {
    Variant.of("opt-bare").write(folder);
    TinyTokenizer.write(folder, true, true);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      Change.REPLACED.apply(folder.resolve("tokenizer.json"));
      assertRefused(
          () -> open(checkpoint, Backends.open("reference")).close(),
          folder.resolve("tokenizer.json"));
    }
  }

  /** The file changes while the first layer is packed; what was packed by then is freed. */
  @ParameterizedTest
  @EnumSource(Change.class)
  void changeWhileLoading(Change change) throws IOException {
    Path file = Variant.of("llama-linear").write(folder).resolve("model.safetensors");
    TrackedBackend changing =
        new TrackedBackend(
            () -> {
              try {
                change.apply(file);
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertRefused(() -> open(checkpoint, changing.backend()).close(), file);
    }
    assertThat(changing.closings()).isNotEmpty().containsOnly(1);
  }
}
