package org.cliffwatch.jobs.sql;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.commons.math3.stat.descriptive.moment.StandardDeviation;
import org.apache.hadoop.conf.Configuration;
import org.cliffwatch.jobs.table.AcceptedRow;
import org.cliffwatch.jobs.table.AnalysisRow;
import org.cliffwatch.jobs.table.CheckpointRow;
import org.cliffwatch.jobs.table.Columns;
import org.cliffwatch.jobs.table.DegradationRow;
import org.cliffwatch.jobs.table.DocumentRow;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.RowFile;
import org.cliffwatch.jobs.table.RunRow;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.jobs.table.VerdictRow;

/**
 * An output folder of chosen values. A cell is told by which of its items are right, {@code "1101"}
 * for all but the third of four; its accuracy and the change from the cell of {@code fp32} follow
 * by arithmetic that can be done in the head. Where three items or more are lost, the p-value is
 * 0.01, else 1.
 */
public final class HandMadeRun {
  private static final String BASELINE = "fp32";
  private static final String KEY = "key";

  /**
   * A cell to be.
   *
   * @param perplexity null where the task has none
   * @param replicas which items are right in each replica, {@code right} first
   */
  private record Cell(
      Slice slice,
      String task,
      String right,
      Double perplexity,
      double itemsPerSecond,
      List<String> replicas) {

    StoredCell stored() {
      return new StoredCell(
          slice,
          task,
          String.join("-", slice.model(), slice.precision(), "" + slice.step(), task, right));
    }

    /** Where an item's answer is the one and the baseline's the other. */
    long count(char answer, Cell baseline, char baselines) {
      return IntStream.range(0, right.length())
          .filter(i -> right.charAt(i) == answer && baseline.right.charAt(i) == baselines)
          .count();
    }

    Map<String, Double> values() {
      Map<String, Double> values = new TreeMap<>();
      values.put("acc", Arrays.stream(accuracies()).average().orElseThrow());
      if (perplexity != null) {
        values.put("perplexity", perplexity);
      }
      return values;
    }

    private double[] accuracies() {
      return replicas.stream()
          .mapToDouble(rights -> (double) rights.chars().filter(c -> c == '1').count())
          .map(rights -> rights / right.length())
          .toArray();
    }

    /** Of the accuracy; null with one replica. */
    Double roundingSd() {
      return replicas.size() == 1 ? null : new StandardDeviation().evaluate(accuracies());
    }
  }

  private final Tables tables;
  private final List<Cell> cells = new ArrayList<>();
  private final Map<String, List<CheckpointRow>> checkpoints = new TreeMap<>();
  private String lambadaKey = KEY;

  HandMadeRun(Path folder) {
    this.tables = new Tables(new org.apache.hadoop.fs.Path(folder.toString()), new Configuration());
  }

  public Tables tables() {
    return tables;
  }

  /** LAMBADA's file was another one, say. */
  HandMadeRun lambadaKey(String key) {
    lambadaKey = key;
    return this;
  }

  HandMadeRun checkpoint(String model, long step, long parameters) {
    checkpoints
        .computeIfAbsent(model, any -> new ArrayList<>())
        .add(
            new CheckpointRow(
                step,
                "/models/" + model + "/step" + step,
                "identity",
                "llama",
                parameters,
                parameters / 2,
                parameters / 4,
                null,
                2 * parameters,
                256,
                false,
                "tokenizer",
                List.of(new CheckpointRow.File("model.safetensors", 2 * parameters, 0)),
                0));
    return this;
  }

  /**
   * @param further which items are right in further replicas
   */
  HandMadeRun piqa(
      String model,
      long step,
      String precision,
      String right,
      double itemsPerSecond,
      String... further) {
    List<String> replicas = Stream.concat(Stream.of(right), Arrays.stream(further)).toList();
    return cell(
        new Cell(new Slice(model, precision, step), "piqa", right, null, itemsPerSecond, replicas));
  }

  HandMadeRun lambada(
      String model,
      long step,
      String precision,
      String right,
      double perplexity,
      double itemsPerSecond) {
    return cell(
        new Cell(
            new Slice(model, precision, step),
            "lambada_openai",
            right,
            perplexity,
            itemsPerSecond,
            List.of(right)));
  }

  private HandMadeRun cell(Cell cell) {
    cells.add(cell);
    write(
        tables.scores(cell.stored()),
        Tables.SCORES,
        IntStream.range(0, cell.replicas().size())
            .boxed()
            .flatMap(
                replica ->
                    IntStream.range(0, cell.right().length())
                        .mapToObj(item -> score(cell, replica, item)))
            .toList());
    return this;
  }

