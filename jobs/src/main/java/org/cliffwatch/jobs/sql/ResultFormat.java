package org.cliffwatch.jobs.sql;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.univocity.parsers.csv.CsvFormat;
import com.univocity.parsers.csv.CsvWriter;
import com.univocity.parsers.csv.CsvWriterSettings;
import java.io.OutputStreamWriter;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.cliffwatch.jobs.present.TextTable;

/** How rows are printed. Arrays and structs are JSON in every format. */
public enum ResultFormat {
  table {
    @Override
    long print(Dataset<Row> result, PrintStream out) {
      List<String[]> rows = result.collectAsList().stream().map(row -> cells(row, "NULL")).toList();
      out.print(TextTable.of(result.columns(), rows));
      return rows.size();
    }
  },
  csv {
    @Override
    long print(Dataset<Row> result, PrintStream out) {
      CsvWriterSettings settings = new CsvWriterSettings();
      CsvFormat format = new CsvFormat();
      format.setLineSeparator("\n");
      settings.setFormat(format);
      CsvWriter writer =
          new CsvWriter(new OutputStreamWriter(out, StandardCharsets.UTF_8), settings);
      writer.writeHeaders(result.columns());
      long count = 0;
      for (Iterator<Row> rows = result.toLocalIterator(); rows.hasNext(); count++) {
        writer.writeRow(cells(rows.next(), null));
      }
      writer.flush();
      return count;
    }
  },
  json {
    @Override
    long print(Dataset<Row> result, PrintStream out) {
      long count = 0;
      for (Iterator<String> rows = result.toJSON().toLocalIterator(); rows.hasNext(); count++) {
        out.println(rows.next());
      }
      return count;
    }
  };

  private static final ObjectMapper JSON = new ObjectMapper();

  /** Prints all rows, and returns how many there were. */
  abstract long print(Dataset<Row> result, PrintStream out);

  private static String[] cells(Row row, String absent) {
    String[] cells = new String[row.length()];
    Arrays.setAll(cells, i -> text(row.get(i), absent));
    return cells;
  }

  private static String text(Object value, String absent) {
    if (value == null) {
      return absent;
    }
    Object plain = plain(value);
    try {
      return plain instanceof String text ? text : JSON.writeValueAsString(plain);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Object plain(Object value) {
    if (value instanceof Row row) {
      Map<String, Object> fields = new LinkedHashMap<>();
      for (int i = 0; i < row.length(); i++) {
        fields.put(row.schema().fieldNames()[i], plain(row.get(i)));
      }
      return fields;
    }
    if (value instanceof scala.collection.Seq<?> values) {
      return scala.jdk.javaapi.CollectionConverters.asJava(values).stream()
          .map(ResultFormat::plain)
          .toList();
    }
    return value == null || value instanceof Number || value instanceof Boolean
        ? value
        : String.valueOf(value);
  }
}
