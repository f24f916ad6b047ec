package org.cliffwatch.jobs.aggregate;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.DoubleAccumulator;
import org.apache.spark.util.SerializableConfiguration;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.jobs.table.Tables.Slice;
import scala.Tuple2;

/**
 * Committed cells → {@code metrics} and {@code degradation}, on Spark: a task reads the cells of
 * some checkpoints, each once, and what is known already not at all; a model's rows are shuffled
 * together and its two files replaced. The driver sees a few numbers a checkpoint and precision.
 *
 * <p>Costs a read of every cell that is new, a bootstrap a metric of it, and of each model both
 * files; where nothing is new, the latter.
 */
public final class Aggregation {
  /** Partitions a slot, so that a slow one does not hold up all. */
  private static final int TASKS_A_SLOT = 4;

  private final JavaSparkContext spark;
  private final ComparisonSettings settings;
  private final DoubleAccumulator compared;
  private final Broadcast<SerializableConfiguration> hadoop;

  /**
   * @param compared counts cells as they are done
   */
  public Aggregation(
      JavaSparkContext spark, ComparisonSettings settings, DoubleAccumulator compared) {
    this.spark = spark;
    this.settings = settings;
    this.compared = compared;
    this.hadoop = spark.broadcast(new SerializableConfiguration(spark.hadoopConfiguration()));
  }

  /**
   * Brings both tables up to date.
   *
   * @param cells by checkpoint, then precision, then task
   * @return one a checkpoint and precision, in the cells' order
   */
  public List<SliceResult> of(List<CellResult> cells) {
    List<CheckpointCells> checkpoints = byCheckpoint(cells);
    if (checkpoints.isEmpty()) {
      return List.of();
    }
    spark.setJobDescription("metrics and degradation");
    int partitions =
        Math.min(checkpoints.size(), TASKS_A_SLOT * Math.max(1, spark.defaultParallelism()));
    int models = (int) checkpoints.stream().map(CheckpointCells::model).distinct().count();
    Map<Slice, SliceResult> results = new LinkedHashMap<>();
    checkpoints.forEach(
        checkpoint -> checkpoint.slices().keySet().forEach(slice -> results.put(slice, null)));
    var configured = hadoop;
    String output = settings.output();
    spark
        .parallelize(checkpoints, partitions)
        .mapPartitions(new CheckpointComparison(settings, compared, hadoop))
        .mapToPair(rows -> new Tuple2<>(rows.model(), rows))
        .groupByKey(Math.min(models, partitions))
        .flatMap(
            model ->
                write(
                        new Tables(new Path(output), configured.value().value()),
                        model._1(),
                        model._2())
                    .iterator())
        .collect()
        .forEach(result -> results.put(result.slice(), result));
    return List.copyOf(results.values());
  }

  private static List<CheckpointCells> byCheckpoint(List<CellResult> cells) {
    Map<String, CheckpointCells> checkpoints = new LinkedHashMap<>();
    for (CellResult cell : cells) {
      Slice slice = cell.cell().slice();
      checkpoints
          .computeIfAbsent(
              slice.model() + "\0" + slice.step(),
              key -> new CheckpointCells(slice.model(), new LinkedHashMap<>()))
          .slices()
          .computeIfAbsent(slice, s -> new ArrayList<>())
          .add(cell);
    }
    return List.copyOf(checkpoints.values());
  }

  /** Replaces a model's two files, keeping the rows of what these checkpoints do not tell anew. */
  private static List<SliceResult> write(
      Tables tables, String model, Iterable<CheckpointRows> checkpoints) {
    List<SliceResult> results = new ArrayList<>();
    ModelTables known = ModelTables.read(tables, model);
    for (CheckpointRows rows : checkpoints) {
      known.put(rows);
      results.addAll(rows.results());
    }
    known.write(tables);
    return results;
  }
}
