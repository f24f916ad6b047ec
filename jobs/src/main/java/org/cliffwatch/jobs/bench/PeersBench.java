package org.cliffwatch.jobs.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.quantizer.InvalidInputException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * {@code bench.sh peers}: what {@code score} measures, beside what a user would run instead, each
 * in a process of its own and in every repetition once, so that a noisy machine hits all of them.
 */
@Command(
    name = "peers",
    description = {
      "Documents a second beside other programs, in alternating repetitions, and the ratios.",
      "A peer scores the same documents of the same checkpoint with all threads; loading and warming",
      "up are not timed."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false)
public final class PeersBench extends ScoreBench {
  @Option(
      names = "--script",
      defaultValue = "${env:CLIFFWATCH_SHARED:-../shared}/peers/bench_peers.py",
      paramLabel = "FILE",
      description =
          "Python program that times peers: takes --checkpoint, --gguf, --task, --docs, --repeat,"
              + " --threads and --systems, prints lines of JSON with docs_per_s."
              + " Default: ${DEFAULT-VALUE}.")
  private Path script;

  @Option(
      names = "--systems",
      split = ",",
      defaultValue = "lm-eval-fp32,lm-eval-bf16,llama.cpp-q8_0,llama.cpp-f16,ctranslate2-int8",
      description = "Default: ${DEFAULT-VALUE}.")
  private List<String> systems;

  @Option(
      names = "--python",
      defaultValue = "python3",
      description = "With the peers installed. Default: ${DEFAULT-VALUE}.")
  private String python;

  @Option(names = "--gguf", paramLabel = "FILE", description = "The same model for llama.cpp.")
  private Path gguf;

  @Override
  List<String> peers() {
    return systems;
  }

  @Override
  double documentsPerSecond(String peer, Workload workload)
      throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                python,
                script.toString(),
                "--checkpoint",
                workload.checkpoint().toString(),
                "--docs",
                Integer.toString(workload.documents()),
                "--repeat",
                "1",
                "--threads",
                Integer.toString(workload.threads()),
                "--task",
                workload.task(),
                "--systems",
                peer));
    if (gguf != null) {
      command.addAll(List.of("--gguf", gguf.toString()));
    }
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
    // Ours is single-threaded under many streams; a peer has all its threads.
    builder.environment().put("OMP_NUM_THREADS", Integer.toString(workload.threads()));
    Process process = builder.start();
    double rate = Double.NaN;
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.startsWith("{")) {
          JsonNode value = new ObjectMapper().readTree(line).get("docs_per_s");
          rate = value == null ? rate : value.asDouble();
        }
      }
    }
    if (process.waitFor() != 0 || Double.isNaN(rate)) {
      throw new InvalidInputException(
          peer + ": the peers' script failed; try it alone: " + String.join(" ", command));
    }
    return rate;
  }
}
