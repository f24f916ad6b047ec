package org.cliffwatch.jobs;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.concurrent.Callable;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.gate.Gate;
import org.cliffwatch.jobs.gate.GateReader;
import org.cliffwatch.jobs.gate.GateReport;
import org.cliffwatch.jobs.gate.Gatekeeper;
import org.cliffwatch.jobs.gate.Verdicts;
import org.cliffwatch.jobs.plan.Plan;
import org.cliffwatch.jobs.present.Report;
import org.cliffwatch.jobs.present.Summary;
import org.cliffwatch.jobs.run.Evaluation;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.jobs.suite.SuiteReader;
import org.cliffwatch.jobs.table.StorageException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code nightly.sh}: evaluate, compare with what was accepted, decide. */
@Command(
    name = "nightly.sh",
    description = {
      "Evaluates a suite, compares it with an accepted run, and decides by a gate's rules whether it",
      "is worse. Writes the table verdicts, JUnit XML and Markdown; the last line of stdout is the",
      "outcome in a line."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:every rule passed; warnings do not count",
      "1:a rule failed",
      "2:a rule is inconclusive, or what it compares is incomparable",
      "3:bad usage or input; the message names file, place, what was found and what was expected",
      "4:no rule failed, but some cells did; their rows say why",
      "5:internal error"
    },
    footer = {
      "",
      "submit/nightly.sh also takes --master M, --deploy-mode D, --driver-memory M, --conf KEY=VALUE",
      "and --properties-file FILE, as spark-submit does: submit/clusters.md.",
      "",
      "Examples:",
      "  nightly.sh --suite conf/suites/nightly.yaml --output out --accept",
      "  nightly.sh --suite conf/suites/nightly.yaml --output out --dry-run"
    })
public final class Nightly implements Callable<Integer> {
  @Option(
      names = "--suite",
      required = true,
      paramLabel = "FILE",
      description = "Suite (YAML): a file here, or any Hadoop URI.")
  private String suiteFile;

  @Option(
      names = "--output",
      required = true,
      paramLabel = "DIR",
      description = "Folder of the tables and of the accepted runs: a path or any Hadoop URI.")
  private String output;

  @Option(
      names = "--baseline",
      paramLabel = "RUN|DIR",
      description = {
        "What to compare with: an accepted run of the output, or another output folder. Default: the",
        "suite's last accepted run."
      })
  private String baseline;

  @Option(
      names = "--gate",
      defaultValue = "${env:CLIFFWATCH_HOME:-.}/conf/gates/default.yaml",
      paramLabel = "FILE",
      description = "Rules (YAML): a file here, or any Hadoop URI. Default: ${DEFAULT-VALUE}.")
  private String gateFile;

  @Option(
      names = "--accept",
      description = {
        "Accepts this run, if the gate passes it: later runs are compared with it. The first may be",
        "accepted by the rules that need no other."
      })
  private boolean accept;

  @Option(
      names = "--reason",
      paramLabel = "TEXT",
      description = "With --accept: accepts it whatever the gate finds, and records why.")
  private String reason;

  @Mixin private SuiteOptions options;

  @Option(
      names = "--junit",
      paramLabel = "FILE",
      description = "JUnit XML. Default: OUTPUT/gate/RUN/junit.xml.")
  private String junit;

  @Option(
      names = "--markdown",
      paramLabel = "FILE",
      description = "Summary in Markdown. Default: OUTPUT/gate/RUN/summary.md.")
  private String markdown;

  @Option(names = "--fresh", description = "Scores committed cells again.")
  private boolean fresh;

  @Option(
      names = "--dry-run",
      description = "Prints the plan and what the gate can detect of it; scores nothing.")
  private boolean dryRun;

  @Option(
      names = "--no-report",
      description = "Writes no page (report.html) beside the tables at the end.")
  private boolean noReport;

  private final PrintStream data;

  private Nightly() {
    this(Report.stdout());
  }

  /**
   * @param data stdout
   */
  Nightly(PrintStream data) {
    this.data = data;
  }

