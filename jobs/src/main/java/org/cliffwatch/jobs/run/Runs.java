package org.cliffwatch.jobs.run;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Instant;
import org.cliffwatch.jobs.plan.Plan;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.table.RunRow;
import org.cliffwatch.quantizer.cli.Machine;
import org.cliffwatch.quantizer.kernel.InstructionSet;
import org.cliffwatch.quantizer.kernel.KernelIdentity;

/** What {@code runs} records of a run: enough to tell later why two runs differ. */
final class Runs {
  private Runs() {}

  static RunRow row(
      Suite suite,
      Plan plan,
      Instant started,
      Instant finished,
      String sparkVersion,
      int reused,
      int failed,
      int exitCode) {
    int cells = plan.cells().size();
    return new RunRow(
        started.toString(),
        finished.toString(),
        suite.name(),
        suite.configuration(),
        Machine.commit(),
        sparkVersion,
        System.getProperty("java.version"),
        host(),
        Machine.cpu(),
        KernelIdentity.of(plan.kernel()).instructionSet().map(InstructionSet::spelled).orElse(null),
        plan.backend(),
        cells,
        cells - reused - failed,
        reused,
        failed,
        exitCode);
  }

  private static String host() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      return "unknown";
    }
  }
}
