package org.cliffwatch.jobs.gate;

import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.jobs.suite.SuiteReader;
import org.cliffwatch.jobs.table.AcceptedRow;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.RowFile;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.jobs.table.Tables.Slice;

/**
 * The runs of an output folder that were accepted: what later ones are compared with. Their cells'
 * scores are copies under the hash of their bytes, so that no later run changes them, be it that it
 * scores the same cells again, and equal ones take no room twice.
 *
 * <p>Costs the driver a row a cell of each run that is read.
 */
final class AcceptedRuns {
  private final JavaSparkContext spark;
  private final String output;
  private final Tables tables;
  private final String suite;

  /**
   * @param output folder of the tables, any Hadoop URI
   * @param suite name of the suite whose runs they are
   */
  AcceptedRuns(JavaSparkContext spark, String output, String suite) {
    this.suite = suite;
    this.spark = spark;
    this.output = output;
    this.tables = tables(output);
  }

  private Tables tables(String folder) {
    return new Tables(new Path(folder), spark.hadoopConfiguration());
  }

  /**
   * What a run is compared with.
   *
   * @param name the run's id, or the folder
   */
  record Baseline(String name, List<RecordedCell> cells) {}

  /**
   * What {@code --baseline} names.
   *
   * @param wanted id of an accepted run of this output, or another output folder: the suite's last
   *     accepted run there, or where it has none its tables as they are; null: the suite's last
   *     accepted run here
   * @param models the suite's, of which another folder's tables are read
   * @return nothing where none was named and none was accepted yet
   * @throws SuiteException if there is no such run or folder
   */
  Optional<Baseline> baseline(String wanted, Set<String> models) {
    if (wanted == null) {
      return last(tables, 1).stream().findFirst();
    }
    boolean mayBeRun = !SuiteReader.hasScheme(wanted) && !wanted.contains("/");
    if (mayBeRun && tables.accepted(wanted).exists()) {
      return Optional.of(new Baseline(wanted, cells(tables, rows(tables, wanted))));
    }
    Tables other = tables(wanted);
    Optional<Baseline> there =
        last(other, 1).stream()
            .findFirst()
            .map(last -> new Baseline(wanted + " " + last.name(), last.cells()))
            .or(() -> current(wanted, other, models));
    if (there.isEmpty()) {
      throw new SuiteException(
          "--baseline: found '"
              + wanted
              + "', expected an accepted run of "
              + output
              + " ("
              + (tables.acceptedRuns().isEmpty()
                  ? "there is none; --accept makes the first"
                  : String.join(", ", tables.acceptedRuns()))
              + "), or an output folder with metrics of the suite's models");
    }
    return there;
  }

  /**
   * The suite's last accepted runs, oldest first.
   *
   * @param most how many
   */
  List<Baseline> last(int most) {
    return last(tables, most);
  }

  private List<Baseline> last(Tables of, int most) {
    of.requireVersion();
    List<String> runs = of.acceptedRuns();
    Deque<Baseline> last = new ArrayDeque<>();
    for (int i = runs.size() - 1; i >= 0 && last.size() < most; i--) {
      List<AcceptedRow> rows = rows(of, runs.get(i));
      if (!rows.isEmpty() && rows.get(0).suite().equals(suite)) {
        last.addFirst(new Baseline(runs.get(i), cells(of, rows)));
      }
    }
    return List.copyOf(last);
  }

  private static List<AcceptedRow> rows(Tables tables, String run) {
    return tables.accepted(run).read(Tables.ACCEPTED);
  }

  /** An output folder without accepted runs, as it is now. */
  private static Optional<Baseline> current(String name, Tables tables, Set<String> models) {
    List<RecordedCell> cells = new ArrayList<>();
    for (String model : models) {
      if (tables.metrics(model).exists()) {
        cells.addAll(recorded(tables, model, null, Set.of()));
      }
    }
    return cells.isEmpty() ? Optional.empty() : Optional.of(new Baseline(name, cells));
  }

  private static List<RecordedCell> cells(Tables tables, List<AcceptedRow> rows) {
    return rows.stream().map(row -> recorded(tables, row)).toList();
  }

  private static RecordedCell recorded(Tables tables, AcceptedRow row) {
    return new RecordedCell(
        new Slice(row.model(), row.precision(), row.step()),
        row.task(),
        row.cellId(),
        row.scores() == null ? null : tables.kept(row.scores()).path().toString(),
        row.comparableKey(),
        row.comparableParts(),
        row.kernel(),
        row.replicas(),
        row.tokensPerSecond(),
        row.cpu(),
        false,
        row.error());
  }

  /**
   * A model's cells as the tables have them.
   *
   * @param cpu processor of the run's driver; null where not known
   * @param scoredNow ids of the cells that the run scored
   */
  static List<RecordedCell> recorded(
      Tables tables, String model, String cpu, Set<String> scoredNow) {
    List<RecordedCell> cells = new ArrayList<>();
    Set<String> seen = new TreeSet<>();
    for (MetricRow row : tables.metrics(model).read(Tables.METRICS)) {
      Slice slice = row.slice(model);
      if (!seen.add(slice + row.task())) {
        continue;
      }
      StoredCell stored = new StoredCell(slice, row.task(), row.cellId());
      cells.add(
          new RecordedCell(
              slice,
              row.task(),
              row.cellId(),
              row.error() == null ? tables.scores(stored).path().toString() : null,
              row.comparableKey(),
              row.comparableParts(),
              row.kernel(),
              row.replicas(),
              row.tokensPerSecond(),
              cpu,
              scoredNow.contains(row.cellId()),
              row.error()));
    }
    return cells;
  }

  /**
   * Accepts a run: copies what is needed of it, then writes its rows, once and for all.
   *
   * @param cells of the run
   * @param reason why
   * @throws SuiteException if it was accepted already
   */
  void accept(String runId, Collection<RecordedCell> cells, String who, String reason) {
    RowFile file = tables.accepted(runId);
    if (file.exists()) {
      throw new SuiteException("--accept: found run " + runId + " accepted already");
    }
    spark.setJobDescription("accepted run");
    Broadcast<SerializableConfiguration> hadoop =
        spark.broadcast(new SerializableConfiguration(spark.hadoopConfiguration()));
    List<RecordedCell> all = List.copyOf(cells);
    String folder = output;
    List<String> copies =
        spark
            .parallelize(all, Math.min(all.size(), 4 * Math.max(1, spark.defaultParallelism())))
            .map(
                cell ->
                    cell.failed()
                        ? ""
                        : new Tables(new Path(folder), hadoop.value().value())
                            .keep(new StoredCell(cell.slice(), cell.task(), cell.cellId())))
            .collect();
    String now = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
    List<AcceptedRow> rows = new ArrayList<>();
    for (int i = 0; i < copies.size(); i++) {
      RecordedCell cell = all.get(i);
      rows.add(
          new AcceptedRow(
              now,
              who,
              reason,
              suite,
              cell.cpu(),
              cell.slice().model(),
              cell.slice().precision(),
              cell.slice().step(),
              cell.task(),
              cell.cellId(),
              copies.get(i).isEmpty() ? null : copies.get(i),
              cell.comparableKey(),
              cell.comparableParts(),
              cell.kernel(),
              cell.replicas(),
              cell.tokensPerSecond(),
              cell.error()));
    }
    file.write(tables.staging(), Tables.ACCEPTED, Map.of(), rows);
  }
}
