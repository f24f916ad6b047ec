package org.cliffwatch.tasks.cli;

import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.ServiceLoader;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.microworld.MicroWorldCommand;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/** {@code tasks.sh}: the tasks, their items and requests, and lm-evaluation-harness's files. */
@Command(
    name = "tasks.sh",
    description = "Shows task definitions, their items and the requests made of them.",
    mixinStandardHelpOptions = true,
    scope = ScopeType.INHERIT,
    subcommands = {
      ListCommand.class,
      ShowCommand.class,
      RequestsCommand.class,
      CheckCommand.class,
      MicroWorldCommand.class
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:done", "3:bad usage or input", "5:internal error"})
public final class TasksCommand {
  static final int DONE = 0;
  static final int BAD_INPUT = 3;
  static final int INTERNAL_ERROR = 5;

  @Option(
      names = {"--tasks", "--include-path"},
      paramLabel = "DIR",
      scope = ScopeType.INHERIT,
      description = {
        "Also know the tasks that are defined (*.yaml) under this folder:",
        "in files like ours, or in lm-evaluation-harness's own."
      })
  List<Path> folders = List.of();

  public static void main(String[] args) {
    System.exit(run(args));
  }

  /** Runs a command line and returns its exit code. */
  public static int run(String... args) {
    PrintWriter out = new PrintWriter(System.out, false, StandardCharsets.UTF_8);
    PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
    return run(out, err, args);
  }

  static int run(PrintWriter out, PrintWriter err, String... args) {
    CommandLine line = new CommandLine(new TasksCommand());
    ServiceLoader.load(TasksSubcommand.class).forEach(line::addSubcommand);
    int code =
        line.setOut(out)
            .setErr(err)
            .setExecutionExceptionHandler(TasksCommand::report)
            .setExitCodeExceptionMapper(TasksCommand::exitCode)
            .setParameterExceptionHandler(TasksCommand::usage)
            .execute(args);
    out.flush();
    err.flush();
    return code;
  }

  /** The tasks of this jar and of the folders given with {@code --tasks}. */
  public Tasks tasks() {
    Tasks tasks = Tasks.builtIn();
    for (Path folder : folders) {
      tasks = tasks.including(folder);
    }
    return tasks;
  }

  private static int report(
      Exception exception, CommandLine command, CommandLine.ParseResult parsed) {
    if (isMendable(exception)) {
      command.getErr().println("error: " + exception.getMessage());
      return BAD_INPUT;
    }
    exception.printStackTrace(command.getErr());
    return INTERNAL_ERROR;
  }

  private static int exitCode(Throwable exception) {
    return isMendable(exception) ? BAD_INPUT : INTERNAL_ERROR;
  }

  /** Whether it is the user's to mend; a file system that refuses is. */
  private static boolean isMendable(Throwable exception) {
    return exception instanceof InvalidInputException || exception instanceof UncheckedIOException;
  }

  private static int usage(CommandLine.ParameterException exception, String[] args) {
    CommandLine command = exception.getCommandLine();
    command.getErr().println("error: " + exception.getMessage());
    if (!CommandLine.UnmatchedArgumentException.printSuggestions(exception, command.getErr())) {
      command.getErr().println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
    }
    return BAD_INPUT;
  }
}
