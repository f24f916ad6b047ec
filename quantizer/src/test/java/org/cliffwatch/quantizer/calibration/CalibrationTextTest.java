package org.cliffwatch.quantizer.calibration;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.assertj.core.data.Index;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.TokenizerFiles;
import org.cliffwatch.quantizer.scheme.Calibration;
import org.cliffwatch.quantizer.tokenizer.Tokenizer;
import org.junit.jupiter.api.Test;

class CalibrationTextTest {
  private static final Path WORLD = Path.of("..", "data", "microworld");

  private static List<int[]> samples(String name, byte[] file) throws IOException {
    return CalibrationText.read(name, new ByteArrayInputStream(file))
        .samples(
            new Calibration(20, 32, 3L, false), Tokenizer.open(TokenizerFiles.read(WORLD)), 256);
  }

  @Test
  void theEndOfADocumentIsATokenWhereAsked() throws IOException {
    Tokenizer tokenizer = Tokenizer.open(TokenizerFiles.read(WORLD));
    byte[] file = "{\"text\": \"The cup\"}\n{\"text\": \"The mill\"}".getBytes(UTF_8);
    CalibrationText text = CalibrationText.read("text.jsonl", new ByteArrayInputStream(file));
    int[] cup = tokenizer.encode("The cup", false);
    int[] mill = tokenizer.encode("The mill", false);
    int end = tokenizer.eos().getAsInt();
    int length = cup.length + 1 + mill.length + 1;
    assertThat(text.samples(new Calibration(1, length, null, true), tokenizer, 256).get(0))
        .startsWith(cup)
        .contains(end, Index.atIndex(cup.length))
        .contains(end, Index.atIndex(length - 1));
    assertThat(text.samples(new Calibration(1, length - 2, null, false), tokenizer, 256).get(0))
        .doesNotContain(end);
  }

  @Test
  void compressedTextIsTheSameText() throws IOException {
    byte[] plain = Files.readAllBytes(WORLD.resolve("calibration.jsonl"));
    ByteArrayOutputStream zipped = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(zipped)) {
      out.write(plain);
    }
    assertThat(samples("text.jsonl.gz", zipped.toByteArray()))
        .containsExactlyElementsOf(samples("text.jsonl", plain));
    byte[] half = Arrays.copyOf(zipped.toByteArray(), zipped.size() / 2);
    assertThatThrownBy(() -> samples("text.jsonl.gz", half))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("text.jsonl.gz: after line")
        .hasMessageContaining("not a whole gzip file");
    assertThatThrownBy(() -> samples("text.jsonl.gz", plain))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("text.jsonl.gz: after line 0: not a whole gzip file");
  }
}
