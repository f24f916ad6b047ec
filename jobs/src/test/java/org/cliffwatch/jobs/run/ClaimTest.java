package org.cliffwatch.jobs.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.cliffwatch.jobs.plan.Plan;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.jobs.suite.SuiteReader;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.tasks.definition.Tasks;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClaimTest {
  @TempDir Path folder;

  private Plan plan(int seed) {
    Suite suite =
        new SuiteReader(Precisions.packaged(), Tasks.builtIn(), Map.of())
            .fromFlags(
                List.of("c"),
                List.of("fp32"),
                List.of("copa=d"),
                java.util.OptionalInt.empty(),
                List.of("seed=" + seed));
    return new Plan(suite, "onednn", "onednn-1", List.of(), List.of(), Map.of(), List.of());
  }

  private Claim take(String run, int seed) {
    return Claim.take(
        new Tables(new org.apache.hadoop.fs.Path(folder.toString()), new Configuration()),
        plan(seed),
        run,
        new Configuration());
  }

  @Test
  void runsOfOnePlanMayWriteAtOnce() {
    try (Claim first = take("first", 1);
        Claim second = take("second", 1)) {
      assertThat(first.runId()).isEqualTo("first");
      assertThat(second.runId()).isEqualTo("second");
      assertThat(folder.resolve(".staging/runs")).isDirectoryContaining("glob:**/second");
    }
    assertThat(folder.resolve(".staging/runs")).isEmptyDirectory();
  }

  @Test
  void anotherPlansRunIsRefusedWhileOneLives() throws IOException {
    Claim dead;
    try (Claim first = take("first", 1)) {
      assertThatThrownBy(() -> take("second", 2))
          .isInstanceOf(SuiteException.class)
          .hasMessageContaining("found run " + first.runId())
          .hasMessageContaining(folder.toString())
          .hasMessageContaining("or another output");
      dead = take("dead", 1);
    }
    assertThatThrownBy(() -> take("second", 2)).hasMessageContaining("found run dead");
    Files.setLastModifiedTime(
        folder.resolve(".staging/runs/dead"), FileTime.from(Instant.now().minusSeconds(150)));
    try (Claim second = take("second", 2)) {
      assertThat(second.runId()).isEqualTo("second");
      assertThat(folder.resolve(".staging/runs/dead")).doesNotExist();
    }
    dead.close();
  }
}
