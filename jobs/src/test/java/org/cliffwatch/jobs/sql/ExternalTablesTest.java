package org.cliffwatch.jobs.sql;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;
import org.cliffwatch.jobs.table.Tables;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code submit/sql/external.sql} declares the tables as they are. */
class ExternalTablesTest {
  @TempDir static Path folder;
  private static SparkSession spark;

  @BeforeAll
  static void makeTables() {
    HandMadeRun.now(folder);
    spark = LocalSpark.start();
  }

  @AfterAll
  static void stopSpark() {
    spark.stop();
  }

  /** Columns by table, as an engine writes them. */
  private static Map<String, List<String>> expected(Function<DataType, String> types) {
    Map<String, List<String>> tables = new TreeMap<>();
    Tables.schemas()
        .forEach(
            (name, schema) ->
                tables.put(
                    name,
                    Arrays.stream(schema.fields())
                        .map(field -> field.name() + " " + types.apply(field.dataType()))
                        .toList()));
    return tables;
  }

  @Test
  void sparkReadsWhatIsDeclared() throws IOException {
    Declarations.of("spark", folder).forEach(spark::sql);
    Map<String, List<String>> found = new TreeMap<>();
    for (String table : Tables.schemas().keySet()) {
      found.put(
          table,
          Arrays.stream(spark.table(table).schema().fields())
              .map(field -> field.name() + " " + field.dataType().catalogString())
              .toList());
    }
    assertThat(found).isEqualTo(expected(DataType::catalogString));
    assertThat(spark.sql("SELECT model FROM scores WHERE step = 100").count()).isEqualTo(48);
    assertThat(spark.table("runs").count()).isEqualTo(1);
  }

  @Test
  void duckDbReadsWhatIsDeclared() throws IOException, SQLException {
    try (Connection connection = DriverManager.getConnection("jdbc:duckdb:");
        Statement statement = connection.createStatement()) {
      for (String declaration : Declarations.of("duckdb", folder)) {
        statement.execute(declaration);
      }
      Map<String, List<String>> found = new TreeMap<>();
      for (String table : Tables.schemas().keySet()) {
        List<String> columns = new ArrayList<>();
        try (ResultSet rows = statement.executeQuery("DESCRIBE " + table)) {
          while (rows.next()) {
            columns.add(rows.getString(1) + " " + rows.getString(2).replace("\"", ""));
          }
        }
        found.put(table, columns);
      }
      assertThat(found).isEqualTo(expected(ExternalTablesTest::duckDb));
      try (ResultSet rows =
          statement.executeQuery("SELECT count(*) FROM scores WHERE model = '2024'")) {
        rows.next();
        assertThat(rows.getLong(1)).isEqualTo(112);
      }
    }
  }

  @Test
  void athenaAndTrinoAreToldTheSameColumns() throws Exception {
    for (String declaration : Declarations.of("athena", folder)) {
      // Spark knows Hive's grammar, though without Hive it makes no such tables.
      spark.sessionState().sqlParser().parsePlan(declaration);
    }
    assertThat(declared("athena")).isEqualTo(expected(DataType::catalogString));
    assertThat(declared("trino")).isEqualTo(expected(ExternalTablesTest::trino));
  }

  private static final Pattern TABLE =
      Pattern.compile(
          "(?s)CREATE (?:EXTERNAL )?TABLE (\\w+) \\((.*?)\n\\)(?:\nPARTITIONED BY \\((.*?)\n\\))?.*");

  private static Map<String, List<String>> declared(String engine) throws IOException {
    Map<String, List<String>> tables = new TreeMap<>();
    for (String declaration : Declarations.of(engine, folder)) {
      Matcher table = TABLE.matcher(declaration);
      if (table.matches()) {
        String columns = table.group(2) + (table.group(3) == null ? "" : ",\n" + table.group(3));
        tables.put(
            table.group(1),
            Arrays.stream(columns.split(",\\s*\n", 0))
                .map(column -> column.strip().replace("`", ""))
                .toList());
      }
    }
    return tables;
  }

  private static String trino(DataType type) {
    Map<String, String> names = Map.of("string", "varchar", "int", "integer");
    return type instanceof ArrayType list
        ? "array(row(" + fields(list, ExternalTablesTest::trino) + "))"
        : names.getOrDefault(type.catalogString(), type.catalogString());
  }

  private static String duckDb(DataType type) {
    Map<String, String> names = Map.of("string", "VARCHAR", "int", "INTEGER");
    return type instanceof ArrayType list
        ? "STRUCT(" + fields(list, ExternalTablesTest::duckDb) + ")[]"
        : names.getOrDefault(type.catalogString(), type.catalogString().toUpperCase(Locale.ROOT));
  }

  private static String fields(ArrayType list, Function<DataType, String> types) {
    return Arrays.stream(((StructType) list.elementType()).fields())
        .map(field -> field.name() + " " + types.apply(field.dataType()))
        .collect(Collectors.joining(", "));
  }
}
