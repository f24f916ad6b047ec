package org.cliffwatch.quantizer.kernel;

import java.util.Set;
import java.util.TreeSet;

/**
 * Every backend that this machine offers, as a source of parameters: {@code reference}, {@code
 * onednn}, {@code emulated} where there is a C++ compiler, {@code cuda} where there is a GPU. What
 * is required by a property and is not offered fails whoever asks.
 */
public final class OfferedBackends {
  private static final String GPU_PROPERTY = "cliffwatch.require-gpu";
  private static final String COMPILER_PROPERTY = "cliffwatch.require-compiler";

  private OfferedBackends() {}

  public static Set<String> names() {
    Backends.Offer offer = Backends.offer();
    require(GPU_PROPERTY, "cuda", offer);
    require(COMPILER_PROPERTY, "emulated", offer);
    return offer.kernels().keySet();
  }

  private static void require(String property, String backend, Backends.Offer offer) {
    if (Boolean.getBoolean(property) && !offer.kernels().containsKey(backend)) {
      throw new AssertionError("-D" + property + ": " + offer.reasons().get(backend));
    }
  }

  /** Those that are compared with the reference. */
  public static Set<String> fast() {
    Set<String> fast = new TreeSet<>(names());
    fast.remove("reference");
    return fast;
  }

  /** Whether there is a GPU; fails if there must be one. */
  public static boolean gpu() {
    return names().contains("cuda");
  }
}
