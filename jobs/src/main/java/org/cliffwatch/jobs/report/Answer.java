package org.cliffwatch.jobs.report;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import scala.jdk.javaapi.CollectionConverters;

/**
 * A statement and its first rows.
 *
 * @param sql as it was run
 * @param complete whether these are all of its rows
 * @param rows numbers, texts, truth values and lists of them; null for what is absent and for what
 *     JSON has no number for
 */
record Answer(String sql, boolean complete, List<String> columns, List<List<Object>> rows) {
  /**
   * Runs a statement.
   *
   * @param most rows that are kept; the driver gets one more, to know whether there are
   */
  static Answer to(String statement, int most, SparkSession spark) {
    String sql = statement.strip() + "\nLIMIT " + (most + 1);
    Dataset<Row> result = spark.sql(sql);
    List<List<Object>> rows = new ArrayList<>();
    for (Row row : result.collectAsList()) {
      List<Object> values = new ArrayList<>(row.length());
      for (int i = 0; i < row.length(); i++) {
        values.add(plain(row.get(i)));
      }
      rows.add(values);
    }
    boolean complete = rows.size() <= most;
    return new Answer(
        sql, complete, List.of(result.columns()), complete ? rows : rows.subList(0, most));
  }

  private static Object plain(Object value) {
    if (value instanceof scala.collection.Seq<?> values) {
      return CollectionConverters.asJava(values).stream().map(Answer::plain).toList();
    }
    if (value instanceof Double number && !Double.isFinite(number)) {
      return null;
    }
    return value == null || value instanceof Number || value instanceof Boolean
        ? value
        : value.toString();
  }

  /** A row's text in a column. */
  String text(List<Object> row, String column) {
    return (String) row.get(columns.indexOf(column));
  }
}