  private static ScoreRow score(Cell cell, int replica, int item) {
    boolean right = cell.replicas().get(replica).charAt(item) == '1';
    int gold = item % 2;
    int chosen = right ? gold : 1 - gold;
    return new ScoreRow(
        cell.stored().id(),
        replica,
        item,
        cell.task() + "#" + item,
        gold,
        chosen,
        chosen,
        chosen,
        right,
        right,
        IntStream.range(0, 2)
            .mapToDouble(choice -> choice == chosen ? -1.5 : -2.5)
            .mapToObj(
                nats ->
                    new ScoreRow.Choice(nats, 2, 5, 0, 5, right, false, false, null, null, null))
            .toList(),
        ScoreRow.OK,
        null);
  }

  /** Writes the tables that follow from the cells, and a row of each that does not. */
  HandMadeRun finish() {
    cells.stream()
        .collect(
            Collectors.groupingBy(cell -> cell.slice().model(), TreeMap::new, Collectors.toList()))
        .forEach(
            (model, mine) -> {
              write(
                  tables.metrics(model),
                  Tables.METRICS,
                  mine.stream().flatMap(cell -> metrics(cell).stream()).toList());
              write(tables.degradation(model), Tables.DEGRADATION, degradation(mine));
            });
    checkpoints.forEach(
        (model, rows) -> write(tables.checkpoints(model), Tables.CHECKPOINTS, rows));
    write(
        tables.analysis("2024", 100, "key"),
        Tables.ANALYSIS,
        List.of(
            new AnalysisRow(
                0, "attention_norm", "gain_std", null, 0.5, "identity", "text", "kernel", 1),
            new AnalysisRow(
                null, "all", "rounding_increase_0.5", "w4", 0.1, "identity", "text", "kernel", 1)));
    write(
        tables.documents(cells.get(0).slice(), "piqa"),
        Tables.DOCUMENTS,
        List.of(new DocumentRow(0, "{}", "0", "[]", "hash", "hash")));
    write(
        tables.verdicts("run"),
        Tables.VERDICTS,
        List.of(
            new VerdictRow(
                "missing",
                "error",
                null,
                null,
                null,
                null,
                null,
                null,
                "pass",
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                "all are there")));
    write(
        tables.accepted("run"),
        Tables.ACCEPTED,
        List.of(
            new AcceptedRow(
                "2026-01-01T00:02:00Z",
                "user@host",
                "first",
                "suite",
                "cpu",
                "2024",
                "fp32",
                100,
                "piqa",
                "cell",
                "copy",
                KEY,
                "items hash",
                "kernel",
                1,
                null,
                null)));
    write(
        tables.run("run"),
        Tables.RUNS,
        List.of(
            new RunRow(
                "2026-01-01T00:00:00Z",
                "2026-01-01T00:01:00Z",
                "suite",
                "name: suite",
                "commit",
                "4.1.0",
                "17",
                "host",
                "cpu",
                null,
                "reference",
                cells.size(),
                cells.size(),
                0,
                0,
                0)));
    return this;
  }

  private List<MetricRow> metrics(Cell cell) {
    List<MetricRow> rows = new ArrayList<>();
    cell.values()
        .forEach(
            (metric, value) ->
                rows.add(
                    new MetricRow(
                        cell.slice().precision(),
                        cell.slice().step(),
                        cell.stored().id(),
                        cell.task(),
                        metric,
                        metric.equals("acc"),
                        value,
                        null,
                        null,
                        null,
                        cell.replicas().size(),
                        cell.roundingSd(),
                        cell.right().length(),
                        0,
                        cell.itemsPerSecond(),
                        10 * cell.itemsPerSecond(),
                        "kernel",
                        "1",
                        "hash",
                        cell.task().equals("piqa") ? KEY : lambadaKey,
                        "items hash",
                        null)));
    return rows;
  }

  private static List<DegradationRow> degradation(List<Cell> cells) {
    List<DegradationRow> rows = new ArrayList<>();
    for (Cell cell : cells) {
      for (Cell base : cells) {
        if (base.slice().precision().equals(BASELINE)
            && !cell.slice().precision().equals(BASELINE)
            && base.slice().step() == cell.slice().step()
            && base.task().equals(cell.task())) {
          cell.values().keySet().forEach(metric -> rows.add(change(cell, base, metric)));
        }
      }
    }
    rows.stream()
        .collect(
            Collectors.groupingBy(
                row -> List.of(row.precision(), row.step(), row.metric()),
                LinkedHashMap::new,
                Collectors.toList()))
        .values()
        .forEach(tasks -> rows.add(mean(tasks)));
    return rows;
  }

