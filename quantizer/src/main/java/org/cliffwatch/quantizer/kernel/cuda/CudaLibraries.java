package org.cliffwatch.quantizer.kernel.cuda;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.cliffwatch.quantizer.kernel.BackendUnavailableException;
import org.cliffwatch.quantizer.kernel.NativeMemory;

/**
 * CUDA's own libraries, which are the machine's: the driver and the toolkit of version 13. Loaded
 * by their paths before the preset's, so that no environment variable is needed.
 */
final class CudaLibraries {
  /** Folders to look in first, separated by colons. */
  static final String PROPERTY = "cliffwatch.cuda.libraries";

  static final String VARIABLE = "CLIFFWATCH_CUDA_LIBRARIES";

  private static final String DRIVER = "libcuda.so.1";

  /** In the order of their dependence. NVRTC opens its builtins by name: any of version 13. */
  private static final List<String> TOOLKIT =
      List.of(
          "libcudart.so.13",
          "libnvrtc-builtins.so.13.",
          "libnvrtc.so.13",
          "libcublasLt.so.13",
          "libcublas.so.13");

  private static boolean loaded;

  private CudaLibraries() {}

  /**
   * Loads them, once a process.
   *
   * @throws BackendUnavailableException naming what is missing and where it was looked for
   */
  static synchronized void load() {
    if (loaded) {
      return;
    }
    NativeMemory.unlimited();
    Map<String, String> known = known();
    Set<Path> folders = folders();
    load(DRIVER, known, folders, "no NVIDIA driver: ");
    for (String library : TOOLKIT) {
      load(library, known, folders, "no CUDA 13 toolkit: ");
    }
    loaded = true;
  }

  private static void load(
      String library, Map<String, String> known, Set<Path> folders, String what) {
    Path found =
        in(folders, library)
            .or(() -> Optional.ofNullable(known.get(library)).map(Path::of))
            .orElseThrow(
                () ->
                    new BackendUnavailableException(
                        "%s%s was not found by ldconfig nor in %s (%s names folders to look in)"
                            .formatted(what, library, folders, VARIABLE)));
    try {
      System.load(found.toAbsolutePath().toString());
    } catch (UnsatisfiedLinkError e) {
      throw new BackendUnavailableException(what + found + ": " + e.getMessage(), e);
    }
  }

  /** A file of that name, or one that goes on with a version. */
  private static Optional<Path> in(Set<Path> folders, String library) {
    for (Path folder : folders) {
      Path exact = folder.resolve(library);
      if (Files.exists(exact)) {
        return Optional.of(exact);
      }
      try (DirectoryStream<Path> versions = Files.newDirectoryStream(folder, library + "*")) {
        for (Path version : versions) {
          return Optional.of(version);
        }
      } catch (IOException e) {
        // Not a folder that can be read: looked for elsewhere.
      }
    }
    return Optional.empty();
  }

  private static Set<Path> folders() {
    List<String> named = new ArrayList<>();
    add(named, System.getProperty(PROPERTY));
    add(named, System.getenv(VARIABLE));
    add(named, System.getenv("LD_LIBRARY_PATH"));
    String home = System.getenv("CUDA_HOME");
    named.add((home == null ? "/usr/local/cuda" : home) + "/lib64");
    named.add("/usr/local/cuda-13/lib64");
    named.add("/usr/local/cuda-13.0/lib64");
    named.add("/usr/local/nvidia/lib64");
    named.add("/usr/lib/x86_64-linux-gnu");
    Set<Path> folders = new LinkedHashSet<>();
    for (String folder : named) {
      Path path = Path.of(folder);
      if (Files.isDirectory(path)) {
        folders.add(path);
      }
    }
    return folders;
  }

  private static void add(List<String> folders, String paths) {
    if (paths != null && !paths.isEmpty()) {
      folders.addAll(List.of(paths.split(File.pathSeparator, -1)));
      folders.removeIf(String::isEmpty);
    }
  }

  /** What the system's loader knows: path by name. */
  private static Map<String, String> known() {
    Map<String, String> known = new LinkedHashMap<>();
    try {
      Process process = new ProcessBuilder("ldconfig", "-p").redirectErrorStream(true).start();
      try (BufferedReader lines =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
          int arrow = line.indexOf(" => ");
          int name = line.indexOf(" (");
          if (arrow > 0 && name > 0 && line.contains("x86-64")) {
            known.putIfAbsent(line.substring(0, name).strip(), line.substring(arrow + 4).strip());
          }
        }
      }
    } catch (IOException e) {
      // No ldconfig: the folders alone.
    }
    return known;
  }
}
