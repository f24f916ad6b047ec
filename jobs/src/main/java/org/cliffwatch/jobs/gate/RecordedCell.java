package org.cliffwatch.jobs.gate;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.cliffwatch.jobs.table.Tables.Slice;

/**
 * A cell as a run left it: what must be known before its scores are compared with another's.
 *
 * @param cellId content hash of everything its scores depend on
 * @param scores file of its scores; null where it failed
 * @param comparableParts null where older tables do not tell
 * @param tokensPerSecond a thread's; null where not measured
 * @param cpu processor of the run's driver; null where not known
 * @param scoredNow whether that run scored it, rather than found it committed
 * @param error why it failed, else null
 */
record RecordedCell(
    Slice slice,
    String task,
    String cellId,
    String scores,
    String comparableKey,
    String comparableParts,
    String kernel,
    int replicas,
    Double tokensPerSecond,
    String cpu,
    boolean scoredNow,
    String error)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  boolean failed() {
    return error != null;
  }

  /**
   * Why this cell's scores say nothing beside an accepted one's: which part of what makes them
   * differs, as it is now and as it was; empty where they may be compared.
   */
  Optional<String> unlike(RecordedCell accepted) {
    if (failed() || accepted.failed()) {
      return Optional.of(
          failed() ? "failed: " + error : "the accepted cell had failed: " + accepted.error);
    }
    List<String> parts = new ArrayList<>();
    Map<String, String> were = accepted.parts();
    parts()
        .forEach(
            (name, is) -> {
              String was = were.get(name);
              if (was != null && !was.equals(is)) {
                parts.add(differs(name, is, was));
              }
            });
    if (parts.isEmpty() && !comparableKey.equals(accepted.comparableKey)) {
      parts.add(
          differs("comparable_key", comparableKey, accepted.comparableKey)
              + " (older tables do not say which part of it)");
    }
    if (!kernel.equals(accepted.kernel)) {
      parts.add(differs("kernel", kernel, accepted.kernel));
    }
    if (replicas != accepted.replicas) {
      parts.add(differs("replicas", String.valueOf(replicas), String.valueOf(accepted.replicas)));
    }
    return parts.isEmpty() ? Optional.empty() : Optional.of(String.join("; ", parts));
  }

  private static String differs(String part, String is, String was) {
    return "differs in " + part + ": " + is + " now, " + was + " accepted";
  }

  /** By name, in the order they were written. */
  private Map<String, String> parts() {
    Map<String, String> parts = new LinkedHashMap<>();
    if (comparableParts != null) {
      for (String part : comparableParts.split(", ", -1)) {
        int space = part.lastIndexOf(' ');
        parts.put(part.substring(0, space), part.substring(space + 1));
      }
    }
    return parts;
  }
}
