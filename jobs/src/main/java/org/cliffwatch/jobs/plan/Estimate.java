package org.cliffwatch.jobs.plan;

import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.commons.lang3.time.DurationFormatUtils;
import org.cliffwatch.quantizer.scheme.Precision;

/**
 * What a run is expected to take.
 *
 * @param tokens that go through a model, about
 * @param read bytes of checkpoints brought to executors, each as often as a unit begins with it
 * @param seconds until the last unit ends, without planning and metrics
 * @param slots units that run at once
 * @param measured whether the time is by rates that earlier runs into this output measured
 * @param modelBytes native memory of the models that an executor's slots use at once, at most
 * @param calibration what goes before scoring
 */
public record Estimate(
    double tokens,
    long read,
    double seconds,
    int slots,
    boolean measured,
    long modelBytes,
    Calibration calibration) {
  /**
   * What finding scales, factors and codes in text is expected to take.
   *
   * @param passes over checkpoints; 0: there is nothing to find
   * @param seconds until the last ends
   */
  public record Calibration(int passes, double seconds) {}

  private static final long MIB = 1L << 20;

  /** Of an executor beside models: what Spark sets aside where nothing is said, and buffers. */
  private static final long BASE = 384 * MIB;

  /** Packed rows, products and oneDNN's scratch of a thread. */
  private static final long A_SLOT = 96 * MIB;

  /**
   * @param baseline what scores are compared with, whose model is there too; or null
   * @param slotsAnExecutor units that run at once in one process
   */
  public static Estimate of(
      List<Unit> units,
      Costs costs,
      Precision baseline,
      int slots,
      int slotsAnExecutor,
      Calibration calibration) {
    double tokens = 0;
    long read = 0;
    Map<String, Long> models = new HashMap<>();
    for (Unit unit : units) {
      Set<String> begun = new HashSet<>();
      for (Visit visit : unit.visits()) {
        FingerprintedCheckpoint checkpoint = visit.checkpoint();
        read += begun.add(checkpoint.identity()) ? checkpoint.bytes() : 0;
        long bytes = checkpoint.packedBytes(visit.precision());
        if (baseline != null && !visit.precision().equals(baseline)) {
          bytes += checkpoint.packedBytes(baseline);
        }
        models.put(checkpoint.identity() + " " + visit.precision().name(), bytes);
        for (Piece piece : visit.pieces()) {
          tokens += costs.tokens(piece.task(), piece.items());
        }
      }
    }
    long largest =
        models.values().stream()
            .sorted(Comparator.reverseOrder())
            .limit(slotsAnExecutor)
            .mapToLong(Long::longValue)
            .sum();
    return new Estimate(
        tokens,
        read,
        Schedule.makespan(units, slots),
        slots,
        costs.isMeasured(),
        largest,
        calibration);
  }

  /** Seconds as hours, minutes and seconds, {@code 0:01:05}. */
  public static String clock(double seconds) {
    return DurationFormatUtils.formatDuration(Math.round(1000 * seconds), "H:mm:ss");
  }

  /** MiB of {@code spark.executor.memoryOverhead} that hold those models. */
  public long overheadMebibytes(int slotsAnExecutor) {
    return (modelBytes + besideModels(slotsAnExecutor) + MIB - 1) / MIB;
  }

  /** Native bytes of an executor that are not models. */
  public static long besideModels(int slotsAnExecutor) {
    return BASE + slotsAnExecutor * A_SLOT;
  }
}
