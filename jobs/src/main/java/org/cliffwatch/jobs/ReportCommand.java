package org.cliffwatch.jobs;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.report.HtmlReport;
import org.cliffwatch.jobs.sql.Database;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.item.ItemSet;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code report.sh}: the tables of an output folder as one HTML file. */
@Command(
    name = "report.sh",
    description = {
      "Writes one HTML file that shows what the tables hold: degradation by step, size, task and",
      "precision, speed and memory, the items that flipped, and the SQL behind every figure. It needs",
      "nothing else to be opened, no network either."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "evaluate.sh writes it at the end of every run, as report.html beside the tables. What it shows:",
      "jobs/REPORT.md.",
      "",
      "Examples:",
      "  report.sh --tables out --output report.html",
      "  report.sh --tables out --run 20260101T000000000Z-1a2b3c4d --task piqa=benchmarks/piqa \\",
      "      --output report.html"
    })
public final class ReportCommand implements Callable<Integer> {
  @Option(
      names = "--tables",
      required = true,
      paramLabel = "DIR",
      description = "Folder given to evaluate.sh as --output.")
  private String tables;

  @Option(
      names = "--run",
      paramLabel = "R",
      description =
          "A run_id of the table runs: only the models, steps, precisions and tasks that it asked"
              + " for. Default: all that the folder holds.")
  private String run;

  @Option(
      names = "--output",
      required = true,
      paramLabel = "FILE",
      description = "The page: a path or any Hadoop URI. A file that is there is replaced.")
  private String output;

  @Option(
      names = "--task",
      arity = "1..*",
      paramLabel = "NAME=DATA",
      description =
          "File or folder of a task's items, for the texts of those that flipped. Needed where the"
              + " suite had it relative to its file.")
  private Map<String, String> tasks = Map.of();

  @Option(
      names = "--tasks",
      paramLabel = "DIR",
      description = "Where tasks of --task are defined that are not ours.")
  private Path definitions;

  @Option(
      names = "--precisions",
      paramLabel = "FILE",
      description = "More precisions: a YAML file like conf/precisions.yaml.")
  private Path precisions;

  public static void main(String[] arguments) {
    Commands.exit(Commands.run(new ReportCommand(), arguments));
  }

  @Override
  public Integer call() throws IOException {
    List<Precision> rows = List.of();
    if (precisions != null) {
      Precisions more = Precisions.packagedAnd(precisions);
      rows = more.names().stream().map(more::named).toList();
    }
    Tasks known = definitions == null ? Tasks.builtIn() : Tasks.builtIn().including(definitions);
    try (SparkSession spark = Commands.session("cliffwatch report", Database.settings())) {
      Map<String, ItemSet> items = new LinkedHashMap<>();
      tasks.forEach(
          (task, data) -> items.put(task, HtmlReport.items(spark, known.task(task), data)));
      new HtmlReport(spark, tables, new HtmlReport.Known(rows, items), System.err)
          .write(Optional.ofNullable(run), new org.apache.hadoop.fs.Path(output));
      System.err.println("report: " + output);
    }
    return ExitCode.DONE;
  }
}
