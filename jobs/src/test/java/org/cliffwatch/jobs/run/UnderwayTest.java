package org.cliffwatch.jobs.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.Test;

class UnderwayTest {
  private static final CountDownLatch SEEN = new CountDownLatch(1);

  /** Progress is seen of a task that has not ended: it waits for that. */
  @Test
  void whatATaskHasDoneShowsBeforeItEnds() {
    SparkConf conf =
        new SparkConf()
            .setMaster("local[2]")
            .setAppName("test")
            .set("spark.ui.enabled", "false")
            .set("spark.driver.host", "127.0.0.1")
            .set("spark.executor.heartbeatInterval", "200ms");
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    PrintStream stream =
        new PrintStream(out, true, StandardCharsets.UTF_8) {
          @Override
          public void print(String text) {
            super.print(text);
            if (text.contains("3 of 8 cells")) {
              SEEN.countDown();
            }
          }
        };
    Progress progress = new Progress(stream, true);
    progress.start(8, 100, 60);
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains("0 of 8 cells")
        .contains("ETA 0:01:00");
    try (JavaSparkContext spark = new JavaSparkContext(conf);
        Underway underway = new Underway(spark.sc(), progress, true)) {
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
}
