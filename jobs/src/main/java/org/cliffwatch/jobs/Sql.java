package org.cliffwatch.jobs;

import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.Reader;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.sql.Database;
import org.cliffwatch.jobs.sql.Prompt;
import org.cliffwatch.jobs.sql.ResultFormat;
import org.cliffwatch.jobs.sql.Statements;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;
import org.jline.terminal.spi.SystemStream;
import org.jline.terminal.spi.TerminalProvider;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code sql.sh}: Spark SQL over the tables and views of an output folder. */
@Command(
    name = "sql.sh",
    description = {
      "Runs Spark SQL over the tables of an evaluation. Without -e and -f it is a prompt; where it is",
      "not at a terminal, it reads statements from standard input."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Tables: scores, metrics, degradation, checkpoints, documents, runs (columns: jobs/TABLES.md).",
      "Views: results (metrics beside their degradation), groups (mmlu and others). Questions: submit/sql/*.sql.",
      "",
      "Examples:",
      "  sql.sh --tables out",
      "  sql.sh --tables out -f submit/sql/worst-tasks.sql",
      "  sql.sh --tables out --before last-week -f submit/sql/two-runs.sql",
      "  sql.sh --tables out --format csv -e \"SELECT model, precision, task, value FROM metrics\""
    })
public final class Sql implements Callable<Integer> {
  private static final class Source {
    @Option(names = "-e", paramLabel = "QUERY", description = "Statements, separated by ';'.")
    private String query;

    @Option(names = "-f", paramLabel = "FILE", description = "A file of statements.")
    private Path file;

    private String text() {
      return query != null ? query : Commands.readText(file);
    }
  }

  @Option(
      names = "--tables",
      required = true,
      paramLabel = "DIR",
      description = "Folder given to evaluate.sh as --output.")
  private String tables;

  @Option(
      names = "--before",
      paramLabel = "DIR",
      description =
          "Folder of another run: its tables are before.scores, before.metrics and so on.")
  private String before;

  @ArgGroup private Source source;

  @Option(
      names = "--format",
      defaultValue = "table",
      description =
          "${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}. json prints an object a line.")
  private ResultFormat format;

  private final InputStream in;
  private final PrintStream out;

  Sql(InputStream in, PrintStream out) {
    this.in = in;
    this.out = out;
  }

  public static void main(String[] arguments) {
    PrintStream out =
        new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
    System.exit(Commands.run(new Sql(System.in, out), arguments));
  }

  @Override
  public Integer call() throws IOException {
    Optional<String> text = Optional.ofNullable(source).map(Source::text);
    try (SparkSession spark = Commands.session("cliffwatch sql", Database.settings())) {
      Database database = new Database(spark, System.err);
      database.open(tables, text);
      database.openBefore(Optional.ofNullable(before), text);
      // A statement that fails is told in a line; Spark would log a stack trace for every task.
      spark.sparkContext().setLogLevel("FATAL");
      if (text.isEmpty() && isAtTerminal()) {
        database.warmUp();
        try (Terminal terminal =
            TerminalBuilder.builder().system(true).nativeSignals(true).build()) {
          new Prompt(terminal, database, format, Prompt.historyFile(System.getenv())).run();
        }
      } else {
        Reader statements =
            text.<Reader>map(StringReader::new)
                .orElseGet(() -> new InputStreamReader(in, StandardCharsets.UTF_8));
        run(database, new BufferedReader(statements));
      }
    }
    return ExitCode.DONE;
  }

  /** {@code System.console} is there without a terminal too, on some newer JDKs. */
  private static boolean isAtTerminal() throws IOException {
    TerminalProvider shell = TerminalProvider.load("exec");
    return shell.isSystemStream(SystemStream.Input) && shell.isSystemStream(SystemStream.Output);
  }

  /** Runs each statement as soon as its end is read, until one fails. */
  private void run(Database database, BufferedReader lines) throws IOException {
    Statements read = Statements.of("");
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      read = Statements.of(read.rest() + line + "\n");
      for (String statement : read.finished()) {
        database.run(statement, format, out);
      }
    }
    for (String statement : Statements.of(read.rest()).all()) {
      database.run(statement, format, out);
    }
  }
}
