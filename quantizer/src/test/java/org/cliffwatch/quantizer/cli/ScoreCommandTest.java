package org.cliffwatch.quantizer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.quantizer.kernel.Tensors;
import org.cliffwatch.quantizer.model.Variant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ScoreCommandTest {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  @TempDir Path folder;
  private Path requests;
  private Path output;
  private Path logits;

  /** Runs score.sh's class on a tiny llama; the exit code. */
  private int run(List<String> lines, String... more) throws IOException {
    Path checkpoint = Variant.of("llama-linear").write(folder.resolve("checkpoint"));
    requests = folder.resolve("requests.jsonl");
    output = folder.resolve("scores.jsonl");
    logits = folder.resolve("logits.safetensors");
    Files.write(requests, lines);
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "--checkpoint",
                checkpoint.toString(),
                "--precision",
                "fp32",
                "--requests",
                requests.toString(),
                "--output",
                output.toString()));
    arguments.addAll(List.of(more));
    return quietly(arguments.toArray(new String[0]));
  }

  private int with(String precision, String requestsFile) {
    return quietly(
        "--checkpoint",
        folder.resolve("checkpoint").toString(),
        "--precision",
        precision,
        "--requests",
        requestsFile,
        "--output",
        output.toString());
  }

  private String stderr;

  private int quietly(String... arguments) {
    PrintStream before = System.err;
    ByteArrayOutputStream caught = new ByteArrayOutputStream();
    System.setErr(new PrintStream(caught, true, StandardCharsets.UTF_8));
    try {
      return Launcher.run(new ScoreCommand(), arguments);
    } finally {
      System.setErr(before);
      stderr = caught.toString(StandardCharsets.UTF_8);
    }
  }

  private List<JsonNode> scores() throws IOException {
    List<JsonNode> scores = new ArrayList<>();
    for (String line : Files.readAllLines(output)) {
      scores.add(MAPPER.readTree(line));
    }
    return scores;
  }

  @Test
  void scoresEveryLineInItsPlace() throws IOException {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      lines.add("{\"context\": [" + i % 48 + "], \"continuation\": [1, " + i % 7 + "]}");
    }
    assertThat(run(lines, "--threads", "3")).isZero();
    List<JsonNode> scores = scores();
    assertThat(scores).hasSize(300);
    for (int i = 0; i < 300; i++) {
      assertThat(scores.get(i).get("tokens").intValue()).isEqualTo(2);
      assertThat(scores.get(i).get("loglikelihood").doubleValue()).isNegative();
      assertThat(scores.get(i).has("greedy")).isTrue();
    }
    List<JsonNode> before = scores;
    assertThat(run(lines, "--threads", "1")).isZero();
    assertThat(scores()).isEqualTo(before);
  }

  @Test
  void badLineGivesAnErrorInItsPlaceAndExitCode4() throws IOException {
    List<String> lines =
        List.of(
            "{\"context\": [1], \"continuation\": [2]}",
            "{",
            "{\"context\": [1], \"continuation\": []}",
            "{\"context\": \"a\", \"continuation\": \"b\"}",
            "{\"tokens\": [1]}",
            "{\"context\": [1], \"continuation\": [48]}",
            "{\"context\": [1], \"continuation\": [3]}");
    assertThat(run(lines)).isEqualTo(Launcher.PARTLY_FAILED);
    List<JsonNode> scores = scores();
    assertThat(scores).hasSize(7);
    assertThat(scores.get(0).has("loglikelihood")).isTrue();
    assertThat(scores.get(1).get("error").textValue()).contains("not valid JSON");
    assertThat(scores.get(2).get("error").textValue()).contains("no tokens");
    assertThat(scores.get(3).get("error").textValue()).contains("no tokenizer");
    assertThat(scores.get(4).get("error").textValue()).contains("--logits");
    assertThat(scores.get(5).get("error").textValue()).contains("vocabulary of 48");
    assertThat(scores.get(6).has("loglikelihood")).isTrue();
  }

  @Test
  void writesLogitsOfTheLinesThatWantThem() throws IOException {
    List<String> lines =
        List.of(
            "{\"tokens\": [1, 2, 3]}",
            "{\"context\": [1, 2, 3], \"continuation\": [5]}",
            "{\"tokens\": []}",
            "{\"tokens\": [4]}");
    logits = folder.resolve("logits.safetensors");
    assertThat(run(lines, "--logits", logits.toString())).isEqualTo(Launcher.PARTLY_FAILED);
    Tensors written = new Tensors(logits);
    assertThat(written.shape("logits.0")).containsExactly(3, 48);
    assertThat(written.shape("logits.3")).containsExactly(1, 48);
    assertThat(written.has("logits.1")).isFalse();
    assertThat(written.has("logits.2")).isFalse();
    float[] last = written.floats("logits.0");
    double sum = 0;
    for (int v = 0; v < 48; v++) {
      sum += Math.exp(last[2 * 48 + v]);
    }
    double logProbability = last[2 * 48 + 5] - Math.log(sum);
    List<JsonNode> scores = scores();
    assertThat(scores.get(1).get("loglikelihood").doubleValue())
        .isBetween(logProbability - 1e-6, logProbability + 1e-6);
    assertThat(scores.get(0).get("logits").textValue()).isEqualTo("logits.0");
    assertThat(scores.get(2).get("error").textValue()).contains("found 0 tokens");
  }

  /** In fp16 the embedding of token 47 is infinite, so that nothing after it is a number. */
  @Test
  void logitsThatAreNotFiniteAreAnErrorInTheirPlace() throws IOException {
    List<String> lines =
        List.of(
            "{\"tokens\": [1, 2]}",
            "{\"tokens\": [3, 47]}",
            "{\"context\": [47], \"continuation\": [5]}",
            "{\"tokens\": [4]}");
    requests = folder.resolve("requests.jsonl");
    output = folder.resolve("scores.jsonl");
    logits = folder.resolve("logits.safetensors");
    Files.write(requests, lines);
    Path checkpoint = Variant.of("llama-linear").write(folder.resolve("checkpoint"));
    setFirstWeight(checkpoint.resolve("model.safetensors"), "model.embed_tokens.weight", 47, 1e5f);
    int code =
        quietly(
            "--checkpoint",
            checkpoint.toString(),
            "--precision",
            "fp16",
            "--requests",
            requests.toString(),
            "--output",
            output.toString(),
            "--logits",
            logits.toString());
    assertThat(code).isEqualTo(Launcher.PARTLY_FAILED);
    Tensors written = new Tensors(logits);
    assertThat(written.shape("logits.0")).containsExactly(2, 48);
    assertThat(written.has("logits.1")).isFalse();
    assertThat(written.shape("logits.3")).containsExactly(1, 48);
    List<JsonNode> scores = scores();
    assertThat(scores.get(0).get("logits").textValue()).isEqualTo("logits.0");
    assertThat(scores.get(1).get("error").textValue())
        .matches(
            "the logit of token \\d+ after position 1 is (NaN|-?Infinity): a value has overflowed"
                + " its type");
    assertThat(scores.get(1).size()).isEqualTo(1);
    assertThat(scores.get(2).get("error").textValue()).endsWith("a value has overflowed its type");
    assertThat(scores.get(3).get("logits").textValue()).isEqualTo("logits.3");
    assertThat(folder.resolve("logits.safetensors.data")).doesNotExist();
  }

  private static void setFirstWeight(Path file, String tensor, int row, float value)
      throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    int header = (int) bytes.getLong(0);
    JsonNode entry =
        MAPPER.readTree(new String(bytes.array(), 8, header, StandardCharsets.UTF_8)).get(tensor);
    int columns = entry.get("shape").get(1).intValue();
    int begin = entry.get("data_offsets").get(0).intValue();
    bytes.putFloat(8 + header + begin + Float.BYTES * row * columns, value);
    Files.write(file, bytes.array());
  }

  @Test
  void lineTooLongForTheMemoryIsAnErrorInItsPlace() throws IOException {
    // A row takes 1316 bytes with its logits.
    int tokens = (int) (Runtime.getRuntime().maxMemory() / 1316 + 1);
    List<String> lines =
        List.of(
            "{\"tokens\": [1]}",
            "{\"tokens\": [" + "1,".repeat(tokens - 1) + "1]}",
            "{\"tokens\": [2]}");
    logits = folder.resolve("logits.safetensors");
    assertThat(run(lines, "--logits", logits.toString())).isEqualTo(Launcher.PARTLY_FAILED);
    List<JsonNode> scores = scores();
    assertThat(scores.get(0).get("logits").textValue()).isEqualTo("logits.0");
    assertThat(scores.get(1).get("error").textValue())
        .startsWith("its " + tokens + " tokens need ")
        .contains("more than the " + Runtime.getRuntime().maxMemory() + " of the Java heap");
    assertThat(scores.get(2).get("logits").textValue()).isEqualTo("logits.2");
  }

  @Test
  void replicasAreNudged() throws IOException {
    List<String> lines = List.of("{\"context\": [1, 2, 3], \"continuation\": [5, 6, 7]}");
    run(lines);
    double plain = scores().get(0).get("loglikelihood").doubleValue();
    run(lines, "--replica", "1", "--seed", "9");
    double nudged = scores().get(0).get("loglikelihood").doubleValue();
    assertThat(nudged).isNotEqualTo(plain).isBetween(plain - 1e-3, plain + 1e-3);
  }

  @Test
  void badUsageIsExitCode3AndSaysWhat() throws IOException {
    assertThat(run(List.of(), "--threads", "0")).isEqualTo(Launcher.BAD_INPUT);
    assertThat(stderr).contains("--threads: found 0, expected at least 1");
    assertThat(run(List.of(), "--backend", "abacus")).isEqualTo(Launcher.BAD_INPUT);
    assertThat(stderr).contains("abacus");
    assertThat(with("w8a7", requests.toString())).isEqualTo(Launcher.BAD_INPUT);
    assertThat(stderr).contains("w8a7").contains("w8a8");
    assertThat(with("fp32", "nowhere.jsonl")).isEqualTo(Launcher.BAD_INPUT);
    assertThat(stderr).contains("nowhere.jsonl: no such file");
    assertThat(run(List.of(), "--chekpoint", "x")).isEqualTo(Launcher.BAD_INPUT);
    assertThat(stderr).contains("--chekpoint");
    assertThat(quietly("--precision", "fp32")).isEqualTo(Launcher.BAD_INPUT);
    assertThat(stderr).contains("--checkpoint");
  }

  @Test
  void emptyFileGivesAnEmptyFile() throws IOException {
    assertThat(run(List.of())).isZero();
    assertThat(output).isEmptyFile();
  }
}
