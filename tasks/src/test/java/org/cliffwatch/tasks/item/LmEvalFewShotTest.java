package org.cliffwatch.tasks.item;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.cliffwatch.tasks.Sha256;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.jinja.ChatTemplate;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Documents of ours, asked with 0, 1, 5 and 25 shots by lm-evaluation-harness 0.4.13 itself; {@code
 * golden/lm-eval-fewshot/make.py} made the answers.
 */
class LmEvalFewShotTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** PIQA's prompt over splits that PIQA has not. */
  private static final String OWN =
      """
      task: %s
      version: 1
      dataset: {split: test, licence: none}
      output_type: multiple_choice
      metrics: [acc]
      prompt:
        doc_to_text: "Question: {{goal}}\\nAnswer:"
        doc_to_choice: ["{{sol1}}", "{{sol2}}"]
        doc_to_target: "{{label}}"
      files: items.jsonl
      fewshot: {%s}
      layouts:
        - name: only
          fields: {goal: text, sol1: text, sol2: text, label: integer}
      """;

  private static final Map<String, String> OWN_SHOTS =
      Map.of(
          "leaves_itself_out", "split: test, leave_one_out: true",
          "first_n_but_itself", "split: test, leave_one_out: true, sampler: first_n",
          "first_n", "split: train, files: pool.jsonl, sampler: first_n");

  /** The same in lm-evaluation-harness's own keys. */
  private static final String THEIRS =
      """
      task: %s
      dataset_path: json
      output_type: multiple_choice
      test_split: test
      %s
      doc_to_text: "Question: {{goal}}\\nAnswer:"
      doc_to_target: label
      doc_to_choice: "{{[sol1, sol2]}}"
      """;

  private static final Map<String, String> THEIR_SHOTS =
      Map.of(
          "leaves_itself_out", "fewshot_split: test",
          "first_n_but_itself", "fewshot_config: {sampler: first_n, split: test}",
          "first_n", "fewshot_split: train\nfewshot_config: {sampler: first_n}");

  @TempDir Path folder;

  private static JsonNode golden() throws IOException {
    try (InputStream in =
        LmEvalFewShotTest.class.getResourceAsStream("/golden/lm-eval-fewshot/requests.json")) {
      return JSON.readTree(in);
    }
  }

  static Stream<Map.Entry<String, JsonNode>> tasks() throws IOException {
    return golden().get("tasks").properties().stream();
  }

  static Stream<Map.Entry<String, JsonNode>> own() throws IOException {
    return golden().get("own").properties().stream();
  }

  @ParameterizedTest
  @MethodSource("tasks")
  void asksTheSame(Map.Entry<String, JsonNode> golden) throws IOException {
    asksTheSame(Tasks.load(golden.getKey()), golden.getValue());
  }

  @ParameterizedTest
  @MethodSource("own")
  void drawsTheSameWhereItemsAndShotsAreOneSplit(Map.Entry<String, JsonNode> golden)
      throws IOException {
    String name = golden.getKey();
    Files.writeString(folder.resolve("own.yaml"), OWN.formatted(name, OWN_SHOTS.get(name)));
    asksTheSame(Tasks.builtIn().including(folder).task(name), golden.getValue());
  }

  @ParameterizedTest
  @MethodSource("own")
  void readsItsKeysAsItDoes(Map.Entry<String, JsonNode> golden) throws IOException {
    String name = golden.getKey();
    Files.writeString(folder.resolve("own.yaml"), THEIRS.formatted(name, THEIR_SHOTS.get(name)));
    TaskDefinition task = Tasks.builtIn().including(folder).task(name);
    assertThat(task.harness()).isNotNull();
    asksTheSame(task, golden.getValue());
  }

  private void asksTheSame(TaskDefinition task, JsonNode golden) throws IOException {
    Path items = lines("items.jsonl", golden.get("items"));
    Path pool = golden.get("pool").isNull() ? null : lines("pool.jsonl", golden.get("pool"));
    JsonNode hashes = golden.at("/shots/0");
    for (Map.Entry<String, JsonNode> shots : golden.get("shots").properties()) {
      int count = Integer.parseInt(shots.getKey());
      PromptSettings settings =
          new PromptSettings(
              PromptVersion.V1, OptionalInt.of(count), pool == null ? null : pool.toString());
      ItemSet set =
          ItemSet.read(task, items.toString(), new LocalFiles(), settings, shots.getValue().size());
      assertThat(set.rejected()).isEmpty();
      assertThat(set.shots().count()).isEqualTo(count);
      for (Item item : set.items()) {
        String asked = task.name() + ", " + count + " shots, item " + item.index();
        JsonNode row = shots.getValue().get(item.index());
        if (row.has("context")) {
          assertThat(item.requests().get(0).context()).isEqualTo(row.get("context").textValue());
        }
        assertThat(item.promptHash()).as(asked).isEqualTo(row.get("prompt_hash").textValue());
        assertThat(requests(item)).as(asked).isEqualTo(row.get("requests").textValue());
        JsonNode same = hashes.get(item.index());
        assertThat(item.docHash()).as(asked).isEqualTo(same.get("doc_hash").textValue());
        assertThat(item.targetHash()).as(asked).isEqualTo(same.get("target_hash").textValue());
      }
    }
    asksAChatModelTheSame(task, golden, items.toString(), pool == null ? null : pool.toString());
  }

  /** Shots as turns of a conversation, and in the one question that there is. */
  private static void asksAChatModelTheSame(
      TaskDefinition task, JsonNode golden, String items, String pool) throws IOException {
    ChatTemplate chatml = chatml();
    for (Map.Entry<String, JsonNode> chat : golden.get("chat").properties()) {
      String[] words = chat.getKey().split(" ", 2);
      PromptSettings settings =
          new PromptSettings(
              PromptVersion.V1,
              OptionalInt.of(Integer.parseInt(words[0])),
              pool,
              new ChatPrompt(ChatTemplate.DEFAULT, "Be brief.", words.length == 1));
      ItemSet set = ItemSet.read(task, items, new LocalFiles(), settings, chat.getValue().size());
      for (Item item : set.items()) {
        assertThat(requests(item, request -> chatml.render(request.messages())))
            .as("%s, %s shots, item %s", task.name(), chat.getKey(), item.index())
            .isEqualTo(chat.getValue().get(item.index()).textValue());
      }
    }
  }

  static ChatTemplate chatml() throws IOException {
    try (InputStream in =
        LmEvalFewShotTest.class.getResourceAsStream("/golden/chat-templates/renderings.json")) {
      String source = JSON.readTree(in).at("/templates/chatml").toString();
      return ChatTemplate.of(
          "chatml",
          ChatTemplate.DEFAULT,
          Map.of("tokenizer_config.json", "{\"chat_template\": " + source + "}")::get);
    }
  }

  private static String requests(Item item) {
    return requests(item, ItemRequest::context);
  }

  private static String requests(Item item, Function<ItemRequest, String> prompt) {
    return Sha256.of(
        item.requests().stream()
            .flatMap(request -> Stream.of(prompt.apply(request), request.continuation()))
            .collect(Collectors.joining("\0")));
  }

  private Path lines(String name, JsonNode documents) throws IOException {
    List<String> lines =
        documents.valueStream().map(JsonNode::toString).collect(Collectors.toList());
    return Files.write(folder.resolve(name), lines);
  }
}
