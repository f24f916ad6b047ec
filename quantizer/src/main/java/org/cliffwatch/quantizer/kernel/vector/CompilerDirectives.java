package org.cliffwatch.quantizer.kernel.vector;

import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import javax.management.JMException;
import javax.management.ObjectName;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells HotSpot which methods of this package to inline, for the reasons the package gives: from
 * inside the process, as {@code jcmd Compiler.directives_add} does from outside (JEP 165), so that
 * a JVM needs no options for it.
 */
final class CompilerDirectives {
  private static final Logger LOG = LoggerFactory.getLogger(CompilerDirectives.class);
  private static final String FILE = "compiler-directives.json";
  private static final String ADDED = "directives added";

  private CompilerDirectives() {}

  /** Adds the directives; where that fails, only speed is lost, and a warning says so. */
  static void add() {
    try {
      Path file = Files.createTempFile("cliffwatch-", "-" + FILE);
      try (InputStream directives = CompilerDirectives.class.getResourceAsStream(FILE)) {
        Files.copy(directives, file, StandardCopyOption.REPLACE_EXISTING);
        String answer = tell(file);
        if (!answer.contains(ADDED)) {
          warn(answer);
        }
      } finally {
        Files.delete(file);
      }
    } catch (IOException | JMException | RuntimeException | LinkageError e) {
      warn(e.toString());
    }
  }

  private static String tell(Path file) throws JMException {
    return (String)
        ManagementFactory.getPlatformMBeanServer()
            .invoke(
                new ObjectName("com.sun.management:type=DiagnosticCommand"),
                "compilerDirectivesAdd",
                new Object[] {new String[] {file.toString()}},
                new String[] {String[].class.getName()});
  }

  private static void warn(String reason) {
    LOG.warn("the compiler takes no directives here, vector loops may be slow: {}", reason.trim());
  }
}
