package org.cliffwatch.jobs.present;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.report.HtmlReport;
import org.cliffwatch.jobs.run.Evaluation.Outcome;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.tasks.item.ItemSet;

/** What a finished evaluation shows: tables on stdout, a page beside the tables. */
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
    Summary.failures(outcome.results()).forEach(log::println);
  }

  /**
   * Writes the report beside the tables and names it. A report that cannot be written is a warning:
   * the tables are what a run is for.
   */
  public static void write(Outcome outcome, String output, SparkSession spark, PrintStream log) {
    Path file = new Path(output, HtmlReport.FILE);
    Map<String, ItemSet> items = new LinkedHashMap<>();
    outcome.plan().tasks().forEach(task -> items.put(task.data().task(), task.set()));
    HtmlReport.Known known = new HtmlReport.Known(outcome.plan().suite().precisions(), items);
    try {
      new HtmlReport(spark, output, known, log).write(Optional.empty(), file);
      log.println("report: " + file);
    } catch (IOException | RuntimeException e) {
      log.println("warning: no report was written: " + e);
    }
  }
}
