package org.cliffwatch.jobs;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.function.UnaryOperator;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.spark.SparkException;
import org.apache.spark.SparkThrowable;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.jobs.suite.SuiteReader;
import org.cliffwatch.jobs.table.StorageException;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.tasks.Suggestion;
import org.cliffwatch.tasks.definition.Tasks;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/** What all commands share: exit codes, error messages, the Spark session. */
public final class Commands {
  private static final String SPARK_HADOOP = "spark.hadoop.";

  /**
   * After how long without a heartbeat an executor is lost; {@code spark.network.timeout} if not
   * set.
   */
  private static final String HEARTBEAT_TIMEOUT = "spark.storage.blockManagerHeartbeatTimeoutMs";

  private Commands() {}

  /** Runs a picocli command; errors become a line on stderr and an exit code. */
  static int run(Callable<Integer> command, String[] arguments) {
    CommandLine line = new CommandLine(command);
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setParameterExceptionHandler(
        (e, args) -> {
          e.getCommandLine().getErr().println("error: " + message(e, args));
          if (e instanceof CommandLine.MissingParameterException
              || e instanceof CommandLine.UnmatchedArgumentException) {
            CommandLine.UnmatchedArgumentException.printSuggestions(e, e.getCommandLine().getErr());
            e.getCommandLine()
                .getErr()
                .println("Try '" + e.getCommandLine().getCommandName() + " --help'.");
          }
          return ExitCode.BAD_INPUT;
        });
    line.setExecutionExceptionHandler((e, commandLine, result) -> report(e, commandLine));
    return line.execute(arguments);
  }

  /** What is missing may be there under a name that is not known: that is said first. */
  private static String message(ParameterException e, String[] arguments) {
    Set<String> known = new TreeSet<>(e.getCommandLine().getCommandSpec().optionsMap().keySet());
    if (e instanceof CommandLine.MissingParameterException) {
      for (String argument : arguments) {
        String name = argument.replaceFirst("=.*", "");
        if (name.startsWith("-") && !known.contains(name)) {
          return "found unknown option '" + name + "'" + Suggestion.among(known, name);
        }
      }
    }
    return e.getMessage().replaceFirst("^Error: ", "");
  }

  private static int report(Exception e, CommandLine line) {
    Optional<Throwable> mendable = mendable(e);
    if (mendable.isPresent()) {
      line.getErr().println("error: " + mendable.get().getMessage());
      return ExitCode.BAD_INPUT;
    }
    e.printStackTrace(line.getErr());
    return ExitCode.INTERNAL_ERROR;
  }

  /** What the user can mend of it: itself, or what a task met on an executor. */
  public static Optional<Throwable> mendable(Throwable e) {
    Throwable problem = e;
    while (problem instanceof SparkException && problem.getCause() != null) {
      problem = problem.getCause();
    }
    return isBadInput(problem) ? Optional.of(problem) : Optional.empty();
  }

  private static boolean isBadInput(Throwable e) {
    return e instanceof SuiteException
        || e instanceof StorageException
        || e instanceof ParameterException
        || e instanceof org.cliffwatch.quantizer.InvalidInputException
        || e instanceof org.cliffwatch.tasks.InvalidInputException;
  }

  /** The session spark-submit prepared, or one on this machine. */
  static SparkSession session(String name) {
    return session(name, Map.of());
  }

  /**
   * The same with more settings.
   *
   * @param settings of a command, where the user has none
   */
  static SparkSession session(String name, Map<String, String> settings) {
    SparkSession.Builder builder = SparkSession.builder().appName(name);
    defaults(System::getProperty).forEach(builder::config);
    settings.forEach(
        (key, value) -> {
          if (System.getProperty(key) == null) {
            builder.config(key, value);
          }
        });
    try {
      return builder.getOrCreate();
    } catch (RuntimeException e) {
      if (e instanceof SparkThrowable && e instanceof IllegalArgumentException) {
        throw new SuiteException("Spark refuses its settings: " + e.getMessage());
      }
      throw e;
    }
  }

