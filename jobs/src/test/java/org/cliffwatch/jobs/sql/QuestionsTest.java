package org.cliffwatch.jobs.sql;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The questions of {@code submit/sql} have the same answers in Spark and in DuckDB. */
class QuestionsTest {
  private static final Path QUESTIONS = Path.of("../submit/sql");
  private static final Path ANSWERS = Path.of("src/test/resources/answers");

  @TempDir static Path folder;
  private static SparkSession spark;
  private static Database database;

  @BeforeAll
  static void makeTables() throws IOException {
    HandMadeRun.now(folder.resolve("now"));
    HandMadeRun.before(folder.resolve("before"));
    spark = LocalSpark.start();
    database = new Database(spark, System.err);
    database.open(folder.resolve("now").toString(), Optional.empty());
    database.openBefore(Optional.of(folder.resolve("before").toString()), Optional.empty());
  }

  @AfterAll
  static void stopSpark() {
    spark.stop();
  }

  private static List<String> questions() throws IOException {
    return names(QUESTIONS, ".sql").filter(name -> !name.equals("external")).toList();
  }

  private static Stream<String> names(Path of, String end) throws IOException {
    try (Stream<Path> files = Files.list(of)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(end))
          .map(name -> name.substring(0, name.length() - end.length()))
          .sorted()
          .toList()
          .stream();
    }
  }

  @Test
  void everyQuestionHasAnAnswer() throws IOException {
    assertThat(questions()).isEqualTo(names(ANSWERS, ".csv").toList());
  }

  @ParameterizedTest
  @MethodSource("questions")
  void bothEnginesGiveTheAnswer(String name) throws IOException, SQLException {
    String question = Files.readString(QUESTIONS.resolve(name + ".sql"));
    assertThat(question).startsWith("-- ").contains("?\n");
    String answer = Files.readString(ANSWERS.resolve(name + ".csv"));
    assertThat(inSpark(question)).isEqualTo(answer);
    assertThat(inDuckDb(question)).isEqualTo(answer);
  }

  private static String inSpark(String question) {
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    PrintStream out = new PrintStream(text, true, StandardCharsets.UTF_8);
    Statements.of(question).all().forEach(s -> database.run(s, ResultFormat.csv, out));
    return text.toString(StandardCharsets.UTF_8);
  }

  private static String inDuckDb(String question) throws SQLException, IOException {
    try (Connection connection = DriverManager.getConnection("jdbc:duckdb:");
        Statement statement = connection.createStatement()) {
      statement.execute("CREATE SCHEMA before");
      for (String run : List.of("before", "main")) {
        statement.execute("USE " + run);
        Path tables = folder.resolve(run.equals("main") ? "now" : run);
        for (String declaration : Declarations.of("duckdb", tables)) {
          statement.execute(declaration);
        }
      }
      return csv(statement.executeQuery(question));
    }
  }

  private static String csv(ResultSet rows) throws SQLException {
    int columns = rows.getMetaData().getColumnCount();
    List<String> lines = new ArrayList<>();
    List<String> cells = new ArrayList<>();
    for (int i = 1; i <= columns; i++) {
      cells.add(rows.getMetaData().getColumnName(i));
    }
    lines.add(String.join(",", cells));
    while (rows.next()) {
      cells.clear();
      for (int i = 1; i <= columns; i++) {
        cells.add(Objects.toString(rows.getObject(i), ""));
      }
      lines.add(String.join(",", cells));
    }
    return String.join("\n", lines) + "\n";
  }
}
