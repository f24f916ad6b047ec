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
            "stored-bf16");
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
  void missingFileIsNamed() {
    assertThatThrownBy(() -> Precisions.load(folder.resolve("none.yaml")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("none.yaml");
  }
}
