package org.cliffwatch.jobs.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.cliffwatch.jobs.plan.Piece;
import org.cliffwatch.jobs.run.CellFiles.Effort;
import org.cliffwatch.jobs.run.CellFiles.Part;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CellFilesTest {
  private static final int ITEMS = 10;
  private static final int REPLICAS = 2;
  private static final Effort EFFORT = new Effort(7, 0.5);

  @TempDir Path folder;
  private CellFiles files;
  private final StoredCell cell = new StoredCell(new Slice("m", "w8a8", 3), "piqa", "new");
  private final Piece piece = piece(List.of());

  @BeforeEach
  void open() {
    files = new CellFiles(folder.toString(), new Configuration(), null);
  }

  private Piece piece(List<String> superseded) {
    return new Piece(cell, 0, 0, ITEMS, ITEMS, superseded);
  }

  private static List<ScoreRow> rows(int first, int end) {
    List<ScoreRow> rows = new ArrayList<>();
    for (int replica = 0; replica < REPLICAS; replica++) {
      for (int item = first; item < end; item++) {
        rows.add(
            new ScoreRow(
                "new", replica, item, "h" + item, 0, 1, 1, 1, false, false, List.of(), "ok", null));
      }
    }
    return rows;
  }

  private void keep(int first, int end) {
    files.keep(cell, new Part(first, end), EFFORT, rows(first, end));
  }

  @Test
  void partsThatMakeUpTheCellBecomeIt() throws IOException {
    keep(4, 10);
    assertThat(files.assemble(piece, REPLICAS)).isEmpty();
    assertThat(files.isCommitted(cell)).isFalse();
    keep(0, 4);
    CellFiles.Assembled whole = files.assemble(piece, REPLICAS).orElseThrow();
    assertThat(whole.effort()).isEqualTo(new Effort(14, 1));
    assertThat(committed()).isEqualTo(rows(0, ITEMS));
    assertThat(files.started()).isEmpty();

    byte[] bytes = bytes();
    files.commit(piece, REPLICAS, rows(0, ITEMS));
    assertThat(bytes()).as("in one piece: the same bytes").isEqualTo(bytes);
  }

  private List<ScoreRow> committed() {
    return new Tables(new org.apache.hadoop.fs.Path(folder.toString()), new Configuration())
        .scores(cell)
        .read(Tables.SCORES);
  }

  private byte[] bytes() throws IOException {
    return Files.readAllBytes(
        folder.resolve("scores/model=m/precision=w8a8/step=3/task=piqa/new.parquet"));
  }

  /** A retry cuts the items elsewhere: what overlaps counts once. */
  @Test
  void partsThatOverlapAreTakenOnce() {
    keep(0, 4);
    keep(0, 6);
    keep(2, 8);
    keep(6, 8);
    keep(8, 10);
    assertThat(files.parts(cell)).containsExactly(new Part(0, 6), new Part(6, 8), new Part(8, 10));
    assertThat(files.assemble(piece, REPLICAS)).isPresent();
    assertThat(committed()).isEqualTo(rows(0, ITEMS));
  }

  @Test
  void missingIsWhatNoPartHas() {
    List<Part> parts = List.of(new Part(2, 4), new Part(7, 9));
    assertThat(CellFiles.missing(parts, new Part(0, 10)))
        .containsExactly(new Part(0, 2), new Part(4, 7), new Part(9, 10));
    assertThat(CellFiles.missing(parts, new Part(3, 8))).containsExactly(new Part(4, 7));
    assertThat(CellFiles.missing(parts, new Part(2, 4))).isEmpty();
    assertThat(CellFiles.missing(List.of(), new Part(5, 6))).containsExactly(new Part(5, 6));
  }

  @Test
  void aCellTakesThePlaceOfOthers() {
    StoredCell old = new StoredCell(cell.slice(), cell.task(), "old");
    files.commit(new Piece(old, 0, 0, 1, 1, List.of()), 1, rows(0, 1).subList(0, 1));
    files.commit(piece(List.of("old", "never there")), REPLICAS, rows(0, ITEMS));
    assertThat(files.isCommitted(old)).isFalse();
    assertThat(files.isCommitted(cell)).isTrue();
  }

  @Test
  void aLostOrDoubledItemIsNeverCommitted() {
    List<ScoreRow> doubled = rows(0, ITEMS);
    doubled.set(3, doubled.get(4));
    for (List<ScoreRow> wrong : List.of(doubled, rows(0, 9), rows(1, ITEMS))) {
      assertThatThrownBy(() -> files.commit(piece, REPLICAS, wrong))
          .hasMessageContaining("expected 20, each item once a replica");
    }
    assertThat(files.isCommitted(cell)).isFalse();
  }

  /** Two tasks that end at once both find the cell whole. */
  @Test
  void manyMayPutACellTogetherAtOnce() {
    for (int round = 0; round < 20; round++) {
      IntStream.range(0, ITEMS).forEach(item -> keep(item, item + 1));
      List<CompletableFuture<Void>> all = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        all.add(
            CompletableFuture.runAsync(
                () ->
                    new CellFiles(folder.toString(), new Configuration(), null)
                        .assemble(piece, REPLICAS)));
      }
      all.forEach(CompletableFuture::join);
      assertThat(committed()).isEqualTo(rows(0, ITEMS));
      files.forget(cell);
    }
  }

  /** Two runs at once share parts: the first to have all of them commits, and removes them. */
  @Test
  void whatAnotherRunHasPutTogetherIsWhole() {
    keep(0, 10);
    new CellFiles(folder.toString(), new Configuration(), null).assemble(piece, REPLICAS);
    keep(4, 10);
    assertThat(files.assemble(piece, REPLICAS).orElseThrow().rows()).isEqualTo(rows(0, ITEMS));
    CellFiles fresh = new CellFiles(folder.toString(), new Configuration(), "run");
    assertThat(fresh.assemble(piece, REPLICAS)).as("what is to be scored again").isEmpty();
  }

  /** Its parts are its own: the same checkpoint under two names has cells of one id. */
  @Test
  void equalCellsInTwoPlacesDoNotShareParts() {
    StoredCell twin = new StoredCell(new Slice("m", "w8a8", 4), "piqa", "new");
    keep(0, 10);
    assertThat(files.parts(twin)).isEmpty();
    assertThat(files.name(twin)).isNotEqualTo(files.name(cell));
  }

  @Test
  void whatEarlierRunsLeftIsNotUsedWhereAllIsScoredAgain() {
    keep(0, 10);
    CellFiles fresh = new CellFiles(folder.toString(), new Configuration(), "run");
    assertThat(fresh.parts(cell)).isEmpty();
  }
}
