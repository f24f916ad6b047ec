package org.cliffwatch.jobs.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class ProgressTest {
  /** 0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ: tasks end in any order. */
  @Test
  void theLastCellIsSaidWhereNothingIsRewrittenInPlace() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    Progress progress = new Progress(new PrintStream(bytes, true, StandardCharsets.UTF_8), false);
    progress.start(1, 0.1 + 0.2 + 0.3, 1);
    progress.done(0, 10, 0.3);
    progress.done(0, 20, 0.3 + 0.2);
    assertThat(bytes.toString(StandardCharsets.UTF_8)).isEmpty();
    progress.done(1, 30, 0.3 + 0.2 + 0.1);
    assertThat(bytes.toString(StandardCharsets.UTF_8)).startsWith("1 of 1 cells, ").endsWith("\n");
  }
}
