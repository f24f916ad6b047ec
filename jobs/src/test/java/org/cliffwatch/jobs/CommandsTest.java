package org.cliffwatch.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class CommandsTest {
  @Test
  void aUsersOwnSettingsAreLeftAlone() {
    assertThat(Commands.defaults(Map.<String, String>of()::get))
        .isEqualTo(Map.of("spark.master", "local[*]"));
    assertThat(Commands.defaults(Map.of("spark.master", "local[2]")::get)).isEmpty();
    assertThat(Commands.defaults(Map.of("spark.master", "yarn")::get))
        .containsEntry("spark.excludeOnFailure.enabled", "true");
    for (String own : new String[] {"spark.excludeOnFailure.enabled", "spark.task.maxFailures"}) {
      assertThat(Commands.defaults(Map.of("spark.master", "yarn", own, "1")::get)).isEmpty();
    }
  }
}
