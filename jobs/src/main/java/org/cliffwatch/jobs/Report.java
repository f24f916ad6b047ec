package org.cliffwatch.jobs;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.cliffwatch.jobs.Evaluation.Outcome;

/** What a finished evaluation shows: tables on stdout, a plot beside the tables. */
final class Report {
  private Report() {}

  /** Stdout as a file descriptor: libraries that print to System.out must not mix with the data. */
  static PrintStream stdout() {
    return new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
  }

  static void warn(List<String> warnings, PrintStream log) {
    warnings.forEach(warning -> log.println("warning: " + warning));
  }

  static void show(Outcome outcome, String output, Configuration configuration, PrintStream log)
      throws IOException {
    try (PrintStream data = stdout()) {
      data.print(Summary.of(outcome));
      if (!outcome.degradation().isEmpty()) {
        data.print("\n" + Summary.cliffs(outcome));
      }
    }
    warn(outcome.plan().warnings(), log); // again, where they are not scrolled away
    log.println("tables: " + output);
    try {
      DegradationPlot.write(outcome.degradation(), output, configuration)
          .ifPresent(plot -> log.println("plot: " + plot));
    } catch (LinkageError | InternalError | RuntimeException e) {
      // Java draws text only where the machine has fonts; the tables do not need any.
      log.println("warning: no plot was drawn: " + e);
    }
  }
}
