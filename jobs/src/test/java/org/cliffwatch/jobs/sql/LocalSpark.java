package org.cliffwatch.jobs.sql;

import org.apache.spark.sql.SparkSession;

/** A session with the settings of {@code sql.sh}. */
public final class LocalSpark {
  private LocalSpark() {}

  public static SparkSession start() {
    SparkSession.Builder builder =
        SparkSession.builder()
            .master("local[2]")
            .appName("test")
            .config("spark.driver.host", "127.0.0.1");
    Database.settings().forEach(builder::config);
    return builder.getOrCreate();
  }
}
