package org.cliffwatch.jobs;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.univocity.parsers.csv.CsvFormat;
import com.univocity.parsers.csv.CsvWriter;
import com.univocity.parsers.csv.CsvWriterSettings;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.hadoop.fs.FileSystem;
import org.apache.spark.SparkThrowable;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.cliffwatch.jobs.present.TextTable;
import org.cliffwatch.jobs.table.Tables;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code sql.sh}: Spark SQL over the tables and views of an output folder. */
@Command(
    name = "sql.sh",
    description = "Runs Spark SQL over the tables of an evaluation.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Tables: scores, metrics, degradation, runs (their columns: README.md).",
      "Views: results (metrics beside their degradation).",
      "",
      "Example:",
      "  sql.sh --tables out -e \"SELECT model, precision, task, value FROM metrics\""
    })
public final class Sql implements Callable<Integer> {
  private static final String RESULTS_VIEW =
      """
      CREATE OR REPLACE TEMPORARY VIEW results AS
      SELECT m.model, m.step, m.precision, m.task, m.metric, m.value, m.stderr, m.ci_low, m.ci_high,
             m.items, m.failed, d.baseline, d.baseline_value, d.abs_pp, d.rel_pct, d.p_adjusted
      FROM metrics m
      LEFT JOIN degradation d USING (model, step, precision, task, metric)
      """;

  private enum Format {
    table,
    csv,
    json
  }

  private static final class Source {
    @Option(names = "-e", paramLabel = "QUERY", description = "Statements, separated by ';'.")
    private String query;

    @Option(names = "-f", paramLabel = "FILE", description = "A file of statements.")
    private Path file;
  }

  @Option(
      names = "--tables",
      required = true,
      paramLabel = "DIR",
      description = "Folder given to evaluate.sh as --output.")
  private String tables;

  @ArgGroup(multiplicity = "1")
  private Source source;

  @Option(
      names = "--format",
      defaultValue = "table",
      description =
          "${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}. json prints an object a line.")
  private Format format;

  private final PrintStream out =
      new PrintStream(
          new java.io.FileOutputStream(java.io.FileDescriptor.out), false, StandardCharsets.UTF_8);

  public static void main(String[] arguments) {
    System.exit(Commands.run(new Sql(), arguments));
  }

  @Override
  public Integer call() throws IOException {
    String text = source.query != null ? source.query : Commands.readText(source.file);
    try (SparkSession spark = Commands.session("cliffwatch sql")) {
      register(spark);
      for (String statement : statements(text)) {
        run(spark, statement);
      }
    } finally {
      out.flush();
    }
    return ExitCode.DONE;
  }

  /** What Spark refuses about a query is the user's to mend, not a fault of ours. */
  private void run(SparkSession spark, String statement) {
    try {
      print(spark.sql(statement));
    } catch (Exception e) {
      if (e instanceof SparkThrowable refusal
          && refusal.getCondition() != null
          && !refusal.getCondition().startsWith("INTERNAL_ERROR")) {
        throw new CommandLine.ParameterException(new CommandLine(this), e.getMessage().strip());
      }
      throw e;
    }
  }

  private void register(SparkSession spark) throws IOException {
    Tables layout =
        new Tables(
            new org.apache.hadoop.fs.Path(tables), spark.sparkContext().hadoopConfiguration());
    layout.requireVersion();
    boolean any = false;
    for (Map.Entry<String, StructType> table : Tables.schemas().entrySet()) {
      org.apache.hadoop.fs.Path folder = layout.table(table.getKey());
      FileSystem files = folder.getFileSystem(spark.sparkContext().hadoopConfiguration());
      boolean there = files.exists(folder);
      any |= there;
      Dataset<Row> rows =
          there
              ? spark.read().schema(table.getValue()).parquet(folder.toString())
              : spark.createDataFrame(List.<Row>of(), table.getValue());
      rows.createOrReplaceTempView(table.getKey());
    }
    if (!any) {
      throw new CommandLine.ParameterException(
          new CommandLine(this),
          "--tables: found no table in "
              + tables
              + ", expected one of "
              + String.join(", ", Tables.schemas().keySet()));
    }
    spark.sql(RESULTS_VIEW);
  }

  /** Splits at semicolons outside quotes and comments. */
  static List<String> statements(String text) {
    List<String> statements = new ArrayList<>();
    StringBuilder statement = new StringBuilder();
    char quote = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (quote == 0 && text.startsWith("--", i)) {
        int end = text.indexOf('\n', i);
        i = (end < 0 ? text.length() : end) - 1;
        continue;
      }
      if (quote != 0 && c == '\\' && i + 1 < text.length()) {
        statement.append(c).append(text.charAt(++i));
        continue;
      }
      if (quote == 0 && (c == '\'' || c == '"' || c == '`')) {
        quote = c;
      } else if (c == quote) {
        quote = 0;
      }
      if (c == ';' && quote == 0) {
        statements.add(statement.toString());
        statement.setLength(0);
      } else {
        statement.append(c);
      }
    }
    statements.add(statement.toString());
    return statements.stream().map(String::strip).filter(s -> !s.isEmpty()).toList();
  }

  private void print(Dataset<Row> result) {
    if (result.columns().length == 0) {
      return;
    }
    switch (format) {
      case json -> result.toJSON().toLocalIterator().forEachRemaining(out::println);
      case csv -> printCsv(result);
      default -> out.print(TextTable.of(result.columns(), cells(result)));
    }
  }

  private static List<String[]> cells(Dataset<Row> result) {
    List<String[]> rows = new ArrayList<>();
    result
        .toLocalIterator()
        .forEachRemaining(
            row -> {
              String[] cells = new String[row.length()];
              Arrays.setAll(cells, i -> text(row.get(i), "NULL"));
              rows.add(cells);
            });
    return rows;
  }

  private void printCsv(Dataset<Row> result) {
    CsvWriterSettings settings = new CsvWriterSettings();
    CsvFormat csv = new CsvFormat();
    csv.setLineSeparator("\n");
    settings.setFormat(csv);
    CsvWriter writer =
        new CsvWriter(new java.io.OutputStreamWriter(out, StandardCharsets.UTF_8), settings);
    writer.writeHeaders(result.columns());
    result
        .toLocalIterator()
        .forEachRemaining(
            row -> {
              String[] cells = new String[row.length()];
              Arrays.setAll(cells, i -> text(row.get(i), null));
              writer.writeRow(cells);
            });
    writer.flush();
  }

  /** Arrays and structs are shown as JSON. */
  private static String text(Object value, String absent) {
    if (value == null) {
      return absent;
    }
    return plain(value) instanceof String text ? text : json(plain(value));
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
          .map(Sql::plain)
          .toList();
    }
    return value instanceof Number || value instanceof Boolean ? value : String.valueOf(value);
  }

  private static String json(Object value) {
    try {
      return new ObjectMapper().writeValueAsString(value);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
