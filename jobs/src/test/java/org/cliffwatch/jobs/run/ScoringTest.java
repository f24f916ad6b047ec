package org.cliffwatch.jobs.run;

import static org.assertj.core.api.Assertions.assertThat;

import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;

class ScoringTest {
  private static boolean retries(String master, String maxFailures) {
    SparkConf conf = new SparkConf(false).set("spark.master", master);
    return Scoring.retries(
        maxFailures == null ? conf : conf.set("spark.task.maxFailures", maxFailures));
  }

  /** What fails at the last try fails its cell, and not the job. */
  @Test
  void knowsWhetherSparkTriesAgain() {
    assertThat(retries("local", null)).isFalse();
    assertThat(retries("local[*]", "4")).isFalse();
    assertThat(retries("local[2]", null)).isFalse();
    assertThat(retries("local[2,1]", null)).isFalse();
    assertThat(retries("local[*, 4]", null)).isTrue();
    assertThat(retries("spark://host:7077", null)).isTrue();
    assertThat(retries("yarn", "1")).isFalse();
  }
}
