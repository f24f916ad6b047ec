package org.cliffwatch.jobs.sql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.aggregate.GroupMean;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.definition.Tasks;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The view of groups says what {@link GroupMean} does. */
class GroupsTest {
  /** Sums of a few dozen float64. */
  private static final double ROUNDING = 1e-12;

  @TempDir static Path folder;

  private static final List<MetricRow> ROWS = new ArrayList<>();
  private static SparkSession spark;

  @BeforeAll
  static void write() throws Exception {
    spark = LocalSpark.start();
    Tables tables =
        new Tables(new org.apache.hadoop.fs.Path(folder.toString()), new Configuration());
    int subject = 0;
    for (TaskDefinition task : Tasks.builtIn().groups().get("mmlu")) {
      ROWS.add(row(task.name(), "acc", 0.25 + 0.01 * subject, 100 + 7 * subject));
      subject++;
    }
    ROWS.add(row("xstorycloze_en", "acc", 0.5, 1511));
    ROWS.add(row("piqa", "acc", 0.7, 1838));
    ROWS.add(row("lambada_openai", "perplexity", 12, 5153));
    tables.metrics("m").write(tables.staging(), Tables.METRICS, Map.of(), ROWS);
    new Database(spark, System.err).open(folder.toString(), Optional.of(""));
  }

  @AfterAll
  static void stopSpark() {
    spark.stop();
  }

  private static MetricRow row(String task, String metric, double value, long items) {
    return new MetricRow(
        "fp32",
        0,
        "c" + task,
        task,
        metric,
        true,
        value,
        0.3 / Math.sqrt((double) items),
        null,
        null,
        1,
        null,
        items,
        1,
        null,
        null,
        "k",
        "1",
        "t",
        "k",
        "k",
        null);
  }

  @Test
  void aGroupIsTheMeanOfItsTasksBothWays() {
    List<Row> rows =
        spark
            .sql(
                "SELECT task_group, value, unweighted, stderr, tasks, group_tasks, items, failed"
                    + " FROM groups ORDER BY task_group")
            .collectAsList();
    assertThat(rows)
        .extracting(row -> row.getString(0))
        .containsExactly(
            "mmlu",
            "mmlu_humanities",
            "mmlu_other",
            "mmlu_social_sciences",
            "mmlu_stem",
            "xstorycloze");
    for (Row row : rows.subList(0, 5)) {
      List<String> tasks =
          Tasks.builtIn().groups().get(row.getString(0)).stream()
              .map(TaskDefinition::name)
              .toList();
      GroupMean mean =
          GroupMean.of(ROWS.stream().filter(metric -> tasks.contains(metric.task())).toList());
      assertThat(row.getDouble(1)).isCloseTo(mean.value(), within(ROUNDING));
      assertThat(row.getDouble(2)).isCloseTo(mean.unweighted(), within(ROUNDING));
      assertThat(row.getDouble(3)).isCloseTo(mean.stderr(), within(ROUNDING));
      assertThat(row.getLong(4)).isEqualTo(tasks.size());
      assertThat(row.getInt(5)).isEqualTo(tasks.size());
      assertThat(row.getLong(6)).isEqualTo(mean.items());
      assertThat(row.getLong(7)).isEqualTo(tasks.size());
    }
    assertThat(rows.get(5).getLong(4)).as("a part is told by its tasks").isEqualTo(1);
    assertThat(rows.get(5).getInt(5)).isEqualTo(11);
  }
}
