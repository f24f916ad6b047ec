package org.cliffwatch.quantizer.model;

import java.util.Optional;

/** How many rows' activations can be held: one request's, if no other request is in work. */
final class ActivationLimit {
  /** Elements of the longest array that every JVM makes. */
  private static final int MAX_ARRAY = Integer.MAX_VALUE - 8;

  private final Architecture architecture;
  private final long heapBytes;

  /**
   * @param heapBytes what the heap can grow to
   */
  ActivationLimit(Architecture architecture, long heapBytes) {
    this.architecture = architecture;
    this.heapBytes = heapBytes;
  }

  /** The most rows of a batch. */
  int rows() {
    long byHeap = heapBytes / bytes(1);
    return (int) Math.min(byHeap, MAX_ARRAY / Workspace.widest(architecture));
  }

  /** What keeps a sequence from being scored, if anything does. */
  Optional<String> refuses(int tokens) {
    return refuses(tokens, bytes(tokens), Workspace.widest(architecture));
  }

  /** What keeps a sequence's logits from being given, if anything does. */
  Optional<String> refusesLogits(int tokens) {
    int vocabulary = architecture.vocabulary();
    long logits = (long) Float.BYTES * tokens * vocabulary;
    int widest = Math.max(vocabulary, Workspace.widest(architecture));
    return refuses(tokens, bytes(tokens) + logits, widest);
  }

  private Optional<String> refuses(int tokens, long bytes, int widest) {
    if ((long) tokens * widest > MAX_ARRAY) {
      return Optional.of(
          refusal(tokens, (long) Float.BYTES * tokens * widest, "in one array")
              + (long) Float.BYTES * MAX_ARRAY
              + " that a Java array of float32 holds");
    }
    if (bytes > heapBytes) {
      return Optional.of(
          refusal(tokens, bytes, "of activations") + heapBytes + " of the Java heap (-Xmx)");
    }
    return Optional.empty();
  }

  private static String refusal(int tokens, long bytes, String what) {
    return "its " + tokens + " tokens need " + bytes + " bytes " + what + ", more than the ";
  }

  private long bytes(int rows) {
    return (long) rows * (Workspace.rowBytes(architecture) + rotaryBytes());
  }

  /** Of a position in the tables of cos and sin. */
  private int rotaryBytes() {
    return architecture.rotaries().stream().mapToInt(each -> Float.BYTES * each.rotated()).sum();
  }
}
