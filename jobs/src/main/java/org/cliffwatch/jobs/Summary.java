package org.cliffwatch.jobs;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.cliffwatch.jobs.Evaluation.Outcome;
import org.cliffwatch.jobs.plan.Cell;
import org.cliffwatch.jobs.plan.Plan;
import org.cliffwatch.jobs.table.DegradationRow;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.tasks.metric.Metric;

/** What evaluate.sh prints at its end. */
final class Summary {
  private static final String[] HEADER = {
    "model",
    "step",
    "precision",
    "task",
    "metric",
    "value",
    "stderr",
    "abs_pp",
    "rel_pct",
    "rel_pct 95% interval",
    "p_adjusted",
    "gained",
    "lost",
    "failed"
  };
  private static final String NONE = "-";

  /**
   * A loss nobody would ship: the paper's robust 6B recipes stay within 1.4 % in w8a8, its OPT-66B
   * loses 57 %.
   */
  private static final double CLIFF_PERCENT = -5;

  private Summary() {}

  /** {@code acc 0.6540}, for a progress line. */
  static String firstMetric(List<MetricRow> rows) {
    MetricRow row = rows.get(0);
    return row.metric() + " " + number(row.value(), "%.4f");
  }

  static String of(Outcome outcome) {
    Map<String, List<MetricRow>> metrics =
        outcome.metrics().stream().collect(Collectors.groupingBy(MetricRow::cellId));
    List<String[]> rows = new ArrayList<>();
    Slice last = null;
    for (Cell cell : outcome.plan().cells()) {
      if (last != null && !last.equals(cell.slice())) {
        addMeans(rows, last, outcome);
      }
      last = cell.slice();
      Map<String, DegradationRow> changes =
          outcome.degradation().getOrDefault(last, List.of()).stream()
              .filter(row -> row.task().equals(cell.task()))
              .collect(Collectors.toMap(DegradationRow::metric, Function.identity()));
      for (MetricRow row : metrics.get(cell.id())) {
        rows.add(
            line(
                last,
                cell.task(),
                row.metric(),
                row.value(),
                number(row.stderr(), "%.4f"),
                changes.get(row.metric()),
                Long.toString(row.failed())));
      }
    }
    if (last != null) {
      addMeans(rows, last, outcome);
    }
    return TextTable.of(HEADER, rows);
  }

  /**
   * Says of every model and precision whether the tables show a cliff: a mean change whose whole 95
   * % interval lies below the bar.
   */
  static String cliffs(Outcome outcome) {
    StringBuilder text = new StringBuilder();
    outcome
        .degradation()
        .forEach(
            (slice, rows) -> {
              for (DegradationRow row : rows) {
                if (row.task().equals(DegradationRow.MEAN)
                    && row.metric().equals(Metric.ACC.toString())) {
                  text.append(verdict(slice, row, turned(rows))).append('\n');
                }
              }
            });
    return text.toString();
  }

  /** Answers that turned right or wrong: more telling than an accuracy in which the two cancel. */
  private static String turned(List<DegradationRow> rows) {
    long turned = 0;
    long items = 0;
    for (DegradationRow row : rows) {
      if (!row.task().equals(DegradationRow.MEAN)
          && row.metric().equals(Metric.ACC.toString())
          && row.gained() != null) {
        turned += row.gained() + row.lost();
        items += row.items();
      }
    }
    return String.format(Locale.ROOT, "%d of %d answers turned", turned, items);
  }

  private static String verdict(Slice slice, DegradationRow row, String turned) {
    String what =
        String.format(
            Locale.ROOT,
            "%s step %d, %s against %s: ",
            slice.model(),
            slice.step(),
            slice.precision(),
            row.baseline());
    if (row.relPctHigh() == null) {
      return what + "not known, a cell failed or has no accuracy";
    }
    String change =
        String.format(
            Locale.ROOT,
            "mean accuracy %+.2f %% (95 %%: %+.2f to %+.2f), %s",
            row.relPct(),
            row.relPctLow(),
            row.relPctHigh(),
            turned);
    if (row.relPctHigh() < CLIFF_PERCENT) {
      return what + change + ": a cliff";
    }
    return what
        + change
        + (row.relPctLow() < CLIFF_PERCENT ? ": too few items to tell" : ": no cliff");
  }

  private static void addMeans(List<String[]> rows, Slice slice, Outcome outcome) {
    for (DegradationRow row : outcome.degradation().getOrDefault(slice, List.of())) {
      if (row.task().equals(DegradationRow.MEAN)) {
        rows.add(line(slice, DegradationRow.MEAN, row.metric(), row.value(), NONE, row, NONE));
      }
    }
  }

  private static String[] line(
      Slice slice,
      String task,
      String metric,
      Double value,
      String stderr,
      DegradationRow change,
      String failed) {
    boolean compared = change != null;
    return new String[] {
      slice.model(),
      Long.toString(slice.step()),
      slice.precision(),
      task,
      metric,
      number(value, "%.4f"),
      stderr,
      number(compared ? change.absPp() : null, "%+.2f"),
      number(compared ? change.relPct() : null, "%+.2f"),
      compared && change.relPctLow() != null
          ? number(change.relPctLow(), "%+.2f") + " to " + number(change.relPctHigh(), "%+.2f")
          : NONE,
      number(compared ? change.pAdjusted() : null, "%.3g"),
      compared && change.gained() != null ? change.gained().toString() : NONE,
      compared && change.lost() != null ? change.lost().toString() : NONE,
      failed
    };
  }

  private static String number(Double value, String format) {
    return value == null ? NONE : String.format(Locale.ROOT, format, value);
  }

  /** The plan, for {@code --dry-run}. */
  static String of(Plan plan, Function<Cell, String> state) {
    String[] header = {
      "model", "step", "precision", "task", "items", "rejected", "state", "cell_id"
    };
    List<String[]> rows =
        plan.cells().stream()
            .map(
                cell ->
                    new String[] {
                      cell.slice().model(),
                      Long.toString(cell.slice().step()),
                      cell.slice().precision(),
                      cell.task(),
                      Integer.toString(cell.items().size()),
                      Integer.toString(cell.items().set().rejected().size()),
                      state.apply(cell),
                      cell.id().substring(0, 12)
                    })
            .toList();
    return TextTable.of(header, rows);
  }
}
