package org.cliffwatch.jobs;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.cliffwatch.jobs.suite.SuiteReader;
import picocli.CommandLine.Option;

/** What commands that evaluate a suite take beside it. */
final class SuiteOptions {
  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "Sets a key of the suite: --set seed=2 --set tasks.0.limit=100.")
  private List<String> sets = List.of();

  @Option(
      names = "--precisions",
      paramLabel = "FILE",
      description = "More precisions: a YAML file like conf/precisions.yaml.")
  private Path precisions;

  @Option(
      names = "--calibration",
      paramLabel = "FILE",
      description = "Text for precisions that look at some; sets the suite's key calibration.")
  private String calibration;

  Path precisions() {
    return precisions;
  }

  /** Settings of the suite, {@code --calibration} the last. */
  List<String> sets() {
    if (calibration == null) {
      return sets;
    }
    String file =
        SuiteReader.hasScheme(calibration)
            ? calibration
            : Path.of(calibration).toAbsolutePath().normalize().toString();
    return Stream.concat(sets.stream(), Stream.of("calibration='" + file.replace("'", "''") + "'"))
        .toList();
  }
}