  private static DegradationRow change(Cell cell, Cell base, String metric) {
    double before = base.values().get(metric);
    double value = cell.values().get(metric);
    long lost = cell.count('0', base, '1');
    return row(
        cell.slice(),
        cell.task(),
        metric,
        before,
        value,
        100 * (value - before) / before,
        lost >= 3 ? 0.01 : 1.0,
        cell.count('1', base, '0'),
        lost,
        cell.stored().id(),
        base.stored().id());
  }

  private static DegradationRow mean(List<DegradationRow> tasks) {
    DegradationRow any = tasks.get(0);
    return row(
        any.slice(""),
        DegradationRow.MEAN,
        any.metric(),
        tasks.stream().mapToDouble(DegradationRow::baselineValue).average().orElseThrow(),
        tasks.stream().mapToDouble(DegradationRow::value).average().orElseThrow(),
        tasks.stream().mapToDouble(DegradationRow::relPct).average().orElseThrow(),
        null,
        tasks.stream().mapToLong(DegradationRow::gained).sum(),
        tasks.stream().mapToLong(DegradationRow::lost).sum(),
        null,
        null);
  }

  private static DegradationRow row(
      Slice slice,
      String task,
      String metric,
      double before,
      double value,
      double relPct,
      Double pValue,
      long gained,
      long lost,
      String cell,
      String baselineCell) {
    return new DegradationRow(
        slice.precision(),
        slice.step(),
        task,
        metric,
        BASELINE,
        before,
        value,
        metric.equals("acc") ? 100 * (value - before) : value - before,
        relPct,
        null,
        null,
        pValue,
        pValue,
        gained,
        lost,
        null,
        8,
        cell,
        baselineCell,
        1);
  }

  private <T extends Record> void write(RowFile file, Columns<T> columns, List<T> rows) {
    file.write(tables.staging(), columns, Map.of(), rows);
  }

  /** Two models, one of them with a number for a name, in three precisions and two tasks. */
  public static HandMadeRun now(Path folder) {
    return new HandMadeRun(folder)
        .checkpoint("2024", 100, 1_000_000)
        .checkpoint("2024", 200, 1_000_000)
        .checkpoint("wide", 200, 50_000_000)
        .piqa("2024", 100, "fp32", "11111000", 4)
        .piqa("2024", 100, "w8a8", "11110100", 8)
        .piqa("2024", 100, "w4", "11110000", 2)
        .lambada("2024", 100, "fp32", "11000000", 20, 16)
        .lambada("2024", 100, "w8a8", "11000000", 20, 32)
        .lambada("2024", 100, "w4", "10000000", 25, 16)
        .piqa("2024", 200, "fp32", "11111111", 4)
        .piqa("2024", 200, "w8a8", "11111000", 8)
        .piqa("2024", 200, "w4", "11110000", 2, "11111000", "11100000")
        .lambada("2024", 200, "fp32", "11110000", 10, 16)
        .lambada("2024", 200, "w8a8", "11100000", 12, 32)
        .lambada("2024", 200, "w4", "11000000", 16, 16)
        .piqa("wide", 200, "fp32", "11111111", 0.5)
        .piqa("wide", 200, "w8a8", "11111110", 1)
        .piqa("wide", 200, "w4", "11111111", 0.25)
        .lambada("wide", 200, "fp32", "11111111", 5, 2)
        .lambada("wide", 200, "w8a8", "11111111", 4, 4)
        .lambada("wide", 200, "w4", "11111100", 8, 2)
        .finish();
  }

  /** An earlier run of the first checkpoint, with a precision that has gone since. */
  static HandMadeRun before(Path folder) {
    return new HandMadeRun(folder)
        .lambadaKey("another key")
        .checkpoint("2024", 100, 1_000_000)
        .piqa("2024", 100, "fp32", "11111000", 4)
        .piqa("2024", 100, "w8a8", "11111110", 8)
        .piqa("2024", 100, "w8", "11111000", 8)
        .lambada("2024", 100, "fp32", "11100000", 18, 16)
        .finish();
  }
}
