package org.cliffwatch.quantizer.kernel;

import java.util.Set;
import java.util.TreeSet;

/**
 * Every backend that this machine offers, as a source of parameters: {@code reference}, {@code
 * onednn}, {@code emulated} where there is a C++ compiler, {@code cuda} where there is a GPU.
 */
public final class OfferedBackends {
  private OfferedBackends() {}

  /** Those that are compared with the reference. */
  public static Set<String> fast() {
    Set<String> fast = new TreeSet<>(names());
    fast.remove("reference");
    return fast;
  }

  public static Set<String> names() {
    return Backends.offer().kernels().keySet();
  }
}
