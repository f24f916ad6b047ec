package org.cliffwatch.jobs.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.cliffwatch.jobs.report.PlannedRun.Model;
import org.cliffwatch.jobs.report.PlannedRun.Recipe;
import org.junit.jupiter.api.Test;

class PlannedRunTest {
  @Test
  void aConfigurationSaysWhichCells() {
    PlannedRun run =
        PlannedRun.of(
            "run",
            "2026-01-01T00:00:00Z",
            "commit",
            """
            baseline: fp32
            bos: never
            checkpoints.0.model: series
            checkpoints.0.path: a/step{step}
            checkpoints.0.steps.0: 10
            checkpoints.0.steps.1: 20
            checkpoints.1.model: every
            checkpoints.1.path: b/{step}
            checkpoints.1.steps: all
            checkpoints.2.model: one: with colon
            checkpoints.2.path: c
            checkpoints.2.step: 7
            checkpoints.3.model: plain
            checkpoints.3.path: d
            precisions.0: fp32
            precisions.1.activation_bits: 32
            precisions.1.compute: bfloat16
            precisions.1.name: mine
            precisions.1.scheme: rtn
            precisions.1.weight_bits: 3
            tasks.0.data: ../piqa
            tasks.0.limit: 100
            tasks.0.task: piqa""");
    assertThat(run.models())
        .containsExactly(
            new Model("series", 10L),
            new Model("series", 20L),
            new Model("every", null),
            new Model("one: with colon", 7L),
            new Model("plain", 0L));
    assertThat(run.precisions()).containsExactly("fp32", "mine");
    assertThat(run.rows()).containsExactly(new Recipe("mine", 3, 16));
    assertThat(run.data()).isEqualTo(Map.of("piqa", "../piqa"));
    assertThat(run.bos()).isEqualTo("never");
    assertThat(run.saysItsCells()).isTrue();
  }

  @Test
  void anImportedRunDoesNotSay() {
    PlannedRun run = PlannedRun.of("run", "then", null, "{\"config\": {\"model\": \"hf\"}}");
    assertThat(run.saysItsCells()).isFalse();
    assertThat(PlannedRun.of("run", "then", null, null).saysItsCells()).isFalse();
  }
}
