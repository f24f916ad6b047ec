package org.cliffwatch.tasks.microworld;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code tasks.sh microworld}: training text, calibration text, tokenizer and items. */
@Command(
    name = "microworld",
    sortOptions = false,
    description =
        "Writes a micro-world: training text, calibration text, tokenizer, held-out items.")
public final class MicroWorldCommand implements Callable<Integer> {
  @Option(names = "--output", required = true, paramLabel = "DIR", description = "Folder to fill.")
  private Path output;

  @Option(names = "--seed", defaultValue = "1", description = "Default: ${DEFAULT-VALUE}.")
  private long seed;

  @Option(
      names = "--documents",
      defaultValue = "40000",
      description = "Documents of training text. Default: ${DEFAULT-VALUE}.")
  private int documents;

  @Option(
      names = "--calibration",
      defaultValue = "256",
      description = "Documents of calibration text. Default: ${DEFAULT-VALUE}.")
  private int calibration;

  @Option(
      names = "--items",
      defaultValue = "500",
      description = "Held-out items a task. Default: ${DEFAULT-VALUE}.")
  private int items;

  @Override
  public Integer call() throws IOException {
    new MicroWorld(seed).write(output, documents, calibration, items);
    return CommandLine.ExitCode.OK;
  }
}
