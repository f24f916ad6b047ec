package org.cliffwatch.quantizer.kernel.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.cuda.global.nvrtc;
import org.bytedeco.cuda.nvrtc._nvrtcProgram;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.SizeTPointer;

/** The {@code .cu} resources, one translation unit, compiled for the device at hand by NVRTC. */
final class KernelSources {
  /** In this order. */
  static final List<String> FILES =
      List.of("common.cu", "rows.cu", "quantize.cu", "attention.cu", "vocabulary.cu");

  private KernelSources() {}

  /**
   * Machine code for an architecture.
   *
   * @param architecture {@code sm_90}
   * @throws IllegalStateException with the compiler's messages
   */
  static BytePointer compiled(String architecture) {
    StringBuilder source = new StringBuilder();
    for (String file : FILES) {
      source.append(source(file));
    }
    List<String> options =
        new ArrayList<>(text("options.txt").lines().filter(l -> !l.isBlank()).toList());
    options.add("--gpu-architecture=" + architecture);
    _nvrtcProgram program = new _nvrtcProgram();
    try (BytePointer text = new BytePointer(source.toString());
        BytePointer name = new BytePointer("cliffwatch.cu")) {
      PointerPointer<Pointer> none = new PointerPointer<>((Pointer) null);
      Cuda.checkNvrtc(
          nvrtc.nvrtcCreateProgram(program, text, name, 0, none, none), "nvrtcCreateProgram");
      try (PointerPointer<BytePointer> given =
          new PointerPointer<>(options.toArray(new String[0]))) {
        int status = nvrtc.nvrtcCompileProgram(program, options.size(), given);
        if (status != nvrtc.NVRTC_SUCCESS) {
          throw new IllegalStateException("NVRTC: " + log(program));
        }
      }
      SizeTPointer size = new SizeTPointer(1);
      Cuda.checkNvrtc(nvrtc.nvrtcGetCUBINSize(program, size), "nvrtcGetCUBINSize");
      BytePointer code = new BytePointer(size.get());
      Cuda.checkNvrtc(nvrtc.nvrtcGetCUBIN(program, code), "nvrtcGetCUBIN");
      return code;
    } finally {
      nvrtc.nvrtcDestroyProgram(program);
    }
  }

  private static String log(_nvrtcProgram program) {
    SizeTPointer size = new SizeTPointer(1);
    Cuda.checkNvrtc(nvrtc.nvrtcGetProgramLogSize(program, size), "nvrtcGetProgramLogSize");
    BytePointer log = new BytePointer(size.get());
    Cuda.checkNvrtc(nvrtc.nvrtcGetProgramLog(program, log), "nvrtcGetProgramLog");
    return log.getString();
  }

  /** A file whose lines a compiler names by it. */
  static String source(String file) {
    return "#line 1 \"%s\"\n%s\n".formatted(file, text(file));
  }

  private static String text(String file) {
    try (InputStream in = KernelSources.class.getResourceAsStream(file)) {
      if (in == null) {
        throw new IllegalStateException("resource " + file + " is missing");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
