package org.cliffwatch.quantizer.cli;

import java.util.concurrent.Callable;
import org.cliffwatch.quantizer.InvalidInputException;
import picocli.CommandLine;

/** Runs a command; what it throws becomes a message on stderr and an exit code. */
final class Launcher {
  static final int DONE = 0;
  static final int BAD_INPUT = 3;
  static final int PARTLY_FAILED = 4;
  static final int INTERNAL_ERROR = 5;

  private Launcher() {}

  static int run(Callable<Integer> command, String... arguments) {
    return new CommandLine(command)
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setParameterExceptionHandler(
            (e, args) -> {
              var err = e.getCommandLine().getErr();
              err.println("error: " + e.getMessage());
              CommandLine.UnmatchedArgumentException.printSuggestions(e, err);
              err.println("Try --help.");
              return BAD_INPUT;
            })
        .setExecutionExceptionHandler(
            (e, commandLine, parsed) -> {
              if (e instanceof InvalidInputException) {
                commandLine.getErr().println("error: " + e.getMessage());
                return BAD_INPUT;
              }
              e.printStackTrace(commandLine.getErr());
              return INTERNAL_ERROR;
            })
        .execute(arguments);
  }
}
