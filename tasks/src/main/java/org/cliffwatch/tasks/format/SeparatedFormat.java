package org.cliffwatch.tasks.format;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.csv.CsvMapper;
import com.fasterxml.jackson.dataformat.csv.CsvParser;
import com.fasterxml.jackson.dataformat.csv.CsvSchema;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.tasks.JsonProblem;

/** Comma- or tab-separated values; every value is a text. */
final class SeparatedFormat implements Format {
  private static final CsvMapper CSV =
      CsvMapper.builder().enable(CsvParser.Feature.WRAP_AS_ARRAY).build();

  private final CsvSchema schema;
  private final String[] columns;

  /** Of files whose first row names the columns. */
  SeparatedFormat(char separator) {
    this(CsvSchema.emptySchema().withColumnSeparator(separator), null);
  }

  private SeparatedFormat(CsvSchema schema, String[] columns) {
    this.schema = schema;
    this.columns = columns;
  }

  /** Of files without such a row. */
  SeparatedFormat withColumns(List<String> names) {
    return new SeparatedFormat(schema, names.toArray(String[]::new));
  }

  @Override
  public List<SourceRecord> read(byte[] file) throws FormatException {
    List<SourceRecord> records = new ArrayList<>();
    String text = Lines.decodeAll(file);
    try (MappingIterator<String[]> rows =
        CSV.readerFor(String[].class).with(schema).readValues(text)) {
      String[] names = columns;
      if (names == null) {
        names = rows.hasNextValue() ? rows.nextValue() : new String[0];
      }
      long line = rows.getCurrentLocation().getLineNr();
      while (rows.hasNextValue()) {
        String[] row = rows.nextValue();
        records.add(record("line " + line, names, row));
        line = rows.getCurrentLocation().getLineNr();
      }
    } catch (JsonProcessingException e) {
      JsonLocation location = e.getLocation();
      throw new FormatException(
          (location == null ? "" : "line " + location.getLineNr() + ": ") + JsonProblem.of(e), e);
    } catch (IOException e) {
      throw new FormatException(e.getMessage(), e);
    }
    return records;
  }

  private static SourceRecord record(String place, String[] columns, String[] row) {
    if (row.length != columns.length) {
      return SourceRecord.malformed(
          place, "found " + row.length + " values, expected " + columns.length + ", one a column");
    }
    ObjectNode fields = JsonNodeFactory.instance.objectNode();
    for (int i = 0; i < columns.length; i++) {
      fields.put(columns[i], row[i]);
    }
    return SourceRecord.of(place, fields);
  }
}
