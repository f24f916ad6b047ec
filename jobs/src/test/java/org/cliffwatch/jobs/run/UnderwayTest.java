package org.cliffwatch.jobs.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.spark.SparkConf;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.util.DoubleAccumulator;
import org.junit.jupiter.api.Test;

class UnderwayTest {
  private static final CountDownLatch SEEN = new CountDownLatch(1);
  private static final CountDownLatch HALF_SEEN = new CountDownLatch(1);

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  /** Progress is seen of a task that has not ended: it waits for that. */
  @Test
  void whatATaskHasDoneShowsBeforeItEnds() {
    Progress progress = progress("3 of 8 cells", SEEN);
    progress.start(8, 100, 60);
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains("0 of 8 cells")
        .contains("ETA 0:01:00");
    try (JavaSparkContext spark = spark();
        Underway underway = new Underway(spark.sc(), progress)) {
      Underway.Counters counters = underway.counters();
      List<Boolean> seen =
          spark
              .parallelize(List.of(1, 2), 2)
              .map(
                  task -> {
                    for (int i = 0; i < task; i++) {
                      counters.scored(50, 20);
                      counters.cell();
                    }
                    return SEEN.await(1, TimeUnit.MINUTES);
                  })
              .collect();
      assertThat(seen).containsOnly(true);
    }
  }

  /** Tasks that count nothing are none of the work. */
  @Test
  void whatATaskHasDoneCountsOnWhenItHasEnded() throws InterruptedException {
    CountDownLatch seen = new CountDownLatch(1);
    Progress progress = progress("75 % done", seen);
    progress.startShare("done", 8);
    try (JavaSparkContext spark = spark();
        Underway underway = new Underway(spark.sc(), progress)) {
      DoubleAccumulator work = underway.counters().work();
      assertThat(spark.parallelize(List.of(4, 5), 2).collect()).hasSize(2);
      spark.parallelize(List.of(1, 2, 3), 3).foreach(work::add);
      assertThat(seen.await(1, TimeUnit.MINUTES)).isTrue();
    }
  }

  /** It fails when its half has been seen, and does it again. */
  @Test
  void whatATaskThatFailedHasDoneDoesNotCount() {
    Progress progress = progress("50 % done", HALF_SEEN);
    progress.startShare("done", 10);
    JavaSparkContext spark = spark();
    try (Underway underway = new Underway(spark.sc(), progress)) {
      DoubleAccumulator work = underway.counters().work();
      spark
          .parallelize(List.of(5), 1)
          .foreach(
              part -> {
                work.add(part);
                if (TaskContext.get().attemptNumber() == 0) {
                  HALF_SEEN.await(1, TimeUnit.MINUTES);
                  throw new IllegalStateException("the first try");
                }
              });
      spark.close(); // and all listeners have been told
    }
    assertThat(out.toString(StandardCharsets.UTF_8))
        .doesNotContain("100 %")
        .containsPattern("(?s)50 % done.*\\[K0 % done.*50 % done\\z");
  }

  /** Its result comes before what listeners are told of its end, or after. */
  @Test
  void whatATaskHasDoneCountsOnce() {
    Progress progress = progress("4 of 4 cells", new CountDownLatch(1));
    progress.start(4, 100, 60);
    JavaSparkContext spark = spark();
    try (Underway underway = new Underway(spark.sc(), progress)) {
      Underway.Counters counters = underway.counters();
      spark
          .parallelize(List.of(1, 2), 2)
          .map(
              part -> {
                counters.scored(50, 50);
                counters.cell();
                counters.cell();
                return TaskContext.get().taskAttemptId();
              })
          .collect()
          .forEach(task -> underway.ended(task, 2, 50, 50));
      spark.close();
    }
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains("4 of 4 cells")
        .endsWith("ETA 0:00:00");
  }

  /** That tells when a text is printed. */
  private Progress progress(String expected, CountDownLatch printed) {
    return new Progress(
        new PrintStream(out, true, StandardCharsets.UTF_8) {
          @Override
          public void print(String text) {
            super.print(text);
            if (text.contains(expected)) {
              printed.countDown();
            }
          }
        },
        true);
  }

  private static JavaSparkContext spark() {
    return new JavaSparkContext(
        new SparkConf()
            .setMaster("local[2,2]")
            .setAppName("test")
            .set("spark.ui.enabled", "false")
            .set("spark.driver.host", "127.0.0.1")
            .set("spark.executor.heartbeatInterval", "200ms"));
  }
}
