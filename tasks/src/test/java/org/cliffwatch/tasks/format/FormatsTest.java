package org.cliffwatch.tasks.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.Zstd;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorOutputStream;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroupFactory;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.io.LocalOutputFile;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;
import org.cliffwatch.tasks.InvalidInputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class FormatsTest {
  @TempDir Path folder;

  private static List<SourceRecord> read(String name, String text) throws Format.FormatException {
    return read(name, text.getBytes(StandardCharsets.UTF_8));
  }

  private static List<SourceRecord> read(String name, byte[] bytes) throws Format.FormatException {
    return Format.of(name).read(bytes);
  }

  private static String fields(SourceRecord record) {
    assertThat(record.problem()).isNull();
    return record.fields().toString();
  }

  @Test
  void jsonLinesKeepWhatIsWellFormed() throws Exception {
    List<SourceRecord> records =
        read(
            "a.jsonl",
            "\ufeff{\"a\":1}\r\n{\"a\":\n\n[1]\n{\"a\":1}x\n{\"a\":1,\"a\":2}\n{\"b\":\"\u2028\"}\n\n \n");
    assertThat(records).hasSize(6);
    assertThat(fields(records.get(0))).isEqualTo("{\"a\":1}");
    assertThat(records.get(0).place()).isEqualTo("line 1");
    assertThat(records.get(1).problem())
        .startsWith("found malformed JSON: Unexpected end-of-input");
    // Blank lines are no records, and count as lines.
    assertThat(records.get(2).place()).isEqualTo("line 4");
    assertThat(records.get(2).problem()).isEqualTo("found a JSON array, expected a JSON object");
    assertThat(records.get(3).problem()).contains("Unrecognized token 'x'");
    assertThat(records.get(4).problem()).contains("Duplicate field 'a'");
  }

  @Test
  void aLineThatIsNotUtf8SpoilsNoOther() throws Exception {
    byte[] file = "{\"a\":\"x\"}\n{\"a\":\"y\"}\n".getBytes(StandardCharsets.UTF_8);
    file[6] = (byte) 0xff;
    List<SourceRecord> records = read("a.ndjson", file);
    assertThat(records.get(0).problem()).isEqualTo("found bytes that are not UTF-8");
    assertThat(fields(records.get(1))).isEqualTo("{\"a\":\"y\"}");
  }

  @Test
  void jsonIsAnArrayOrLines() throws Exception {
    List<SourceRecord> array = read("a.json", " [\n{\"a\":1},\n 7]\n");
    assertThat(array).hasSize(2);
    assertThat(fields(array.get(0))).isEqualTo("{\"a\":1}");
    assertThat(array.get(1).place()).isEqualTo("element 1 in line 3");
    assertThat(array.get(1).problem()).isEqualTo("found a JSON number, expected a JSON object");
    assertThat(read("a.json", "{\"a\":1}\n{\"a\":2}\n")).hasSize(2);
    assertThatThrownBy(() -> read("a.json", "[{\"a\":1},\n{\"a\":]"))
        .isInstanceOf(Format.FormatException.class)
        .hasMessageContaining("line 2");
    assertThatThrownBy(() -> read("a.json", "[{\"a\":1}]\n[]"))
        .hasMessageContaining("line 2: found more after the array's end");
  }

  @Test
  void separatedValuesAreTextsUnderTheirColumns() throws Exception {
    List<SourceRecord> records =
        read("a.csv", "id,text\r\n1,\"said \"\"x\"\",\nand y\"\r\n2\n3,c\n");
    assertThat(records).hasSize(3);
    assertThat(fields(records.get(0)))
        .isEqualTo("{\"id\":\"1\",\"text\":\"said \\\"x\\\",\\nand y\"}");
    assertThat(records.get(1).place()).isEqualTo("line 4");
    assertThat(records.get(1).problem()).isEqualTo("found 1 values, expected 2, one a column");
    assertThat(fields(records.get(2))).isEqualTo("{\"id\":\"3\",\"text\":\"c\"}");
    assertThat(fields(read("a.tsv", "id\ttext\n1\ta, b\n").get(0)))
        .isEqualTo("{\"id\":\"1\",\"text\":\"a, b\"}");
    assertThat(read("a.csv", "")).isEmpty();
    assertThatThrownBy(() -> read("a.csv", "id,text\n1,\"never closed\n"))
        .isInstanceOf(Format.FormatException.class);
    assertThatThrownBy(() -> read("a.csv", "id\n1\n\u00e9".getBytes(StandardCharsets.ISO_8859_1)))
        .hasMessage("line 3: found bytes that are not UTF-8");
  }

  @Test
  void xmlElementsBelowTheRootAreRecords() throws Exception {
    List<SourceRecord> records =
        read(
            "a.xml",
            """
            <?xml version="1.0"?>
            <!-- COPA -->
            <corpus version="1">
            <item id="1" asks-for="cause"><p>A &amp; B.</p><a1>C</a1></item>
            <item id="2">stray<p>x</p></item>
            <item><p>x</p><p>y</p></item>
            </corpus>
            """);
    assertThat(records).hasSize(3);
    assertThat(fields(records.get(0)))
        .isEqualTo("{\"id\":\"1\",\"asks-for\":\"cause\",\"p\":\"A & B.\",\"a1\":\"C\"}");
    assertThat(records.get(0).place()).isEqualTo("line 4");
    assertThat(records.get(1).problem()).isEqualTo("found text outside a field: 'stray'");
    assertThat(records.get(2).problem()).isEqualTo("found <p> twice");
    assertThatThrownBy(() -> read("a.xml", "<corpus>\n<item>\n</corpus>"))
        .isInstanceOf(Format.FormatException.class)
        .hasMessageContaining("line 3");
  }

  @Test
  void xmlResolvesNoEntities() throws IOException {
    Path secret = Files.writeString(folder.resolve("secret"), "leaked");
    String xml =
        "<!DOCTYPE c [<!ENTITY e SYSTEM \"" + secret.toUri() + "\">]><c><i><p>&e;</p></i></c>";
    assertThatThrownBy(() -> read("a.xml", xml)).isInstanceOf(Format.FormatException.class);
  }

  @Test
  void wikitextIsCutBeforeHeadingsOfTheFirstLevel() throws Exception {
    List<SourceRecord> pages =
        read("wiki.test.raw", " \n = A = \n x\n = = B = = \n y \n = C = \n = = = D = = = \n");
    assertThat(pages).hasSize(2);
    assertThat(pages.get(0).fields().get("page").textValue())
        .isEqualTo(" = A = \n x\n = = B = = \n y ");
    assertThat(pages.get(0).place()).isEqualTo("page 0 in line 2");
    assertThat(pages.get(1).fields().get("page").textValue())
        .isEqualTo(" = C = \n = = = D = = = \n");
  }

  @Test
  void blocksAreLinesBetweenBlankOnes() throws Exception {
    List<SourceRecord> records = read("Test.txt", "\na\nb\r\n\n\nc\n\n");
    assertThat(records).hasSize(2);
    assertThat(fields(records.get(0))).isEqualTo("{\"lines\":[\"a\",\"b\"]}");
    assertThat(records.get(0).place()).isEqualTo("line 2");
    assertThat(records.get(1).place()).isEqualTo("line 6");
  }

  @ParameterizedTest
  @EnumSource(names = {"UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD"})
  void parquetIsReadAsHuggingFaceWritesIt(CompressionCodecName codec) throws Exception {
    MessageType schema =
        MessageTypeParser.parseMessageType(
            """
            message schema {
              optional binary question (STRING);
              optional group choices {
                optional group text (LIST) { repeated group list { optional binary element (STRING); } }
              }
              optional int64 label; optional int32 n; optional boolean yes; optional double x;
            }
            """);
    Path file = folder.resolve("a.parquet");
    SimpleGroupFactory groups = new SimpleGroupFactory(schema);
    try (ParquetWriter<Group> writer =
        ExampleParquetWriter.builder(new LocalOutputFile(file))
            .withType(schema)
            .withCompressionCodec(codec)
            .build()) {
      Group row = groups.newGroup();
      row.add("question", "\u00e9\ud83d\ude00?");
      Group text = row.addGroup("choices").addGroup("text");
      text.addGroup("list").add("element", "x");
      text.addGroup("list").add("element", "");
      row.add("label", 3L);
      row.add("yes", true);
      row.add("x", 0.5);
      writer.write(row);
      writer.write(groups.newGroup());
    }
    List<SourceRecord> records = read("a.parquet", Files.readAllBytes(file));
    assertThat(records).hasSize(2);
    assertThat(fields(records.get(0)))
        .isEqualTo(
            "{\"question\":\"\u00e9\ud83d\ude00?\",\"choices\":{\"text\":[\"x\",\"\"]},"
                + "\"label\":3,\"n\":null,\"yes\":true,\"x\":0.5}");
    assertThat(records.get(1).fields().get("question").isNull()).isTrue();

    byte[] damaged = Files.readAllBytes(file);
    assertThatThrownBy(
            () -> read("a.parquet", java.util.Arrays.copyOf(damaged, damaged.length / 2)))
        .isInstanceOf(Format.FormatException.class)
        .hasMessageStartingWith("cannot be read as Parquet: ");
  }

  @ParameterizedTest
  @CsvSource({"gz", "bz2", "zst"})
  void compressedFilesAreExpandedJoinedStreamsToo(String ending) throws Exception {
    byte[] first = compress(ending, "{\"a\":1}\n");
    byte[] second = compress(ending, "{\"a\":2}\n");
    ByteArrayOutputStream both = new ByteArrayOutputStream();
    both.write(first);
    both.write(second);
    String name = "a.jsonl." + ending;
    assertThat(Compression.strip(name)).isEqualTo("a.jsonl");
    byte[] expanded = Compression.expand(name, both.toByteArray());
    assertThat(read("a.jsonl", expanded)).hasSize(2);
    assertThatThrownBy(
            () -> Compression.expand(name, java.util.Arrays.copyOf(first, first.length - 3)))
        .isInstanceOf(IOException.class);
  }

  private static byte[] compress(String ending, String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    if (ending.equals("zst")) {
      return Zstd.compress(bytes);
    }
    ByteArrayOutputStream compressed = new ByteArrayOutputStream();
    try (OutputStream out =
        ending.equals("gz")
            ? new GZIPOutputStream(compressed)
            : new BZip2CompressorOutputStream(compressed)) {
      out.write(bytes);
    }
    return compressed.toByteArray();
  }

  @Test
  void unknownEndingsAreNamed() {
    assertThatThrownBy(() -> Format.of("a.xlsx"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining(
            "found a file ending in 'xlsx', expected one of arrow, csv, json, jsonl");
  }
}
