package org.cliffwatch.tasks.format;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.cliffwatch.tasks.JsonProblem;

/** A JSON object a line. */
final class JsonLinesFormat implements Format {
  static final ObjectMapper STRICT =
      JsonMapper.builder()
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY)
          .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
          .build();

  @Override
  public List<SourceRecord> read(byte[] file) {
    List<SourceRecord> records = new ArrayList<>();
    int line = 0;
    for (byte[] bytes : Lines.split(file)) {
      line++;
      if (!Lines.isBlank(bytes)) { // Hugging Face's datasets skip them too
        records.add(record("line " + line, bytes));
      }
    }
    return records;
  }

  private static SourceRecord record(String place, byte[] bytes) {
    String text = Lines.decode(bytes);
    if (text == null) {
      return SourceRecord.malformed(place, "found bytes that are not UTF-8");
    }
    try {
      JsonNode value = STRICT.readTree(text);
      return value instanceof ObjectNode object
          ? SourceRecord.of(place, object)
          : SourceRecord.malformed(place, "found " + kind(value) + ", expected a JSON object");
    } catch (JsonProcessingException e) {
      return SourceRecord.malformed(place, "found malformed JSON: " + problem(e));
    }
  }

  static String kind(JsonNode value) {
    return "a JSON " + value.getNodeType().name().toLowerCase(Locale.ROOT);
  }

  /** What is wrong, and the column. */
  static String problem(JsonProcessingException e) {
    String column = e.getLocation() == null ? "" : " at column " + e.getLocation().getColumnNr();
    return JsonProblem.of(e) + column;
  }
}
