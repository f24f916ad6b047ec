package org.cliffwatch.jobs;

import java.io.IOException;
import java.io.PrintStream;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.plan.Plan;
import org.cliffwatch.jobs.present.Report;
import org.cliffwatch.jobs.present.Summary;
import org.cliffwatch.jobs.run.Evaluation;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.SuiteException;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * {@code evaluate.sh}: plan, score, metrics, degradation. The main class of the application jar.
 */
@Command(
    name = "evaluate.sh",
    description = "Evaluates checkpoints × precisions × tasks on Spark and writes the tables.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "3:bad usage or input; the message names file, place, what was found and what was expected",
      "4:finished, but some cells failed; their rows say why",
      "5:internal error"
    },
    footer = {
      "",
      "submit/evaluate.sh also takes --master M, --deploy-mode D, --driver-memory M,"
          + " --conf KEY=VALUE and --properties-file FILE, as spark-submit does: submit/clusters.md.",
      "",
      "Examples:",
      "  evaluate.sh --suite conf/suites/demo.yaml --output out",
      "  evaluate.sh --checkpoint ./pythia-70m --precision fp32 --precision w8a8 \\",
      "      --task piqa=./benchmarks/piqa --limit 100 --output out"
    })
public final class Evaluate implements Callable<Integer> {
  private static final class Source {
    @Option(
        names = "--suite",
        required = true,
        paramLabel = "FILE",
        description = "Suite (YAML): a file here, or any Hadoop URI.")
    private String suite;

    @ArgGroup(exclusive = false)
    private Flags flags;
  }

  private static final class Flags {
    @Option(
        names = "--checkpoint",
        required = true,
        arity = "1..*",
        paramLabel = "PATH",
        description = "Checkpoint folders or .gguf files.")
    private List<String> checkpoints;

    @Option(
        names = "--precision",
        required = true,
        arity = "1..*",
        split = ",",
        paramLabel = "P",
        description = "Precisions; the first is the baseline.")
    private List<String> precisions;

    @Option(
        names = "--task",
        required = true,
        arity = "1..*",
        paramLabel = "NAME=DATA",
        description = "Tasks and the file or folder of their items.")
    private List<String> tasks;

    @Option(names = "--limit", paramLabel = "N", description = "First N items of each task only.")
    private Integer limit;
  }

  @ArgGroup(multiplicity = "1")
  private Source source;

  @Option(
      names = "--output",
      required = true,
      paramLabel = "DIR",
      description = "Folder of the tables: a path or any Hadoop URI.")
  private String output;

  @Mixin private SuiteOptions options;

  @Option(names = "--fresh", description = "Scores committed cells again.")
  private boolean fresh;

  @Option(names = "--dry-run", description = "Prints the plan and scores nothing.")
  private boolean dryRun;

  @Option(names = "--verbose", description = "Prints every cell's metrics at the end.")
  private boolean verbose;

  @Option(
      names = "--no-report",
      description = "Writes no page (report.html) beside the tables at the end.")
  private boolean noReport;

  public static void main(String[] arguments) {
    Commands.exit(Commands.run(new Evaluate(), arguments));
  }

  @Override
  public Integer call() throws IOException {
    Suite suite = suite();
    try (SparkSession session = Commands.session("cliffwatch " + suite.name())) {
      JavaSparkContext spark = JavaSparkContext.fromSparkContext(session.sparkContext());
      Evaluation evaluation = new Evaluation(spark, suite, output, fresh, System.err);
      if (dryRun) {
        Plan plan = evaluation.plan();
        try (PrintStream data = Report.stdout()) {
          data.print(Summary.of(plan, fresh));
          data.print(Summary.of(evaluation.estimate(plan), spark.getConf()));
        }
        Report.warn(plan.warnings(), System.err);
        return ExitCode.DONE;
      }
      Evaluation.Outcome outcome = evaluation.run();
      Report.show(outcome, output, verbose, spark.hadoopConfiguration(), System.err);
      if (!noReport) {
        Report.write(outcome, output, session, System.err);
      }
      return outcome.exitCode();
    }
  }

  private Suite suite() {
    if (source.suite != null) {
      return Commands.suite(source.suite, options.precisions(), options.sets());
    }
    Flags flags = source.flags;
    if (flags.limit != null && flags.limit < 1) {
      throw new SuiteException("--limit: found " + flags.limit + ", expected 1 or more");
    }
    return Commands.suiteReader(options.precisions())
        .fromFlags(
            flags.checkpoints,
            flags.precisions,
            flags.tasks,
            flags.limit == null ? OptionalInt.empty() : OptionalInt.of(flags.limit),
            options.sets());
  }
}
