package org.cliffwatch.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.spark.SparkException;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.jobs.table.StorageException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CommandsTest {
  @TempDir Path folder;

  private String suiteFile() throws IOException {
    return Files.writeString(
            folder.resolve("nightly.yaml"),
            """
            checkpoints: [{model: tiny, path: tiny}]
            precisions: [fp32]
            tasks: [{task: copa, data: ../copa}]
            """)
        .toString();
  }

  @Test
  void whatATaskMetIsTheUsersToMendAndNothingElseIs() {
    StorageException full = new StorageException("cannot write x", new IOException("no room"));
    assertThat(Commands.mendable(full)).contains(full);
    assertThat(Commands.mendable(new SparkException("Job aborted", full)))
        .get()
        .extracting(Throwable::getMessage)
        .isEqualTo("cannot write x: no room");
    assertThat(Commands.mendable(new IllegalStateException(full))).isEmpty();
    assertThat(Commands.mendable(new SparkException("Job cancelled"))).isEmpty();
  }

  @Test
  void anOptionOfAnotherProgramIsNamedBeforeWhatIsMissing() {
    PrintStream terminal = System.err;
    ByteArrayOutputStream written = new ByteArrayOutputStream();
    System.setErr(new PrintStream(written, true, StandardCharsets.UTF_8));
    try {
      assertThat(Commands.run(new Evaluate(), new String[] {"--model_args=x", "--suite", "s"}))
          .isEqualTo(ExitCode.BAD_INPUT);
    } finally {
      System.setErr(terminal);
    }
    assertThat(written.toString(StandardCharsets.UTF_8))
        .startsWith("error: found unknown option '--model_args'; expected one of --");
  }

  @Test
  void aUsersOwnSettingsAreLeftAlone() {
    assertThat(Commands.defaults(Map.<String, String>of()::get))
        .isEqualTo(
            Map.of(
                "spark.master",
                "local[*]",
                "spark.storage.blockManagerHeartbeatTimeoutMs",
                "365d"));
    for (String own :
        new String[] {"spark.network.timeout", "spark.storage.blockManagerHeartbeatTimeoutMs"}) {
      assertThat(Commands.defaults(Map.of("spark.master", "local[2]", own, "1")::get)).isEmpty();
    }
    assertThat(Commands.defaults(Map.of("spark.master", "yarn")::get))
        .containsEntry("spark.excludeOnFailure.enabled", "true");
    for (String own : new String[] {"spark.excludeOnFailure.enabled", "spark.task.maxFailures"}) {
      assertThat(Commands.defaults(Map.of("spark.master", "yarn", own, "1")::get)).isEmpty();
    }
  }

  @Test
  void aMachineThatHasSleptHasNotLostItsOwnExecutor() {
    for (String local : new String[] {"local", "local[*]", "local[2]", "local[4, 2]"}) {
      assertThat(Commands.defaults(Map.of("spark.master", local)::get))
          .isEqualTo(Map.of("spark.storage.blockManagerHeartbeatTimeoutMs", "365d"));
    }
    for (String cluster : new String[] {"spark://host:7077", "local-cluster[2,1,1024]"}) {
      assertThat(Commands.defaults(Map.of("spark.master", cluster)::get))
          .doesNotContainKey("spark.storage.blockManagerHeartbeatTimeoutMs");
    }
  }

  @Test
  void aSuiteIsReadFromAnyHadoopFileSystem() throws IOException {
    Suite suite = Commands.suite("file:" + suiteFile(), null, List.of("seed=7"));
    assertThat(suite.checkpoints().get(0).path()).isEqualTo("file:" + folder.resolve("tiny"));
    assertThat(suite.tasks().get(0).data()).isEqualTo("file:" + folder.resolveSibling("copa"));
    assertThat(suite.seed()).isEqualTo(7);
    assertThatThrownBy(() -> Commands.suite("file:" + folder.resolve("none.yaml"), null, List.of()))
        .isInstanceOf(SuiteException.class)
        .hasMessageContaining("none.yaml: cannot read the suite file: found ");
  }

  @Test
  void sparksSettingsForHadoopCountBeforeThereIsASession() throws IOException {
    System.setProperty("spark.hadoop.fs.defaultFS", "hdfs://nowhere:1");
    try {
      assertThat(Commands.suite(suiteFile(), null, List.of()).checkpoints().get(0).path())
          .startsWith("file:/");
    } finally {
      System.clearProperty("spark.hadoop.fs.defaultFS");
    }
  }
}
