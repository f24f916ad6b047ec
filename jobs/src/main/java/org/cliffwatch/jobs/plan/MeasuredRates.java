package org.cliffwatch.jobs.plan;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.RowFile;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.quantizer.scheme.Precision;

/**
 * What earlier runs into an output measured of a plan's models, precisions and tasks, by the same
 * kernel. Costs the executors the metrics of each model, and the driver a number a model and
 * precision.
 */
public final class MeasuredRates implements FlatMapFunction<String, MeasuredRates.Rate> {
  private static final long serialVersionUID = 1L;

  /** Seconds of a thread that scoring was expected to take, and took. */
  record Rate(String precision, double expected, double taken) implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  private final String output;
  private final String kernel;
  private final Costs costs;
  private final Map<String, Precision> precisions = new HashMap<>();
  private final Map<String, Integer> tasks = new HashMap<>();
  private final Map<String, Map<Long, CheckpointSize>> sizes = new HashMap<>();
  private final Broadcast<SerializableConfiguration> hadoop;

  private MeasuredRates(
      Plan plan, String output, Costs costs, Broadcast<SerializableConfiguration> hadoop) {
    this.output = output;
    this.kernel = plan.kernel();
    this.costs = costs;
    this.hadoop = hadoop;
    plan.tasks().forEach(task -> tasks.put(task.asked().name(), plan.tasks().indexOf(task)));
    for (Cell cell : plan.cells()) {
      precisions.put(cell.precision().name(), cell.precision());
      sizes
          .computeIfAbsent(cell.slice().model(), model -> new HashMap<>())
          .put(cell.slice().step(), cell.checkpoint().size());
    }
  }

  /** The costs, corrected by what was measured. */
  public static Costs correct(JavaSparkContext spark, Plan plan, String output, Costs costs) {
    MeasuredRates rates =
        new MeasuredRates(
            plan,
            output,
            costs,
            spark.broadcast(new SerializableConfiguration(spark.hadoopConfiguration())));
    List<String> models = List.copyOf(rates.sizes.keySet());
    spark.setJobDescription("measured rates");
    Map<String, double[]> sums = new HashMap<>();
    for (Rate rate : spark.parallelize(models, models.size()).flatMap(rates).collect()) {
      double[] sum = sums.computeIfAbsent(rate.precision(), p -> new double[2]);
      sum[0] += rate.expected();
      sum[1] += rate.taken();
    }
    Map<String, Double> corrections = new HashMap<>();
    sums.forEach((precision, sum) -> corrections.put(precision, sum[1] / sum[0]));
    return costs.corrected(corrections);
  }

  @Override
  public Iterator<Rate> call(String model) {
    RowFile file = new Tables(new Path(output), hadoop.value().value()).metrics(model);
    List<Rate> rates = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    for (MetricRow row : file.exists() ? file.read(Tables.METRICS) : List.<MetricRow>of()) {
      Precision precision = precisions.get(row.precision());
      Integer task = tasks.get(row.task());
      CheckpointSize size = sizes.get(model).get(row.step());
      if (precision != null
          && task != null
          && size != null
          && row.itemsPerSecond() != null
          && kernel.equals(row.kernel())
          && seen.add(row.cellId())) {
        double expected =
            row.items() * costs.tokensAnItem(task) * costs.pass(size, precision, task);
        rates.add(new Rate(row.precision(), expected, row.items() / row.itemsPerSecond()));
      }
    }
    return rates.iterator();
  }
}
