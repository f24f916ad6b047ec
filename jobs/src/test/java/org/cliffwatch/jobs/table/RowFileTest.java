package org.cliffwatch.jobs.table;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RowFileTest {
  private static final ScoreRow SCORED =
      new ScoreRow(
          "cell",
          1,
          7,
          "hash",
          1,
          0,
          1,
          1,
          false,
          true,
          List.of(
              new ScoreRow.Choice(-1.5, 2, 3, 0, 4, true, false, false, 0.25, 1, true),
              new ScoreRow.Choice(
                  Double.MIN_VALUE, 5, 6, 0, 7, false, false, false, null, null, null)),
          ScoreRow.OK,
          null);
  private static final ScoreRow REJECTED =
      new ScoreRow(
          "cell", 0, 8, null, null, null, null, null, null, null, List.of(), ScoreRow.ERROR, "ö");

  @TempDir java.nio.file.Path folder;
  private RowFile file;
  private Path staging;

  @BeforeEach
  void place() {
    file = new RowFile(new Path(folder + "/t/a=1/x.parquet"), new Configuration());
    staging = new Path(folder + "/.staging");
  }

  private void write(List<ScoreRow> rows) {
    file.write(staging, Tables.SCORES, Map.of("k", "v"), rows);
  }

  @Test
  void rowsComeBackAsTheyWere() {
    write(List.of(SCORED, REJECTED));
    assertThat(file.read(Tables.SCORES)).containsExactly(SCORED, REJECTED);
    assertThat(file.metadata().orElseThrow()).containsEntry("k", "v");
  }

  @Test
  void equalRowsGiveEqualBytes() throws IOException {
    write(List.of(SCORED, REJECTED));
    byte[] first = Files.readAllBytes(folder.resolve("t/a=1/x.parquet"));
    write(List.of(SCORED, REJECTED));
    assertThat(Files.readAllBytes(folder.resolve("t/a=1/x.parquet"))).isEqualTo(first);
  }

  @Test
  void writingReplaces() {
    write(List.of(SCORED));
    write(List.of(REJECTED));
    assertThat(file.read(Tables.SCORES)).containsExactly(REJECTED);
    assertThat(folder.resolve(".staging")).isEmptyDirectory();
  }

  private record Older(String cellId, int item) {}

  @Test
  void columnsAnOlderFileLacksAreNullOrZero() {
    file.write(staging, Columns.of(Older.class), Map.of(), List.of(new Older("cell", 3)));
    ScoreRow row = file.read(Tables.SCORES).get(0);
    assertThat(row.cellId()).isEqualTo("cell");
    assertThat(row.item()).isEqualTo(3);
    assertThat(row.replica()).isZero();
    assertThat(row.gold()).isNull();
    assertThat(row.choices()).isNull();
  }

  @Test
  void absentAndDamagedFilesAreToldApart() throws IOException {
    assertThat(file.metadata()).isEmpty();
    write(List.of(SCORED));
    Files.deleteIfExists(folder.resolve("t/a=1/.x.parquet.crc"));
    Files.write(folder.resolve("t/a=1/x.parquet"), new byte[] {'P', 'A', 'R', '1'});
    assertThatThrownBy(file::metadata).hasMessageContaining("x.parquet");
  }
}
