package org.cliffwatch.jobs.aggregate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.cliffwatch.jobs.Shared;
import org.cliffwatch.jobs.aggregate.Degradation.TaskScores;
import org.cliffwatch.jobs.plan.AskedTask;
import org.cliffwatch.jobs.table.DegradationRow;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.tasks.definition.Tasks;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class DegradationTest {
  /** The paper prints two decimals of scores and of the mean. */
  private static final double PRINTED = 0.006;

  /** The width of an interval of 2000 resamples, relative, three standard deviations. */
  private static final double RESAMPLED = 0.1;

  private static final int FIRST_TASK = 3;
  private static final int TASKS = 8;

  /** Ahmadian et al. 2023, appendix A.3: the printed "Average % Diff" of the 6B variants. */
  @Test
  @Tag("shared")
  void meanOfRelativeChangesReproducesThePapersTable() throws IOException {
    List<String> lines =
        Files.readAllLines(Shared.path("reference/tables/ahmadian_variants_6B_75k.csv"));
    int printed = 0;
    for (int i = 1; i + 1 < lines.size(); i += 2) {
      String[] before = fields(lines.get(i));
      String[] after = fields(lines.get(i + 1));
      List<DegradationRow> tasks = new ArrayList<>();
      for (int t = FIRST_TASK; t < FIRST_TASK + TASKS; t++) {
        double pre = Double.parseDouble(before[t]) / 100;
        double post = Double.parseDouble(after[t]) / 100;
        tasks.add(
            row(
                "task" + t,
                pre,
                post,
                100 * (post - pre),
                PairedComparison.relativePercent(pre, post)));
      }
      DegradationRow mean = Degradation.mean("acc", tasks, Map.of());
      assertThat(mean.relPct())
          .as(lines.get(i + 1))
          .isCloseTo(Double.parseDouble(after[FIRST_TASK + TASKS + 1]), within(PRINTED));
      printed++;
    }
    assertThat(printed).isEqualTo(13);
  }

  /** The second column is quoted and has commas. */
  private static String[] fields(String line) {
    return line.replaceAll("\"[^\"]*\"", "config").split(",", -1);
  }

  private static DegradationRow row(
      String task, double before, double after, double absPp, double relPct) {
    return new DegradationRow(
        "w8a8", 0, task, "acc", "fp16", before, after, absPp, relPct, null, null, null, null, 0L,
        0L, null, 1, "a", "b", 1);
  }

  private static ScoreRow score(int replica, int item, boolean right) {
    double wrong = right ? -2 : -0.5;
    return new ScoreRow(
        "c",
        replica,
        item,
        "h",
        0,
        right ? 0 : 1,
        0,
        0,
        right,
        right,
        List.of(
            new ScoreRow.Choice(-1, 1, 1, 0, 1, false, false, false, null, null, null),
            new ScoreRow.Choice(wrong, 1, 1, 0, 1, false, false, false, null, null, null)),
        ScoreRow.OK,
        null);
  }

  private static MetricRow metric(Double value) {
    return new MetricRow(
        "w8a8",
        0,
        "c",
        "copa",
        "acc",
        true,
        value,
        null,
        null,
        null,
        1,
        null,
        4,
        0,
        null,
        null,
        "k",
        "1",
        "t",
        "k",
        "items k",
        value == null ? "why" : null);
  }

  private static List<DegradationRow> compare(
      List<String> tasks,
      Double value,
      Double changed,
      List<ScoreRow> before,
      List<ScoreRow> after) {
    Degradation degradation = new Degradation(new Slice("tiny", "w8a8", 0), "fp32", 1, 1);
    for (String task : tasks) {
      degradation.add(
          AskedTask.of(Tasks.load(task)),
          new TaskScores("b", List.of(metric(value)), before),
          new TaskScores("c", List.of(metric(changed)), after));
    }
    return degradation.rows();
  }

  @Test
  void pairsItemsByPosition() {
    List<ScoreRow> before =
        List.of(score(0, 0, true), score(0, 1, true), score(0, 2, false), score(0, 3, true));
    List<ScoreRow> after =
        List.of(score(0, 0, false), score(0, 1, true), score(0, 2, true), score(0, 3, false));
    List<DegradationRow> rows = compare(List.of("copa"), 0.75, 0.5, before, after);
    DegradationRow row = rows.get(0);
    assertThat(row.absPp()).isEqualTo(-25);
    assertThat(row.relPct()).isCloseTo(-100.0 / 3, within(1e-12));
    assertThat(row.gained()).isEqualTo(1);
    assertThat(row.lost()).isEqualTo(2);
    assertThat(row.pValue()).isEqualTo(1);
    assertThat(row.items()).isEqualTo(4);
    DegradationRow mean = rows.get(1);
    assertThat(mean.task()).isEqualTo(DegradationRow.MEAN);
    assertThat(mean.relPct()).isEqualTo(row.relPct());
    assertThat(mean.relPctLow()).isEqualTo(row.relPctLow());
  }

  /**
   * Two tasks of equal size whose changes lie at the same positions, but have nothing to do with
   * each other: the interval of their mean is narrower by √2 than either's. Drawn together, it
   * would be as wide.
   */
  @Test
  void tasksOfEqualSizeAreDrawnIndependently() {
    int items = 400;
    List<ScoreRow> before = new ArrayList<>();
    List<ScoreRow> after = new ArrayList<>();
    for (int i = 0; i < items; i++) {
      before.add(score(0, i, i % 2 == 0));
      after.add(score(0, i, i % 5 < 2));
    }
    List<DegradationRow> rows = compare(List.of("copa", "piqa"), 0.5, 0.4, before, after);
    List<DegradationRow> accuracies =
        rows.stream().filter(row -> row.metric().equals("acc")).toList();
    assertThat(accuracies).extracting(DegradationRow::task).containsExactly("copa", "piqa", "mean");
    double copa = width(accuracies.get(0));
    double piqa = width(accuracies.get(1));
    assertThat(accuracies.get(0).relPctLow()).isNotEqualTo(accuracies.get(1).relPctLow());
    assertThat(width(accuracies.get(2)) / Math.hypot(copa / 2, piqa / 2))
        .isCloseTo(1, within(RESAMPLED));
  }

  private static double width(DegradationRow row) {
    return row.relPctHigh() - row.relPctLow();
  }

  @Test
  void aFailedCellIsARowWithoutValues() {
    List<DegradationRow> rows = compare(List.of("copa"), 0.75, null, List.of(), List.of());
    assertThat(rows).hasSize(2).allSatisfy(row -> assertThat(row.relPct()).isNull());
    assertThat(rows.get(0).baselineValue()).isEqualTo(0.75);
  }

  private static MetricRow metric(String task, double value, long items) {
    return new MetricRow(
        "w8a8", 0, "c", task, "acc", true, value, null, null, null, 1, null, items, 0, null, null,
        "k", "1", "t", "k", "items k", null);
  }

  private static List<ScoreRow> scores(int items, int right) {
    return IntStream.range(0, items).mapToObj(item -> score(0, item, item < right)).toList();
  }

  /** A group is the accuracy over the items of all its tasks, and one task in the mean. */
  @Test
  void aGroupCountsOnceByItsItems() {
    Degradation degradation = new Degradation(new Slice("tiny", "w8a8", 0), "fp32", 1, 1);
    List<String> tasks = List.of("xstorycloze_en", "xstorycloze_es", "copa");
    int[] items = {2, 10, 4};
    int[] before = {2, 5, 4};
    int[] after = {1, 3, 3};
    for (int i = 0; i < tasks.size(); i++) {
      degradation.add(
          AskedTask.of(Tasks.load(tasks.get(i)), i < 2 ? "xstorycloze" : null),
          new TaskScores(
              "b",
              List.of(metric(tasks.get(i), (double) before[i] / items[i], items[i])),
              scores(items[i], before[i])),
          new TaskScores(
              "c",
              List.of(metric(tasks.get(i), (double) after[i] / items[i], items[i])),
              scores(items[i], after[i])));
    }
    List<DegradationRow> rows = degradation.rows();
    assertThat(rows)
        .extracting(DegradationRow::task)
        .containsExactly("xstorycloze_en", "xstorycloze_es", "copa", "xstorycloze", "mean");
    DegradationRow group = rows.get(3);
    assertThat(group.isGroup()).isTrue();
    assertThat(group.baselineValue()).isCloseTo(7 / 12.0, within(1e-12));
    assertThat(group.value()).isCloseTo(4 / 12.0, within(1e-12));
    assertThat(group.relPct()).isCloseTo(-100 * 3 / 7.0, within(1e-12));
    assertThat(group.lost()).isEqualTo(3);
    assertThat(group.gained()).isZero();
    assertThat(group.items()).isEqualTo(12);
    assertThat(group.pValue()).isEqualTo(PairedComparison.mcNemar(0, 3));
    assertThat(group.relPctLow()).isLessThan(group.relPct());
    DegradationRow mean = rows.get(4);
    assertThat(mean.relPct()).isCloseTo((-100 * 3 / 7.0 - 25) / 2, within(1e-12));
    assertThat(mean.baselineValue()).isCloseTo((7 / 12.0 + 1) / 2, within(1e-12));
    assertThat(mean.items()).isEqualTo(16);
  }

  @Test
  void aGroupOfWhichATaskFailedHasNoValue() {
    Degradation degradation = new Degradation(new Slice("tiny", "w8a8", 0), "fp32", 1, 1);
    for (String task : List.of("xstorycloze_en", "xstorycloze_es")) {
      degradation.add(
          AskedTask.of(Tasks.load(task), "xstorycloze"),
          new TaskScores("b", List.of(metric(task, 0.5, 2)), scores(2, 1)),
          new TaskScores(
              "c",
              task.endsWith("es") ? List.of(metric((Double) null)) : List.of(metric(task, 0.5, 2)),
              scores(2, 1)));
    }
    DegradationRow group = degradation.rows().get(2);
    assertThat(group.task()).isEqualTo("xstorycloze");
    assertThat(group.value()).isNull();
    assertThat(group.relPct()).isNull();
    assertThat(group.pValue()).isNull();
    assertThat(degradation.rows().get(3).relPct()).isNull();
  }

  /** Expected by lm_eval 0.4.13's aggregate_subtask_metrics and pooled_sample_stderr. */
  @Test
  void theMeanOfAGroupIsLmEvaluationHarnesss() {
    GroupMean mean =
        GroupMean.of(
            List.of(
                withStderr(metric("a", 0.25, 100), 0.0435194139889245),
                withStderr(metric("b", 0.75, 40), 0.0693375245281536)));
    assertThat(mean.value()).isCloseTo(0.39285714285714285, within(1e-12));
    assertThat(mean.unweighted()).isEqualTo(0.5);
    assertThat(mean.stderr()).isCloseTo(0.0368604890387243, within(1e-12));
    assertThat(GroupMean.of(List.of(metric("a", 0.25, 100))).stderr()).isNull();
  }

  private static MetricRow withStderr(MetricRow row, double stderr) {
    return new MetricRow(
        row.precision(),
        row.step(),
        row.cellId(),
        row.task(),
        row.metric(),
        true,
        row.value(),
        stderr,
        null,
        null,
        1,
        null,
        row.items(),
        0,
        null,
        null,
        "k",
        "1",
        "t",
        "k",
        "k",
        null);
  }
}
