package org.cliffwatch.jobs.executor;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ModelMemoryTest {
  /** Spark reads a bare number as MiB. */
  @ParameterizedTest
  @CsvSource({"1024, 1073741824", "2g, 2147483648", "512m, 536870912"})
  void modelsGetWhatTheOverheadLeaves(String overhead, long bytes) {
    assertThat(ModelMemory.budget(overhead, 1000)).isEqualTo(bytes - 1000);
    assertThat(ModelMemory.budget(overhead, bytes + 1)).isEqualTo(1);
  }
}
