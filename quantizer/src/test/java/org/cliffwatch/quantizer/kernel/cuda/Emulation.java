package org.cliffwatch.quantizer.kernel.cuda;

import com.sun.jna.Function;
import com.sun.jna.Memory;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.cliffwatch.quantizer.kernel.BackendUnavailableException;

/**
 * CUDA sources compiled by the host's C++ compiler, and what launches them. One library a set of
 * sources and flags, compiled once and kept for other JVMs.
 */
final class Emulation {
  /** Compiled with the address sanitizer: the JVM must have been started with its library. */
  static final String SANITIZE_PROPERTY = "cliffwatch.emulation.sanitize";

  private static final int MESSAGE_BYTES = 400;

  private final NativeLibrary library;
  private final Function launch;

  private Emulation(Path library) {
    this.library = NativeLibrary.getInstance(library.toString());
    this.launch = this.library.getFunction("launch");
  }

  /** The project's kernels. */
  static Emulation ofTheKernels() {
    return new Emulation(
        compiled(
            KernelSources.FILES.stream().map(KernelSources::source).collect(Collectors.joining()),
            Boolean.getBoolean(SANITIZE_PROPERTY)));
  }

  /**
   * @param kernels that follow common.cu
   * @throws BackendUnavailableException where there is no C++ compiler
   */
  static Emulation of(String kernels, boolean sanitize) {
    return new Emulation(
        compiled(KernelSources.source("common.cu") + "#line 1 \"kernels\"\n" + kernels, sanitize));
  }

  /** The compiler that {@code CXX} names, or g++. */
  static String compiler() {
    String named = System.getenv("CXX");
    return named == null || named.isEmpty() ? "g++" : named;
  }

  private static Path compiled(String kernels, boolean sanitize) {
    String shim = text("/emulation/shim.h");
    String launcher = text("/emulation/emulation.cpp");
    List<String> flags = new ArrayList<>(List.of("-std=c++17", "-O2", "-g", "-ffp-contract=off"));
    // For the fused multiply-add; every processor that runs the rest has it.
    flags.addAll(List.of("-mfma", "-mavx2", "-Wall", "-Werror", "-Wno-unknown-pragmas"));
    if (sanitize) {
      flags.add("-fsanitize=address");
    }
    String unit = launcher.replace("#include \"shim.h\"", shim + "\n" + kernels);
    Path folder = Path.of(System.getProperty("java.io.tmpdir"), "cliffwatch-emulation");
    Path library = folder.resolve(hash(unit + flags) + ".so");
    if (Files.exists(library)) {
      return library;
    }
    try {
      Files.createDirectories(folder);
      Path source = Files.createTempFile(folder, "emulation", ".cpp");
      Path made = Files.createTempFile(folder, "emulation", ".so");
      Files.writeString(source, unit);
      List<String> command = new ArrayList<>(List.of(compiler()));
      command.addAll(flags);
      // Libraries of other kernels may be loaded beside it.
      command.addAll(
          List.of(
              "-shared",
              "-fPIC",
              "-Wl,-Bsymbolic",
              "-o",
              made.toString(),
              source.toString(),
              "-ldl"));
      run(command);
      Files.move(made, library, StandardCopyOption.ATOMIC_MOVE);
      Files.delete(source);
      return library;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void run(List<String> command) throws IOException {
    Process process;
    try {
      process = new ProcessBuilder(command).redirectErrorStream(true).start();
    } catch (IOException e) {
      throw new BackendUnavailableException("there is no C++ compiler: " + e.getMessage(), e);
    }
    try (InputStream output = process.getInputStream()) {
      String messages = new String(output.readAllBytes(), StandardCharsets.UTF_8);
      if (!process.waitFor(5, TimeUnit.MINUTES) || process.exitValue() != 0) {
        throw new IllegalStateException(String.join(" ", command) + "\n" + messages);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private static String hash(String text) {
    try {
      byte[] digest =
          java.security.MessageDigest.getInstance("SHA-256")
              .digest(text.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest, 0, 12);
    } catch (java.security.NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String text(String resource) {
    try (InputStream in = Emulation.class.getResourceAsStream(resource)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  Function function(String name) {
    return library.getFunction(name);
  }

  /**
   * @throws IllegalStateException naming the kernel, the block and where its threads wait
   */
  void launch(
      String kernel, int gridX, int gridY, int threads, int sharedBytes, Object... arguments) {
    StringBuilder kinds = new StringBuilder();
    try (Memory values = new Memory(Math.max(1, arguments.length) * (long) Long.BYTES);
        Memory pointers = new Memory(Math.max(1, arguments.length) * (long) Long.BYTES);
        Memory message = new Memory(MESSAGE_BYTES)) {
      for (int i = 0; i < arguments.length; i++) {
        long at = (long) i * Long.BYTES;
        if (arguments[i] instanceof Long value) {
          values.setLong(at, value);
          kinds.append('l');
        } else if (arguments[i] instanceof Integer value) {
          values.setInt(at, value);
          kinds.append('i');
        } else {
          values.setFloat(at, (Float) arguments[i]);
          kinds.append('f');
        }
        pointers.setPointer(at, new Pointer(Pointer.nativeValue(values) + at));
      }
      Object[] given = {
        kernel,
        gridX,
        gridY,
        threads,
        sharedBytes,
        pointers,
        kinds.toString(),
        message,
        MESSAGE_BYTES
      };
      if (launch.invokeInt(given) != 0) {
        throw new IllegalStateException(message.getString(0));
      }
    }
  }
}
