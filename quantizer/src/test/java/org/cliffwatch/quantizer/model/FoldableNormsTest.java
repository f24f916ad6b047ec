package org.cliffwatch.quantizer.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which norms feed which matrices: that it is all of them, {@code OutlierPlantingTest} shows. */
class FoldableNormsTest {
  @TempDir Path folder;

  private List<Inventory.FoldableNorm> of(String variant) throws IOException {
    try (Checkpoint checkpoint = Checkpoint.open(Variant.of(variant).write(folder))) {
      return Inventory.of(checkpoint).foldableNorms();
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "llama-linear | input_layernorm > q_proj 1, k_proj 1, v_proj 1;"
            + " post_attention_layernorm > gate_proj 1, up_proj 1",
        "gpt2-unscaled | ln_1 > c_attn 0; ln_2 > c_fc 0",
        "gpt_neox-tied | input_layernorm > query_key_value 1;"
            + " post_attention_layernorm > dense_h_to_4h 1",
        "gptj-rotary | ln_1 > q_proj 1, k_proj 1, v_proj 1, fc_in 1",
        "falcon-new | ln_attn > query_key_value 1; ln_mlp > dense_h_to_4h 1",
        "falcon-new-one-norm | input_layernorm > query_key_value 1, dense_h_to_4h 1",
        "phi3-window | input_layernorm > qkv_proj 1; post_attention_layernorm > gate_up_proj 1",
        "gemma2-caps | input_layernorm > q_proj 1, k_proj 1, v_proj 1;"
            + " pre_feedforward_layernorm > gate_proj 1, up_proj 1",
        "mixtral-two-of-four | input_layernorm > q_proj 1, k_proj 1, v_proj 1;"
            + " post_attention_layernorm > gate 1, w1 1, w3 1, w1 1, w3 1, w1 1, w3 1, w1 1, w3 1",
      })
  void areThoseThatFeedMatricesAlone(String variant, String expected) throws IOException {
    assertThat(
            of(variant).stream()
                .filter(norm -> norm.layer() == 0)
                .map(FoldableNormsTest::shortened)
                .collect(Collectors.joining("; ")))
        .isEqualTo(expected);
  }

  private static String shortened(Inventory.FoldableNorm norm) {
    return norm.consumers().stream()
        .map(consumer -> module(consumer.tensor()) + " " + consumer.inputAxis())
        .collect(Collectors.joining(", ", module(norm.gain()) + " > ", ""));
  }

  /** The part of a tensor's name before {@code .weight}. */
  private static String module(String tensor) {
    return tensor.replaceAll(".*\\.(\\w+)\\.\\w+", "$1");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"bloom-residual-normalized", "olmo2-post-norm", "opt-bare", "opt-post-norm"})
  void areNoneWhereTheyFeedTheResidualStreamOrHaveNoTensors(String variant) throws IOException {
    assertThat(of(variant)).isEmpty();
  }

  @Test
  void areNamedByTheirTensors() throws IOException {
    Inventory.FoldableNorm norm = of("bloom-six-heads").get(3);
    assertThat(norm.layer()).isEqualTo(1);
    assertThat(norm.gain()).isEqualTo("transformer.h.1.post_attention_layernorm.weight");
    assertThat(norm.bias()).isEqualTo("transformer.h.1.post_attention_layernorm.bias");
    assertThat(norm.offset()).isZero();
    assertThat(of("gemma3_text-types").get(0).offset()).isEqualTo(1);
    assertThat(of("cohere-biases").get(0).bias()).isNull();
  }
}
