package org.cliffwatch.jobs;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.sql.Database;
import org.cliffwatch.jobs.sql.ResultFormat;
import org.cliffwatch.jobs.sql.Statements;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code sql.sh}: Spark SQL over the tables and views of an output folder. */
@Command(
    name = "sql.sh",
    description = "Runs Spark SQL over the tables of an evaluation.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Tables: scores, metrics, degradation, checkpoints, documents, runs (columns: jobs/TABLES.md).",
      "Views: results (metrics beside their degradation).",
      "",
      "Example:",
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

  @ArgGroup(multiplicity = "1")
  private Source source;

  @Option(
      names = "--format",
      defaultValue = "table",
      description =
          "${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}. json prints an object a line.")
  private ResultFormat format;

  private final PrintStream out;

  Sql(PrintStream out) {
    this.out = out;
  }

  public static void main(String[] arguments) {
    PrintStream out =
        new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
    System.exit(Commands.run(new Sql(out), arguments));
  }

  @Override
  public Integer call() throws IOException {
    String text = source.text();
    try (SparkSession spark = Commands.session("cliffwatch sql", Database.settings())) {
      Database database = new Database(spark, System.err);
      database.open(tables, Optional.of(text));
      database.openBefore(Optional.ofNullable(before), Optional.of(text));
      // A statement that fails is told in a line; Spark would log a stack trace for every task.
      spark.sparkContext().setLogLevel("FATAL");
      for (String statement : Statements.of(text).all()) {
        database.run(statement, format, out);
      }
    }
    return ExitCode.DONE;
  }
}
