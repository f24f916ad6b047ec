package org.cliffwatch.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EvaluateTest {
  @TempDir Path folder;

  /** In a process of its own, since the command closes its standard output. */
  private String lastLine(String... more) throws IOException, InterruptedException {
    Path checkpoint = TinyWorld.checkpoint(folder.resolve("tiny"), 1);
    Path items = Files.write(folder.resolve("val.jsonl"), TinyWorld.copaLines(12));
    List<String> line = new ArrayList<>();
    line.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    line.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    line.addAll(
        List.of(
            "-Dlog4j2.configurationFile=" + Path.of("../conf/log4j2.properties").toAbsolutePath(),
            "-cp",
            System.getProperty("java.class.path"),
            Evaluate.class.getName(),
            "--checkpoint",
            checkpoint.toString(),
            "--precision",
            "fp32,w4",
            "--task",
            "copa=" + items,
            "--output",
            folder.resolve("out").toString()));
    line.addAll(List.of(more));
    Path log = folder.resolve("log");
    Process run =
        new ProcessBuilder(line)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(log.toFile())
            .start();
    int code = run.waitFor();
    List<String> lines = Files.readAllLines(log);
    assertThat(code).as(String.join("\n", lines)).isEqualTo(ExitCode.DONE);
    return lines.get(lines.size() - 1);
  }

  @Test
  void aRunEndsWithAReportUnlessItIsLeftOut() throws Exception {
    Path report = folder.resolve("out/report.html");
    assertThat(lastLine("--no-report")).isEqualTo("tables: " + folder.resolve("out"));
    assertThat(report).doesNotExist();
    assertThat(lastLine()).isEqualTo("report: " + report);
    assertThat(Files.readString(report)).contains("<title>Cliffwatch report: out</title>", "copa");
    assertThat(folder.resolve("out/.report.html.crc")).doesNotExist();
  }
}
