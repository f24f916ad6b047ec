package org.cliffwatch.tasks.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.Sha256;
import org.cliffwatch.tasks.prompt.PythonJson;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that pyarrow wrote; {@code golden/hugging-face/make.py} makes them again. */
class ArrowFormatTest {
  private static final long SEED = 20_261_129;
  private static final int DAMAGED = 4000;

  private static byte[] golden(String name) throws IOException {
    try (InputStream in =
        ArrowFormatTest.class.getResourceAsStream("/golden/hugging-face/" + name)) {
      return in.readAllBytes();
    }
  }

  private static List<SourceRecord> read(String name, byte[] bytes) {
    return new RecordFile(name, bytes).records();
  }

  private static List<ObjectNode> fields(String name) throws IOException {
    return read(name, golden(name)).stream().map(SourceRecord::fields).toList();
  }

  @ParameterizedTest
  @ValueSource(strings = {"types-stream.arrow", "types-file.arrow", "types.jsonl"})
  void everyTypeIsTheSameDocument(String name) throws IOException {
    JsonNode hashes = new ObjectMapper().readTree(golden("hashes.json")).get("types");
    List<ObjectNode> rows = fields(name);
    assertThat(rows).hasSize(hashes.size());
    for (int i = 0; i < rows.size(); i++) {
      assertThat(Sha256.of(PythonJson.indented(rows.get(i)))).isEqualTo(hashes.get(i).textValue());
    }
  }

  @Test
  void parquetGivesTheSame() throws IOException {
    List<ObjectNode> arrow = fields("types-file.arrow");
    arrow.forEach(row -> row.remove("nothing"));
    assertThat(fields("types.parquet")).isEqualTo(arrow);
  }

  @Test
  void rowsAreCountedOverAllBatches() throws IOException {
    assertThat(read("a.arrow", golden("types-stream.arrow")))
        .extracting(SourceRecord::place)
        .containsExactly("row 0", "row 1", "row 2");
  }

  @ParameterizedTest
  @ValueSource(strings = {"types-stream.arrow", "types-file.arrow"})
  void wherever_aFileIsCutOffItIsAnError(String name) throws IOException {
    byte[] whole = golden(name);
    for (int length = 0; length < whole.length; length++) {
      byte[] cut = Arrays.copyOf(whole, length);
      assertThatThrownBy(() -> read("cut.arrow", cut))
          .as("%s, %d of %d bytes", name, length, whole.length)
          .isInstanceOf(InvalidInputException.class)
          .hasMessageStartingWith("cut.arrow: cannot be read as Arrow: ");
    }
  }

  @Test
  void aLengthThatIsTooLargeIsNotAllocated() throws IOException {
    byte[] whole = golden("types-stream.arrow");
    ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).putInt(4, Integer.MAX_VALUE - 8);
    assertThatThrownBy(() -> read("a.arrow", whole))
        .hasMessage(
            "a.arrow: cannot be read as Arrow: byte 8: found a length of 2147483639 bytes with "
                + (whole.length - 8)
                + " left, expected a file that is not cut off");
    assertThatThrownBy(
            () -> read("a.arrow", "{\"a\": 1}\n".getBytes(java.nio.charset.StandardCharsets.UTF_8)))
        .hasMessageContaining("expected a file that is not cut off");
  }

  /** Any bytes are records or an error that names the file: no crash, no memory without bound. */
  @ParameterizedTest
  @ValueSource(strings = {"types-stream.arrow", "types-file.arrow"})
  void damageIsAnError(String name) throws IOException {
    byte[] whole = golden(name);
    Random random = new Random(SEED);
    int errors = 0;
    for (int i = 0; i < DAMAGED; i++) {
      byte[] damaged = whole.clone();
      for (int edits = 1 + random.nextInt(4); edits > 0; edits--) {
        damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
      }
      try {
        read("damaged.arrow", damaged);
      } catch (InvalidInputException e) {
        assertThat(e).hasMessageStartingWith("damaged.arrow: cannot be read as Arrow: ");
        errors++;
      }
    }
    assertThat(errors).isGreaterThan(DAMAGED / 10);
  }
}
