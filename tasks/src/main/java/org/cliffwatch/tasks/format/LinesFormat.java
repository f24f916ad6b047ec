package org.cliffwatch.tasks.format;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.util.ArrayList;
import java.util.List;

/** Plain text: a record is a line that is not blank. */
final class LinesFormat implements Format {
  private final String field;

  /**
   * @param field the name of what a line is
   */
  LinesFormat(String field) {
    this.field = field;
  }

  @Override
  public List<SourceRecord> read(byte[] file) {
    List<SourceRecord> records = new ArrayList<>();
    int number = 0;
    for (byte[] bytes : Lines.split(file)) {
      String place = "line " + ++number;
      if (Lines.isBlank(bytes)) {
        continue;
      }
      String line = Lines.decode(bytes);
      records.add(
          line == null
              ? SourceRecord.malformed(place, "found bytes that are not UTF-8")
              : SourceRecord.of(
                  place,
                  JsonNodeFactory.instance
                      .objectNode()
                      .put(
                          field,
                          line.endsWith("\r") ? line.substring(0, line.length() - 1) : line)));
    }
    return records;
  }
}
