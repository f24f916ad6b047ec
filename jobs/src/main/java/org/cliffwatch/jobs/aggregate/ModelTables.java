package org.cliffwatch.jobs.aggregate;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.cliffwatch.jobs.table.DegradationRow;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.RowFile;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.jobs.table.Tables.Slice;

/**
 * A model's rows of {@code metrics} and {@code degradation}: one file each, replaced as a whole.
 */
public final class ModelTables {
  /** Raised by every change of how metrics or comparisons are made: all are made again then. */
  private static final int STATISTICS_VERSION = 3;

  private static final Map<String, String> FOOTER =
      Map.of("cliffwatch.statistics", Integer.toString(STATISTICS_VERSION));

  private final String model;
  private final Map<CellName, List<MetricRow>> metrics = new TreeMap<>();
  private final Map<SliceName, List<DegradationRow>> degradation = new TreeMap<>();
  private final boolean current;
  private boolean metricsChanged;
  private boolean degradationChanged;

  /** In the order of the file. */
  private record SliceName(long step, String precision) implements Comparable<SliceName> {
    @Override
    public int compareTo(SliceName other) {
      int byStep = Long.compare(step, other.step);
      return byStep != 0 ? byStep : precision.compareTo(other.precision);
    }
  }

  private record CellName(SliceName slice, String task) implements Comparable<CellName> {
    @Override
    public int compareTo(CellName other) {
      int bySlice = slice.compareTo(other.slice);
      return bySlice != 0 ? bySlice : task.compareTo(other.task);
    }
  }

  private ModelTables(String model, boolean current) {
    this.model = model;
    this.current = current;
  }

  /** What the tables hold of a model; nothing is there of a new one. */
  public static ModelTables read(Tables tables, String model) {
    RowFile metrics = tables.metrics(model);
    RowFile degradation = tables.degradation(model);
    ModelTables read = new ModelTables(model, isCurrent(metrics) && isCurrent(degradation));
    if (metrics.exists()) {
      for (MetricRow row : metrics.read(Tables.METRICS)) {
        read.metrics.computeIfAbsent(name(row), n -> new ArrayList<>()).add(row);
      }
    }
    if (degradation.exists()) {
      for (DegradationRow row : degradation.read(Tables.DEGRADATION)) {
        read.degradation.computeIfAbsent(slice(row), n -> new ArrayList<>()).add(row);
      }
    }
    return read;
  }

  String model() {
    return model;
  }

  private static boolean isCurrent(RowFile file) {
    return !file.exists()
        || file.metadata().orElseThrow().entrySet().containsAll(FOOTER.entrySet());
  }

  private static SliceName slice(DegradationRow row) {
    return new SliceName(row.step(), row.precision());
  }

  private static CellName name(MetricRow row) {
    return new CellName(new SliceName(row.step(), row.precision()), row.task());
  }

  /** A cell's rows; none where they were made in another way than now. */
  List<MetricRow> metrics(Slice slice, String task) {
    return current
        ? metrics.getOrDefault(
            new CellName(new SliceName(slice.step(), slice.precision()), task), List.of())
        : List.of();
  }

  /** A checkpoint's rows at one precision; none where they were made in another way than now. */
  List<DegradationRow> degradation(Slice slice) {
    return current
        ? degradation.getOrDefault(new SliceName(slice.step(), slice.precision()), List.of())
        : List.of();
  }

  /** Puts cells' rows in the place of the same cells' older ones. */
  public void put(List<MetricRow> rows) {
    Map<CellName, List<MetricRow>> byCell = new LinkedHashMap<>();
    for (MetricRow row : rows) {
      byCell.computeIfAbsent(name(row), n -> new ArrayList<>()).add(row);
    }
    byCell.forEach((name, of) -> metricsChanged |= !of.equals(metrics.put(name, of)) || !current);
  }

  /** Puts a checkpoint's rows in the place of its older ones. */
  void put(CheckpointRows rows) {
    put(rows.metrics());
    Map<SliceName, List<DegradationRow>> bySlice = new LinkedHashMap<>();
    for (DegradationRow row : rows.degradation()) {
      bySlice.computeIfAbsent(slice(row), n -> new ArrayList<>()).add(row);
    }
    for (SliceResult result : rows.results()) {
      SliceName name = new SliceName(result.slice().step(), result.slice().precision());
      List<DegradationRow> of = bySlice.get(name);
      List<DegradationRow> old = of == null ? degradation.remove(name) : degradation.put(name, of);
      degradationChanged |= !Objects.equals(of, old) || (of != null && !current);
    }
  }

  /** Replaces the files whose rows have changed. */
  public void write(Tables tables) {
    if (metricsChanged) {
      tables
          .metrics(model)
          .write(
              tables.staging(),
              Tables.METRICS,
              FOOTER,
              metrics.values().stream().flatMap(List::stream).toList());
    }
    if (degradationChanged) {
      tables
          .degradation(model)
          .write(
              tables.staging(),
              Tables.DEGRADATION,
              FOOTER,
              degradation.values().stream().flatMap(List::stream).toList());
    }
  }
}
