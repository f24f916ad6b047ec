package org.cliffwatch.quantizer.kernel.onednn;

import java.util.Optional;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.BackendProvider;
import org.cliffwatch.quantizer.kernel.BackendUnavailableException;
import org.cliffwatch.quantizer.kernel.ExactnessTest;
import org.cliffwatch.quantizer.kernel.InstructionSet;
import org.cliffwatch.quantizer.kernel.KernelDigest;
import org.cliffwatch.quantizer.kernel.KernelIdentity;

/**
 * The {@code onednn} backend: needs oneDNN's JavaCPP preset, the Vector API module, and a processor
 * whose integer products are exact.
 */
public final class OneDnnProvider implements BackendProvider {
  private OneDnnBackend backend;

  @Override
  public String name() {
    return "onednn";
  }

  @Override
  public synchronized String kernel() {
    if (backend != null) {
      return backend.kernel();
    }
    load();
    InstructionSet own =
        InstructionSet.ofThisMachine()
            .orElseThrow(
                () -> new BackendUnavailableException("this is no x86 processor that Linux knows"));
    return kernel(own).toString();
  }

  @Override
  public synchronized Backend open(String kernel) {
    load();
    KernelIdentity wanted = kernel == null ? null : wanted(kernel);
    OneDnn library = OneDnn.open(wanted == null ? null : wanted.instructionSet().orElseThrow());
    if (backend == null) {
      KernelIdentity own = kernel(library.instructionSet());
      Packing packing = new Packing(library);
      Workspaces workspaces = new Workspaces(library);
      OneDnnBackend opened = new OneDnnBackend(own.toString(), packing, workspaces);
      ExactnessTest.require(opened);
      String whole = own.withDigest(KernelDigest.of(opened)).toString();
      backend = new OneDnnBackend(whole, packing, workspaces);
    }
    if (wanted != null) {
      wanted.require(backend.kernel());
    }
    return backend;
  }

  private static KernelIdentity kernel(InstructionSet instructionSet) {
    return new KernelIdentity(
        "onednn-" + OneDnn.version(), Optional.of(instructionSet), Optional.empty());
  }

  private static KernelIdentity wanted(String kernel) {
    KernelIdentity wanted = KernelIdentity.of(kernel);
    KernelIdentity example = kernel(InstructionSet.AVX512_VNNI);
    if (!wanted.library().equals(example.library()) || wanted.instructionSet().isEmpty()) {
      throw new BackendUnavailableException(
          "found kernel %s, expected %s- and an instruction set, like %s"
              .formatted(kernel, example.library(), example));
    }
    return wanted;
  }

  private static void load() {
    if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
      throw new BackendUnavailableException(
          "Java was started without --add-modules jdk.incubator.vector");
    }
    OneDnn.load();
  }
}
