package org.cliffwatch.jobs;

import java.util.concurrent.Callable;
import org.cliffwatch.jobs.bench.PeersBench;
import org.cliffwatch.jobs.bench.ScoreBench;
import org.cliffwatch.jobs.bench.SparkBench;
import org.cliffwatch.quantizer.cli.LayersBench;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code bench.sh}: how fast this machine is, and how near to that we are. */
@Command(
    name = "bench.sh",
    description = "Speed of this machine.",
    mixinStandardHelpOptions = true,
    subcommands = {LayersBench.class, ScoreBench.class, SparkBench.class, PeersBench.class})
public final class Bench implements Callable<Integer> {
  @Spec private CommandSpec spec;

  public static void main(String[] arguments) {
    System.exit(Commands.run(new Bench(), arguments));
  }

  @Override
  public Integer call() {
    throw new ParameterException(
        new CommandLine(spec), "found no command, expected layers, score, spark or peers");
  }
}
