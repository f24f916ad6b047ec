package org.cliffwatch.quantizer.scheme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PrecisionsTest {
  @TempDir Path folder;

  @Test
  void packagedRowsAreThese() {
    Precisions precisions = Precisions.packaged();
    assertThat(precisions.names())
        .containsExactly(
            "fp32",
            "bf16",
            "fp16",
            "w8",
            "w4",
            "w8a8",
            "w8a8-bf16",
            "w8a8-fp16",
            "w4-bf16",
            "stored",
            "stored-bf16",
            "w8a8-tensor",
            "w8a8-zero-point",
            "llm-int8",
            "smoothquant",
            "smoothquant-static",
            "awq-w4-g128",
            "awq-w3-g128",
            "w4-g128",
            "w4-g128-asym",
            "w3-g128",
            "w3-g128-asym",
            "w2-g64-asym",
            "gptq-w4-g128",
            "gptq-w3-g128",
            "gptq-w2-g64",
            "nf4",
            "nf4-dq",
            "fp4",
            "fp8",
            "fp8-static",
            "mxint8",
            "mxfp8",
            "mxfp6",
            "mxfp4",
            "mxfp4-w",
            "nvfp4",
            "flex16",
            "flex8",
            "w8a8-kv8");
    assertThat(precisions.named("w8a8-bf16"))
        .isEqualTo(new Precision("w8a8-bf16", "vectorwise", 8, 8, FloatType.BFLOAT16, Map.of()));
  }

  @Test
  void unknownNameSuggestsTheNearest() {
    assertThatThrownBy(() -> Precisions.packaged().named("w8a8bf16"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("did you mean 'w8a8-bf16'?");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "x: {scheme: vectorwise, weight_bits: 8, compute: float32} | key 'activation_bits' is missing",
        "x: {scheme: vektorwise, weight_bits: 8, activation_bits: 8, compute: float32} | unknown scheme 'vektorwise'",
        "x: {scheme: vectorwise, weight_bits: 3, activation_bits: 32, compute: float32} | weight_bits 8 or 4",
        "x: {scheme: vectorwise, weight_bits: 8, activation_bits: 8, compute: float8} | found 'float8'",
        "x: {scheme: float, weight_bits: eight, activation_bits: 8, compute: float32} | expected a number of bits",
        "x: {scheme: float, weight_bits: 8, activation_bits: 32, compute: float32} | weight_bits and activation_bits 32",
        "x: {scheme: vectorwise, weight_bits: 8, activation_bits: 8, compute: float32, grup: 32} | no option 'grup'",
        "x: {scheme: stored, weight_bits: 4, activation_bits: 0, compute: float32} | found 4 and 0",
        "x: {scheme: rtn, weight_bits: 4, activation_bits: 32, compute: float32, group: 0} | group: found 0, expected above 0, or -1 for a row",
        "x: {scheme: rtn, weight_bits: 9, activation_bits: 32, compute: float32} | weight_bits: found 9, expected 2 to 8",
        "x: {scheme: rtn, weight_bits: 4, activation_bits: 8, compute: float32} | activation_bits: found 8, expected 32",
        "x: {scheme: rtn, weight_bits: 4, activation_bits: 16, compute: bfloat16, grid: awq} | grid: found awq, expected compressed-tensors, torchao",
        "x: {scheme: rtn, weight_bits: 4, activation_bits: 32, compute: float32, symmetric: maybe} | symmetric: found maybe, expected true or false",
        "x: {scheme: llm-int8, weight_bits: 8, activation_bits: 8, compute: float32, batch_outliers: 4} | batch_outliers",
        "x: {scheme: llm-int8, weight_bits: 8, activation_bits: 8, compute: float32, threshold: -1} | threshold: found -1, expected a number of 0 or more",
        "x: {scheme: bnb-4bit, weight_bits: 4, activation_bits: 32, compute: float32, quant_type: nf3} | quant_type: found nf3, expected nf4, fp4",
        "x: {scheme: mx, weight_bits: 8, activation_bits: 8, compute: float32, element: e2m1} | weight_bits: found 8, expected 4, those of e2m1",
        "x: {scheme: mx, weight_bits: 4, activation_bits: 8, compute: float32} | activation_bits: found 8, expected 4, those of e2m1",
        "x: {scheme: fp8, weight_bits: 8, activation_bits: 8, compute: float32, element: e3m4} | element: found e3m4, expected e4m3, e5m2",
        "x: {scheme: awq, weight_bits: 8, activation_bits: 32, compute: float32} | weight_bits: found 8, expected 4 or 3",
        "x: {scheme: awq, weight_bits: 4, activation_bits: 8, compute: float32} | activation_bits: found 8, expected 32",
        "x: {scheme: awq, weight_bits: 4, activation_bits: 32, compute: float32, symmetric: true} | no option 'symmetric'",
        "x: {scheme: nvfp4, weight_bits: 4, activation_bits: 4, compute: float32, group: 16} | no option 'group'",
        "x: {scheme: flexpoint, weight_bits: 17, activation_bits: 17, compute: float32} | weight_bits: found 17, expected 8 to 16",
        "x: {scheme: flexpoint, weight_bits: 16, activation_bits: 32, compute: float32} | activation_bits: found 32, expected 16, as weight_bits",
        "x: {scheme: flexpoint, weight_bits: 16, activation_bits: 16, compute: bfloat16} | compute: found bfloat16, expected float32",
        "x: {scheme: flexpoint, weight_bits: 16, activation_bits: 16, compute: float32, exponent_bits: 8} | exponent_bits: found 8, expected 1 to 6",
        "x: {scheme: fp8, weight_bits: 8, activation_bits: 8, compute: float32, kv_cache_dtype: fp8} | kv_cache_dtype: found fp8, expected auto or int8",
        "x: [1 | line",
        "[] | expected a mapping"
      })
  void badRowsAreNamed(String yaml, String message) throws IOException {
    Path file = Files.writeString(folder.resolve("precisions.yaml"), yaml);
    assertThatThrownBy(() -> Precisions.load(file))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining(file.toString())
        .hasMessageContaining(message);
  }

  @Test
  void rowsOfAFileJoinThePackagedOnes() throws IOException {
    String own = "{scheme: fp8, weight_bits: 8, activation_bits: 8, compute: bfloat16}";
    Path file = Files.writeString(folder.resolve("own.yaml"), "mine: " + own);
    Precisions all = Precisions.packagedAnd(file);
    assertThat(all.names()).contains("fp32", "mine").hasSize(41);
    assertThat(all.named("mine").compute()).isEqualTo(FloatType.BFLOAT16);
    assertThat(Precisions.packagedAnd(null).names()).doesNotContain("mine");

    String same = "w4: {scheme: vectorwise, weight_bits: 4, activation_bits: 32, compute: float32}";
    Files.writeString(file, same);
    assertThat(Precisions.packagedAnd(file).names()).hasSize(40);
    Files.writeString(file, "w4: " + own);
    assertThatThrownBy(() -> Precisions.packagedAnd(file))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining(file + ": precision w4: found another row")
        .hasMessageContaining("expected the same or another name");
  }

  @Test
  void missingFileIsNamed() {
    assertThatThrownBy(() -> Precisions.load(folder.resolve("none.yaml")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("none.yaml");
  }
}