  /**
   * Settings of ours where the user has none.
   *
   * <p>On a cluster an executor that joins late may lack the run's kernel: it refuses its tasks at
   * once, and after two of them Spark gives it no more of the stage. Others are tried again in
   * place once, as a passing fault deserves.
   *
   * <p>On this machine the only executor is the driver itself, which no heartbeat can lose. Where
   * the machine has slept, Spark would nevertheless take it for lost, get no more news of its tasks
   * and end the process ten minutes later.
   *
   * @param setting the user's, by name, or null
   */
  static Map<String, String> defaults(UnaryOperator<String> setting) {
    Map<String, String> defaults = new LinkedHashMap<>();
    String master = setting.apply("spark.master");
    if (master == null) {
      master = "local[*]";
      defaults.put("spark.master", master);
    }
    if (master.equals("local") || master.startsWith("local[")) {
      if (setting.apply("spark.network.timeout") == null
          && setting.apply(HEARTBEAT_TIMEOUT) == null) {
        defaults.put(HEARTBEAT_TIMEOUT, "365d");
      }
    } else if (setting.apply("spark.excludeOnFailure.enabled") == null
        && setting.apply("spark.task.maxFailures") == null) {
      defaults.put("spark.excludeOnFailure.enabled", "true");
      defaults.put("spark.excludeOnFailure.task.maxTaskAttemptsPerExecutor", "2");
      defaults.put("spark.excludeOnFailure.task.maxTaskAttemptsPerNode", "3");
    }
    return defaults;
  }

  /**
   * A reader that knows this jar's precisions and tasks.
   *
   * @param precisions a file with more of them, or null
   */
  static SuiteReader suiteReader(Path precisions) {
    return new SuiteReader(
        Precisions.packagedAnd(precisions),
        Tasks.builtIn(),
        System.getenv(),
        FileSystem.getDefaultUri(hadoop()).getScheme().equals("file") ? "" : "file:");
  }

  /** A suite in a file of this machine or, with a scheme, of any Hadoop file system. */
  static Suite suite(String location, Path precisions, List<String> sets) {
    if (!SuiteReader.hasScheme(location)) {
      return suiteReader(precisions).read(Path.of(location), sets);
    }
    String folder = new org.apache.hadoop.fs.Path(location).getParent().toString();
    return suiteReader(precisions).read(text(location, "suite"), location, folder, sets);
  }

  /**
   * A file of this machine or, with a scheme, of any Hadoop file system.
   *
   * @param what it is, for messages
   */
  static String text(String location, String what) {
    if (!SuiteReader.hasScheme(location)) {
      return readText(Path.of(location));
    }
    org.apache.hadoop.fs.Path file = new org.apache.hadoop.fs.Path(location);
    try (InputStream in = file.getFileSystem(hadoop()).open(file)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new SuiteException(
          location + ": cannot read the " + what + " file: found " + e + ", expected a YAML file");
    }
  }

  /** Hadoop's settings as the session will have them, before there is one. */
  private static Configuration hadoop() {
    Configuration hadoop = new Configuration();
    for (String name : System.getProperties().stringPropertyNames()) {
      if (name.startsWith(SPARK_HADOOP)) {
        hadoop.set(name.substring(SPARK_HADOOP.length()), System.getProperty(name));
      }
    }
    return hadoop;
  }

  /**
   * Ends the process. Not where all is well and Spark runs the driver on the cluster: YARN takes a
   * main class that exits for a failed one, whatever the code, and runs it again.
   */
  static void exit(int code) {
    if (code != ExitCode.DONE || !"cluster".equals(System.getProperty("spark.submit.deployMode"))) {
      System.exit(code);
    }
  }

  static String readText(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new SuiteException(
          file
              + ": cannot be read: found "
              + (Files.exists(file) ? "something unreadable" : "nothing")
              + ", expected a text file");
    }
  }
}
