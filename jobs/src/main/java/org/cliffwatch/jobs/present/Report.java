package org.cliffwatch.jobs.present;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.cliffwatch.jobs.run.Evaluation.Outcome;
import org.cliffwatch.jobs.table.Tables;

/** What a finished evaluation shows: tables on stdout, a plot beside the tables. */
public final class Report {
  private Report() {}

  /** Stdout as a file descriptor: libraries that print to System.out must not mix with the data. */
  public static PrintStream stdout() {
    return new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
  }

  public static void warn(List<String> warnings, PrintStream log) {
    warnings.forEach(warning -> log.println("warning: " + warning));
  }

  /**
   * As {@link #show(Outcome, String, boolean, Configuration, PrintStream, PrintStream)}, stdout.
   */
  public static void show(
      Outcome outcome,
      String output,
      boolean verbose,
      Configuration configuration,
      PrintStream log) {
    show(outcome, output, verbose, configuration, stdout(), log);
  }

  /**
   * @param verbose whether every cell's metrics are printed, not only a row a checkpoint
   * @param data gets the tables, and stays open
   */
  public static void show(
      Outcome outcome,
      String output,
      boolean verbose,
      Configuration configuration,
      PrintStream data,
      PrintStream log) {
    if (verbose) {
      Summary.everything(outcome.plan(), new Tables(new Path(output), configuration), data);
    }
    data.print(Summary.of(outcome.plan(), outcome.results()));
    String cliffs = Summary.cliffs(outcome.results());
    data.print(cliffs.isEmpty() ? "" : "\n" + cliffs);
    data.flush();
    warn(outcome.plan().warnings(), log); // again, where they are not scrolled away
    log.println("tables: " + output);
    try {
      DegradationPlot.write(outcome.results(), output, configuration)
          .ifPresent(plot -> log.println("plot: " + plot));
    } catch (LinkageError | InternalError | RuntimeException | IOException e) {
      // Java draws text only where the machine has fonts; the tables do not need any.
      log.println("warning: no plot was drawn: " + e);
    }
    Summary.failures(outcome.results()).forEach(log::println);
  }
}