  public static void main(String[] arguments) {
    Commands.exit(Commands.run(new Nightly(), arguments));
  }

  @Override
  public Integer call() throws IOException {
    Suite suite = Commands.suite(suiteFile, options.precisions(), options.sets());
    Gate gate = new GateReader(suite).read(Commands.text(gateFile, "gate"), gateFile);
    try (SparkSession session = Commands.session("cliffwatch nightly " + suite.name())) {
      JavaSparkContext spark = JavaSparkContext.fromSparkContext(session.sparkContext());
      Gatekeeper keeper = new Gatekeeper(spark, gate, suite, output, baseline);
      if (keeper.baseline().isEmpty() && !accept && !dryRun) {
        throw new SuiteException(
            "--baseline: found no accepted run of suite '"
                + suite.name()
                + "' in "
                + output
                + ", expected one, --baseline DIR, or --accept to make this the first");
      }
      keeper.silent().forEach(line -> System.err.println("note: " + line));
      Evaluation evaluation = new Evaluation(spark, suite, output, fresh, System.err);
      if (dryRun) {
        Plan plan = evaluation.plan();
        data.print(Summary.of(plan, fresh));
        data.print(Summary.of(evaluation.estimate(plan), spark.getConf()));
        data.print(keeper.forecast(plan));
        data.flush();
        return ExitCode.DONE;
      }
      Evaluation.Outcome outcome = evaluation.run();
      Report.show(outcome, output, false, spark.hadoopConfiguration(), data, System.err);
      Verdicts verdicts = keeper.judge(outcome, fresh);
      int exitCode = verdicts.exitCode(outcome.exitCode());
      accept(keeper, outcome, verdicts);
      if (!noReport) {
        Report.write(outcome, output, session, System.err);
      }
      show(
          new GateReport(suite.name(), verdicts, exitCode),
          outcome.runId(),
          spark.hadoopConfiguration());
      return exitCode;
    }
  }

  private void accept(Gatekeeper keeper, Evaluation.Outcome outcome, Verdicts verdicts) {
    if (!accept) {
      return;
    }
    if (reason == null && !verdicts.mayBeAccepted(outcome.exitCode())) {
      System.err.println(
          "not accepted: "
              + outcome.runId()
              + " does not pass; --accept --reason TEXT accepts it nevertheless");
      return;
    }
    keeper.accept(outcome, fresh, who(), reason == null ? "the gate passed it" : reason);
    System.err.println("accepted: " + outcome.runId());
  }

  private static String who() {
    String user = System.getProperty("user.name");
    try {
      return user + "@" + InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      return user;
    }
  }

  /** The outcome in a line comes last, so that a script may send it on. */
  private void show(GateReport report, String runId, Configuration configuration) {
    Path folder = new Path(new Path(output, "gate"), runId);
    write(junit, new Path(folder, "junit.xml"), report.junit(), "junit", configuration);
    write(markdown, new Path(folder, "summary.md"), report.markdown(), "summary", configuration);
    data.print("\n" + report.table() + "\n" + report.line() + "\n");
    data.flush();
  }

  /**
   * @param wanted where the user wants it: here, or any Hadoop URI; or null
   * @param otherwise where it goes then
   */
  private static void write(
      String wanted, Path otherwise, String text, String what, Configuration configuration) {
    byte[] content = text.getBytes(StandardCharsets.UTF_8);
    try {
      if (wanted != null && !SuiteReader.hasScheme(wanted)) {
        java.nio.file.Path file = java.nio.file.Path.of(wanted).toAbsolutePath();
        Files.createDirectories(file.getParent());
        Files.write(file, content);
      } else {
        Path file = wanted == null ? otherwise : new Path(wanted);
        try (OutputStream out = file.getFileSystem(configuration).create(file, true)) {
          out.write(content);
        }
      }
    } catch (IOException e) {
      throw new StorageException("cannot write " + (wanted == null ? otherwise : wanted), e);
    }
    System.err.println(what + ": " + (wanted == null ? otherwise : wanted));
  }
}
