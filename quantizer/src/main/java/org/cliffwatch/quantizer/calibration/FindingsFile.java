package org.cliffwatch.quantizer.calibration;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.SafetensorsFile;
import org.cliffwatch.quantizer.checkpoint.SafetensorsWriter;
import org.cliffwatch.quantizer.checkpoint.StorageType;
import org.cliffwatch.quantizer.checkpoint.StoredTensor;
import org.cliffwatch.quantizer.scheme.Findings;

/**
 * {@link Findings} as a safetensors file: numbers as F32, codes as U8, a tensor each by {@code
 * layers.3.query.what}. The same findings give the same bytes.
 */
public final class FindingsFile {
  private FindingsFile() {}

  /**
   * @param metadata of the file's header: what it was found of
   */
  public static void write(Path file, Findings findings, Map<String, String> metadata)
      throws IOException {
    List<SafetensorsWriter.Entry> entries = new ArrayList<>();
    findings
        .numbers()
        .forEach(
            (name, values) ->
                entries.add(new SafetensorsWriter.Entry(name, StorageType.F32, values.length)));
    findings
        .codes()
        .forEach(
            (name, values) ->
                entries.add(new SafetensorsWriter.Entry(name, StorageType.U8, values.length)));
    try (SafetensorsWriter out = new SafetensorsWriter(file, metadata, entries)) {
      for (float[] values : findings.numbers().values()) {
        out.write(values, values.length);
      }
      for (byte[] values : findings.codes().values()) {
        out.write(values, values.length);
      }
    }
  }

  /**
   * @throws InvalidInputException if it is no such file
   */
  public static Findings read(Path file) {
    Findings findings = new Findings();
    for (StoredTensor tensor : SafetensorsFile.read(file)) {
      int dot = tensor.name().lastIndexOf('.');
      String layer = tensor.name().substring(0, Math.max(0, dot));
      String what = tensor.name().substring(dot + 1);
      if (tensor.type() == StorageType.F32) {
        findings.put(layer, what, tensor.read());
      } else if (tensor.type() == StorageType.U8) {
        byte[] codes = new byte[Math.toIntExact(tensor.elements())];
        tensor.bytes(0, codes, 0, codes.length);
        findings.put(layer, what, codes);
      } else {
        throw new InvalidInputException(
            tensor.where() + ": found " + tensor.type() + ", expected F32 or U8");
      }
    }
    return findings;
  }
}
