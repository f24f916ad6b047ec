package org.cliffwatch.quantizer.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DecoderTest {
  @TempDir Path folder;

  private static Decoder open(Checkpoint checkpoint, long heapBytes) {
    return new Decoder(
        Inventory.of(checkpoint),
        Precisions.packaged().named("fp32"),
        Backends.open(Backends.AUTO),
        heapBytes);
  }

  @Test
  void roomOfALongSequenceIsNotKept() throws IOException {
    try (Checkpoint checkpoint = Checkpoint.open(Variant.of("llama-linear").write(folder));
        Decoder decoder = open(checkpoint, Runtime.getRuntime().maxMemory())) {
      int[] tokens = new int[decoder.mostKept() + 40];
      Arrays.setAll(tokens, i -> i % 48);
      int[] few = Arrays.copyOf(tokens, 10);
      float[] before = decoder.logits(few);
      assertThat(decoder.keptRows()).as("workspace and rotary table").isBetween(20, 1000);
      float[] all = decoder.logits(tokens);
      assertThat(decoder.keptRows()).isLessThan(1000);
      assertThat(decoder.logits(few)).containsExactly(before);
      assertThat(Arrays.copyOf(all, before.length)).containsExactly(before);
    }
  }

  /** Hundreds of small models are kept at once, whose workspaces would fill the heap. */
  @Test
  void aModelAtRestKeepsNoWorkspace() throws IOException {
    try (Checkpoint checkpoint = Checkpoint.open(Variant.of("opt-bare").write(folder));
        Decoder decoder = open(checkpoint, Runtime.getRuntime().maxMemory())) {
      float[] before = decoder.logits(new int[] {1, 2, 3});
      assertThat(decoder.keptRows()).isPositive();
      decoder.rest();
      assertThat(decoder.keptRows()).as("without rotary tables").isZero();
      assertThat(decoder.logits(new int[] {1, 2, 3})).containsExactly(before);
    }
  }

  /** The widest array of llama-linear has 40 floats a row, its logits 48. */
  @Test
  void whatIsLongerThanAnArrayIsRefused() throws IOException {
    try (Checkpoint checkpoint = Checkpoint.open(Variant.of("llama-linear").write(folder));
        Decoder decoder = open(checkpoint, Long.MAX_VALUE)) {
      int most = (Integer.MAX_VALUE - 8) / 40;
      assertThat(decoder.mostRows()).isEqualTo(most);
      assertThat(decoder.refuses(most)).isEmpty();
      assertThat(decoder.refuses(most + 1))
          .contains(
              "its 53687091 tokens need 8589934560 bytes in one array, more than the 8589934556"
                  + " that a Java array of float32 holds");
      int mostLogits = (Integer.MAX_VALUE - 8) / 48;
      assertThat(decoder.refusesLogits(mostLogits)).isEmpty();
      assertThat(decoder.refusesLogits(mostLogits + 1)).isPresent();
      assertThat(decoder.refuses(Integer.MAX_VALUE)).isPresent();
      assertThat(decoder.refusesLogits(Integer.MAX_VALUE)).isPresent();
    }
  }

  /** What two experts give of a row of 32 is wider than any other array of it. */
  @Test
  void whatExpertsGiveFitsAnArray() throws IOException {
    try (Checkpoint checkpoint = Checkpoint.open(Variant.of("mixtral-two-of-four").write(folder));
        Decoder decoder = open(checkpoint, Long.MAX_VALUE)) {
      assertThat(decoder.mostRows()).isEqualTo((Integer.MAX_VALUE - 8) / (2 * 32));
    }
  }

  @Test
  void closedDecoderComputesNothing() throws IOException {
    try (Checkpoint checkpoint = Checkpoint.open(Variant.of("llama-linear").write(folder))) {
      Decoder decoder = open(checkpoint, Runtime.getRuntime().maxMemory());
      decoder.close();
      decoder.close();
      assertThatThrownBy(() -> decoder.logits(new int[] {1}))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("the decoder is closed");
    }
  }
}
