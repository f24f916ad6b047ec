package org.cliffwatch.quantizer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.SmallModels;
import org.cliffwatch.quantizer.model.Variant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointCommandTest {
  @TempDir Path folder;
  private String output;

  private int run(String... arguments) {
    PrintStream before = System.out;
    ByteArrayOutputStream captured = new ByteArrayOutputStream();
    try {
      System.setOut(new PrintStream(captured, true, StandardCharsets.UTF_8));
      return Launcher.run(new CheckpointCommand(), arguments);
    } finally {
      System.setOut(before);
      output = captured.toString(StandardCharsets.UTF_8);
    }
  }

  @Test
  void saysWhatACheckpointIs() throws IOException {
    SmallModels.folder(folder);
    assertThat(run("inspect", "--format", "json", folder.toString())).isZero();
    JsonNode facts = new ObjectMapper().readTree(output);
    assertThat(facts.get("can_be_run").booleanValue()).isTrue();
    assertThat(facts.get("model_type").textValue()).isEqualTo("llama");
    assertThat(facts.at("/tensors/count").intValue()).isEqualTo(11);
    assertThat(facts.at("/tokenizer/tokens").intValue()).isEqualTo(281);
    assertThat(facts.at("/tokenizer/adds_bos").booleanValue()).isTrue();
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(facts.get("identity").textValue()).isEqualTo(checkpoint.identity());
    }
    // Linear layers of 64·64·2 + 32·64·2 + 96·64·3 weights with 416 outputs; 281·64 of vocabulary.
    int linear = 64 * 64 * 2 + 32 * 64 * 2 + 96 * 64 * 3;
    int outputs = 64 + 32 + 32 + 64 + 96 + 96 + 64;
    int vocabulary = 281 * 64;
    JsonNode bytes = facts.get("weight_bytes_about");
    assertThat(bytes.get("fp32").intValue()).isEqualTo(4 * (linear + vocabulary));
    assertThat(bytes.get("w8a8").intValue()).isEqualTo(linear + 4 * (outputs + vocabulary));
    assertThat(bytes.get("w4").intValue()).isEqualTo(linear / 2 + 4 * (outputs + vocabulary));
    assertThat(facts.get("not_quantized"))
        .singleElement()
        .hasToString("\"model.embed_tokens.weight 281 × 64, also the vocabulary projection\"");
    assertThat(run("inspect", folder.toString())).isZero();
    assertThat(output).contains("model.layers.*.self_attn.q_proj.weight 64 × 64");
  }

  @Test
  void goesFromOneQuantizationToAnother() throws IOException {
    String model = "../data/checkpoints/bf16-wd0.1/step250";
    String text = "../data/microworld/calibration.jsonl";
    String[] path = {
      "path",
      model,
      "--from",
      "w4",
      "--to",
      model,
      "--to-precision",
      "w8",
      "--calibration",
      text,
      "--held-out",
      text,
      "--samples",
      "4",
      "--length",
      "16",
      "--eos",
      "--format",
      "json",
      "--points",
      "3"
    };
    assertThat(run(path)).isZero();
    JsonNode points = new ObjectMapper().readTree(output).get("path");
    assertThat(points).hasSize(3);
    assertThat(points.get(0).get("local").doubleValue())
        .isGreaterThan(points.get(2).get("local").doubleValue());
    assertThat(points.at("/1/t").doubleValue()).isEqualTo(0.5);
    assertThat(points.at("/1/loss").doubleValue()).isPositive();
    path[path.length - 1] = "1";
    assertThat(run(path)).isEqualTo(Launcher.BAD_INPUT);
    path[path.length - 1] = "2";
    path[9] = "no.jsonl";
    assertThat(run(path)).isEqualTo(Launcher.BAD_INPUT);
  }

  @Test
  void saysWhatOfExpertsIsQuantized() throws IOException {
    Variant.of("qwen3_moe-some-dense").write(folder);
    assertThat(run("inspect", "--format", "json", folder.toString())).isZero();
    JsonNode facts = new ObjectMapper().readTree(output);
    assertThat(facts.at("/sizes/experts").intValue()).isEqualTo(5);
    assertThat(facts.at("/sizes/experts_a_token").intValue()).isEqualTo(2);
    assertThat(facts.at("/sizes/expert_intermediate").intValue()).isEqualTo(24);
    assertThat(facts.get("quantized"))
        .extracting(JsonNode::textValue)
        .contains(
            "model.layers.*.mlp.gate_proj.weight 40 × 32, 3 times",
            "model.layers.*.mlp.experts.*.down_proj.weight 32 × 24, 5 times");
    assertThat(facts.get("not_quantized"))
        .extracting(JsonNode::textValue)
        .containsExactly(
            "model.embed_tokens.weight 48 × 32",
            "model.layers.*.mlp.gate.weight 5 × 32",
            "lm_head.weight 48 × 32");
  }

  @Test
  void saysWhyItCannotBeRun() throws IOException {
    SmallModels.folder(folder);
    Path config = folder.resolve("config.json");
    Files.writeString(config, Files.readString(config).replace("\"silu\"", "\"softsign\""));
    Path weights = folder.resolve("model.safetensors");
    try (RandomAccessFile file = new RandomAccessFile(weights.toFile(), "rw")) {
      file.seek(file.length() - 4);
      file.write(new byte[] {0, 0, (byte) 0xc0, 0x7f});
    }
    assertThat(run("inspect", folder.toString())).isEqualTo(Launcher.BAD_INPUT);
    assertThat(output)
        .contains("config.json: field \"hidden_act\"", "softsign")
        .contains("tensor model.layers.0.mlp.down_proj.weight: element 6143 is NaN");
    assertThat(run("inspect", "--weights=skip", folder.toString())).isEqualTo(Launcher.BAD_INPUT);
    assertThat(output).doesNotContain("NaN", "identity").contains("not read");
  }

  @Test
  void plantsOutliers() throws IOException {
    Path from = SmallModels.folder(folder.resolve("plain"));
    Path to = folder.resolve("planted");
    assertThat(run("plant-outliers", from.toString(), to.toString(), "--channels=2", "--factor=16"))
        .isZero();
    assertThat(output)
        .containsPattern("layers +1\n")
        .containsPattern("norms +2\n")
        .containsPattern("matrices +5\n")
        .containsPattern("channels +\\d+, \\d+ of 64\n")
        .containsPattern("factor +16\n")
        .containsPattern("seed +1\n");
    assertThat(to.resolve("tokenizer.json")).hasSameBinaryContentAs(from.resolve("tokenizer.json"));
    assertThat(run("inspect", to.toString())).isZero();
    assertThat(output)
        .containsPattern("planted outliers +\\{\"channels\": .*\"factor\": 16, \"seed\": 1\\}\n");
    assertThat(run("inspect", from.toString())).isZero();
    assertThat(output).doesNotContain("planted");
    assertThat(run("plant-outliers", from.toString(), to.toString(), "--factor=2"))
        .isEqualTo(Launcher.BAD_INPUT);
    String everyChannel = folder.resolve("every").toString();
    assertThat(
            run(
                "plant-outliers",
                from.toString(),
                everyChannel,
                "--factor=2",
                "--channels=64",
                "--format=json"))
        .isZero();
    assertThat(new ObjectMapper().readTree(output).get("channels")).hasSize(64);
  }

  @Test
  void metadataThatCannotBeReadIsNoObstacle() throws IOException {
    Path of = SmallModels.folder(folder.resolve("plain"));
    Path weights = of.resolve("model.safetensors");
    ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(weights)).order(ByteOrder.LITTLE_ENDIAN);
    byte[] header = new byte[(int) file.getLong()];
    file.get(header);
    ObjectNode json = (ObjectNode) new ObjectMapper().readTree(header);
    json.putObject("__metadata__").put("steps", 5);
    byte[] changed = new ObjectMapper().writeValueAsBytes(json);
    ByteBuffer out =
        ByteBuffer.allocate(8 + changed.length + file.remaining()).order(ByteOrder.LITTLE_ENDIAN);
    Files.write(weights, out.putLong(changed.length).put(changed).put(file).array());
    assertThat(run("inspect", of.toString())).isZero();
    assertThat(output).contains("steps: expected a string").containsPattern("can be run +true");
  }

  @Test
  void plantsNothingOnBadUsage() throws IOException {
    Path from = SmallModels.folder(folder.resolve("plain"));
    String to = folder.resolve("planted").toString();
    Path gguf = folder.resolve("model.gguf");
    Files.write(gguf, SmallModels.gguf());
    for (String[] arguments :
        new String[][] {
          {from.toString(), to},
          {from.toString(), to, "--factor=12"},
          {from.toString(), to, "--factor=two"},
          {from.toString(), to, "--factor=2", "--channels=65"},
          {from.toString(), from.toString(), "--factor=2"},
          {from.toString(), gguf.toString(), "--factor=2"},
          {gguf.toString(), to, "--factor=2"},
          {folder.resolve("absent").toString(), to, "--factor=2"},
        }) {
      String[] all = new String[arguments.length + 1];
      all[0] = "plant-outliers";
      System.arraycopy(arguments, 0, all, 1, arguments.length);
      assertThat(run(all)).as(String.join(" ", all)).isEqualTo(Launcher.BAD_INPUT);
      assertThat(output).isEmpty();
      assertThat(folder).isDirectoryNotContaining("glob:**/planted*");
    }
  }
}
