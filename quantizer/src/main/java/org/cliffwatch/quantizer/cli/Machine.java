package org.cliffwatch.quantizer.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.kernel.InstructionSet;

/** What a measurement was made on. */
public final class Machine {
  private Machine() {}

  /** Processor, its instruction set, cores, Java and commit, to print above a measurement. */
  public static Map<String, Object> facts() {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("cpu", cpu());
    facts.put("isa", InstructionSet.ofThisMachine().map(InstructionSet::spelled).orElse("unknown"));
    facts.put("cores", Runtime.getRuntime().availableProcessors());
    facts.put("jdk", System.getProperty("java.vm.name") + " " + Runtime.version());
    facts.put("commit", commit());
    return facts;
  }

  /**
   * The processor's name with its family and model, since virtual machines shorten the name; or its
   * architecture where the system does not tell.
   */
  public static String cpu() {
    Map<String, String> first = new HashMap<>();
    try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
      lines
          .map(line -> line.split("\\s*:\\s*", 2))
          .filter(field -> field.length == 2)
          .forEach(field -> first.putIfAbsent(field[0], field[1]));
    } catch (IOException e) {
      return System.getProperty("os.arch");
    }
    String name = first.get("model name");
    return name == null
        ? System.getProperty("os.arch")
        : "%s, family %s model %s".formatted(name, first.get("cpu family"), first.get("model"));
  }

  /**
   * The commit this was built from; {@code -dirty} appended where files were changed; {@code
   * unknown} outside git.
   */
  public static String commit() {
    try (InputStream in = Machine.class.getResourceAsStream("git.properties")) {
      Properties properties = new Properties();
      if (in != null) {
        properties.load(in);
      }
      String commit = properties.getProperty("git.commit.id.full", "unknown");
      return Boolean.parseBoolean(properties.getProperty("git.dirty")) ? commit + "-dirty" : commit;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
