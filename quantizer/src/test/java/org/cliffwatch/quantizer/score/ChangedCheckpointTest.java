package org.cliffwatch.quantizer.score;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Change;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.VocabularyHead;
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
      TinyTokenizer.write(folder, false, true);
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
    Set<Object> packed = new HashSet<>();
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      Backend changing = changing(change, file, packed);
      assertRefused(() -> open(checkpoint, changing).close(), file);
    }
    assertThat(packed).isEmpty();
  }

  /** The reference, which changes a file once and keeps account of what is packed. */
  private static Backend changing(Change change, Path file, Set<Object> packed) {
    Backend reference = Backends.open("reference");
    boolean[] done = {false};
    return proxy(
        Backend.class,
        reference,
        (method, result) -> {
          if (!done[0] && method.equals("linear")) {
            done[0] = true;
            apply(change, file);
          }
          Object counted = result;
          if (result instanceof Linear linear) {
            counted = proxy(Linear.class, linear, (m, r) -> closing(m, linear, packed, r));
            packed.add(linear);
          } else if (result instanceof VocabularyHead head) {
            counted = proxy(VocabularyHead.class, head, (m, r) -> closing(m, head, packed, r));
            packed.add(head);
          }
          return counted;
        });
  }

  private static Object closing(String method, Object of, Set<Object> packed, Object result) {
    if (method.equals("close")) {
      packed.remove(of);
    }
    return result;
  }

  private static void apply(Change change, Path file) {
    try {
      change.apply(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What a method's result becomes. */
  private interface After {
    Object result(String method, Object result);
  }

  private static <T> T proxy(Class<T> type, T target, After after) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (self, method, arguments) -> {
              try {
                return after.result(method.getName(), method.invoke(target, arguments));
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            }));
  }
}
