package org.cliffwatch.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class SuiteOptionsTest {
  private static SuiteOptions parsed(String... arguments) {
    SuiteOptions options = new SuiteOptions();
    new CommandLine(options).parseArgs(arguments);
    return options;
  }

  @Test
  void flagsAreKeysOfTheSuiteAfterThoseThatAreSet() {
    String here = Path.of("").toAbsolutePath().toString();
    assertThat(
            parsed(
                    "--num_fewshot=5",
                    "--fewshot-data",
                    "it's",
                    "--calibration",
                    "s3a://b/c",
                    "--set",
                    "seed=2")
                .sets())
        .containsExactly(
            "seed=2",
            "calibration='s3a://b/c'",
            "fewshot_data='" + here + "/it''s'",
            "num_fewshot=5");
    assertThat(parsed("--num-fewshot", "0").sets()).containsExactly("num_fewshot=0");
  }
}
