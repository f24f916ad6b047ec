package org.cliffwatch.jobs.run;

import java.io.IOException;
import java.io.Serializable;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.cliffwatch.jobs.executor.LocalCheckpoints;
import org.cliffwatch.jobs.plan.FingerprintedCheckpoint;
import org.cliffwatch.jobs.plan.Unit;
import org.cliffwatch.jobs.table.StorageException;

/**
 * Which hosts hold copies of which checkpoints: planning brought those it had to read to some, and
 * earlier runs may have. Costs a listing a slot; nothing where all checkpoints are used where they
 * are.
 */
final class StagedHosts {
  private final LocalCheckpoints checkpoints;
  private final Map<String, Set<String>> hosts = new HashMap<>();

  private StagedHosts(Configuration configuration) {
    checkpoints = new LocalCheckpoints(configuration);
  }

  private record Kept(String host, List<String> keys) implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  static StagedHosts of(
      JavaSparkContext spark, List<Unit> units, Broadcast<SerializableConfiguration> hadoop) {
    StagedHosts staged = new StagedHosts(spark.hadoopConfiguration());
    Configuration configuration = spark.hadoopConfiguration();
    boolean any =
        !spark.sc().isLocal()
            && units.stream()
                .flatMap(unit -> unit.visits().stream())
                .anyMatch(visit -> !isLocal(visit.checkpoint(), configuration));
    if (any) {
      int slots = 2 * spark.defaultParallelism();
      spark.setJobDescription("copies of checkpoints");
      spark
          .parallelize(IntStream.range(0, slots).boxed().toList(), slots)
          .map(
              slot ->
                  new Kept(
                      SparkEnv.get().blockManager().blockManagerId().host(),
                      new LocalCheckpoints(hadoop.value().value()).kept()))
          .collect()
          .forEach(staged::add);
    }
    return staged;
  }

  private void add(Kept kept) {
    kept.keys().forEach(key -> hosts.computeIfAbsent(key, k -> new TreeSet<>()).add(kept.host()));
  }

  private static boolean isLocal(FingerprintedCheckpoint checkpoint, Configuration configuration) {
    try {
      Path path = new Path(checkpoint.checkpoint().uri());
      return path.getFileSystem(configuration).getUri().getScheme().equals("file");
    } catch (IOException e) {
      throw new StorageException("cannot look for " + checkpoint.checkpoint().uri(), e);
    }
  }

  /** The hosts that hold a checkpoint of the unit, the first visit's first. */
  List<String> holding(Unit unit) {
    Set<String> holding = new LinkedHashSet<>();
    if (!hosts.isEmpty()) {
      unit.visits()
          .forEach(visit -> holding.addAll(hosts.getOrDefault(key(visit.checkpoint()), Set.of())));
    }
    return List.copyOf(holding);
  }

  private String key(FingerprintedCheckpoint checkpoint) {
    try {
      return checkpoints.key(checkpoint.checkpoint().uri(), checkpoint.row().files());
    } catch (IOException e) {
      throw new StorageException("cannot look for " + checkpoint.checkpoint().uri(), e);
    }
  }
}
