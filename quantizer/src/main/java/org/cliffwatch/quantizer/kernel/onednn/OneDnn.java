package org.cliffwatch.quantizer.kernel.onednn;

import static org.bytedeco.dnnl.global.dnnl.dnnl_cpu;
import static org.bytedeco.dnnl.global.dnnl.dnnl_engine_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_get_effective_cpu_isa;
import static org.bytedeco.dnnl.global.dnnl.dnnl_set_max_cpu_isa;
import static org.bytedeco.dnnl.global.dnnl.dnnl_stream_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_stream_default_flags;
import static org.bytedeco.dnnl.global.dnnl.dnnl_version;

import java.util.Set;
import org.bytedeco.dnnl.dnnl_engine;
import org.bytedeco.dnnl.dnnl_stream;
import org.bytedeco.dnnl.dnnl_version_t;
import org.cliffwatch.quantizer.kernel.BackendUnavailableException;
import org.cliffwatch.quantizer.kernel.InstructionSet;
import org.cliffwatch.quantizer.kernel.NativeMemory;

/** The library: its version, instruction set and CPU engine. One a process. */
final class OneDnn {
  /** Java's names of it. */
  private static final Set<String> X86_64 = Set.of("amd64", "x86_64");

  private static OneDnn opened;

  private final InstructionSet instructionSet;
  private final dnnl_engine engine = new dnnl_engine();
  private final dnnl_stream stream = new dnnl_stream();

  private OneDnn(InstructionSet instructionSet) {
    this.instructionSet = instructionSet;
    check(dnnl_engine_create(engine, dnnl_cpu, 0), "dnnl_engine_create");
    check(dnnl_stream_create(stream, engine, dnnl_stream_default_flags), "dnnl_stream_create");
  }

  /** Loads the native library. */
  static void load() {
    NativeMemory.unlimited();
    try {
      version();
      OpenMp.find();
    } catch (LinkageError e) {
      throw new BackendUnavailableException("oneDNN's native library cannot be loaded: " + e, e);
    }
  }

  /** major.minor */
  static String version() {
    dnnl_version_t version = dnnl_version();
    return version.major() + "." + version.minor();
  }

  /**
   * Fixes the instruction set for the life of the process, as oneDNN does with its first product.
   *
   * @param limit the most to use, or null for the machine's own
   */
  static synchronized OneDnn open(InstructionSet limit) {
    String architecture = System.getProperty("os.arch");
    if (!X86_64.contains(architecture)) {
      // Elsewhere its numbers for instruction sets stand for others.
      throw new BackendUnavailableException(
          "used on x86-64 alone, where its instruction sets are known; this machine is "
              + architecture);
    }
    if (opened == null) {
      if (limit != null) {
        check(dnnl_set_max_cpu_isa(limit.mask()), "dnnl_set_max_cpu_isa");
      }
      int effective = dnnl_get_effective_cpu_isa();
      opened =
          new OneDnn(
              InstructionSet.within(effective)
                  .orElseThrow(
                      () ->
                          new BackendUnavailableException(
                              "oneDNN finds no instruction set it knows here: " + effective)));
    }
    if (limit != null && limit != opened.instructionSet) {
      throw new BackendUnavailableException(
          "this process has fixed oneDNN at %s; %s cannot be had any more, or not on this machine"
              .formatted(opened.instructionSet.spelled(), limit.spelled()));
    }
    return opened;
  }

  InstructionSet instructionSet() {
    return instructionSet;
  }

  /** What the calling thread makes primitives and memory with. */
  dnnl_engine engine() {
    OpenMp.single();
    return engine;
  }

  /** What the calling thread runs primitives on. A CPU stream holds no state: all use this one. */
  dnnl_stream stream() {
    OpenMp.single();
    return stream;
  }

  static void check(int status, String call) {
    if (status != 0) {
      throw new IllegalStateException(call + " failed with status " + status);
    }
  }
}
