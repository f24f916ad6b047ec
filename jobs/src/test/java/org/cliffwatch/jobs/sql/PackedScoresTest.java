package org.cliffwatch.jobs.sql;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.table.Tables;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PackedScoresTest {
  private static SparkSession spark;

  @TempDir Path folder;
  private final ByteArrayOutputStream log = new ByteArrayOutputStream();
  private Tables tables;
  private List<String> plain;

  @BeforeAll
  static void startSpark() {
    spark = LocalSpark.start();
  }

  @AfterAll
  static void stopSpark() {
    spark.stop();
  }

  @BeforeEach
  void makeTables() {
    tables = HandMadeRun.now(folder).tables();
    plain = plain();
  }

  /** The rows as Spark reads them from the table's folder. */
  private List<String> plain() {
    return sorted(spark.read().schema(Tables.schemas().get("scores")).parquet(folder + "/scores"));
  }

  private static List<String> sorted(Dataset<Row> rows) {
    return rows.toJSON().collectAsList().stream().sorted().toList();
  }

  private PackedScores open(int most) throws IOException {
    log.reset();
    PackedScores scores = new PackedScores(spark, tables);
    scores.pack(most, new PrintStream(log, true, StandardCharsets.UTF_8));
    return scores;
  }

  private List<String> files(PackedScores scores) {
    return List.of(scores.rows().inputFiles());
  }

  private long packs() throws IOException {
    try (Stream<Path> all = Files.walk(folder.resolve(".packed"))) {
      return all.filter(file -> file.toString().endsWith(".cells")).count();
    }
  }

  @Test
  void fewCellsAreReadAsTheyAre() throws IOException {
    PackedScores scores = open(18);
    assertThat(files(scores)).hasSize(18).allMatch(file -> file.contains("/scores/model="));
    assertThat(sorted(scores.rows())).hasSize(160).isEqualTo(plain);
    assertThat(folder.resolve(".packed")).doesNotExist();
  }

  @Test
  void manyAreCopiedOnce() throws IOException {
    assertThat(sorted(open(17).rows())).isEqualTo(plain);
    assertThat(log.toString(StandardCharsets.UTF_8)).contains("copying 18 cells");
    PackedScores again = open(17);
    assertThat(log.size()).isZero();
    assertThat(files(again)).isNotEmpty().allMatch(file -> file.contains("/.packed/"));
    assertThat(again.rows().schema().catalogString())
        .isEqualTo(Tables.schemas().get("scores").catalogString());
    assertThat(sorted(again.rows())).isEqualTo(plain);
  }

  @Test
  void cellsThatCameLaterAreReadBesideThePack() throws IOException {
    open(17);
    new HandMadeRun(folder).piqa("later", 1, "fp32", "10", 1);
    PackedScores scores = open(17);
    assertThat(files(scores)).anyMatch(file -> file.contains("model=later"));
    assertThat(sorted(scores.rows())).hasSize(162).isEqualTo(plain());
  }

  @Test
  void aPackOfACellThatChangedIsDropped() throws IOException {
    open(17);
    new HandMadeRun(folder).piqa("wide", 200, "w4", "00000000", 1);
    Files.delete(
        tables.storedCells("wide", "w4").stream()
            .filter(cell -> cell.id().endsWith("11111111"))
            .map(cell -> Path.of(tables.scores(cell).path().toUri().getPath()))
            .findFirst()
            .orElseThrow());
    PackedScores scores = open(18);
    assertThat(packs()).isZero();
    assertThat(sorted(scores.rows())).hasSize(160).isEqualTo(plain()).isNotEqualTo(plain);
  }

  @Test
  void anUnfinishedPackIsNone() throws IOException {
    open(17);
    try (Stream<Path> all = Files.walk(folder.resolve(".packed"))) {
      for (Path list : all.filter(file -> file.toString().endsWith(".cells")).toList()) {
        Files.delete(list);
      }
    }
    assertThat(files(open(18))).hasSize(18).allMatch(file -> file.contains("/scores/model="));
  }

  @Test
  void whereNothingCanBeWrittenCellsAreReadAsTheyAre() throws IOException {
    Files.createFile(folder.resolve(".packed"));
    assertThat(sorted(open(17).rows())).isEqualTo(plain);
    assertThat(log.toString(StandardCharsets.UTF_8)).contains("cannot write", ".packed");
  }
}
