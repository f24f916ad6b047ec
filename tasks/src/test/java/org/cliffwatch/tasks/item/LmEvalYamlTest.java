package org.cliffwatch.tasks.item;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Stream;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.jinja.ChatTemplate;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.prompt.PythonJson;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Definitions in lm-evaluation-harness's own YAML, asked by its version 0.4.13 itself; {@code
 * golden/lm-eval-yaml/make.py} made the answers.
 */
class LmEvalYamlTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path GOLDEN = Path.of("src/test/resources/golden/lm-eval-yaml");

  @TempDir Path folder;

  private static JsonNode json(String name) throws IOException {
    return JSON.readTree(Files.readString(GOLDEN.resolve(name)));
  }

  static Stream<Map.Entry<String, JsonNode>> tasks() throws IOException {
    return json("requests.json").get("tasks").properties().stream();
  }

  @ParameterizedTest
  @MethodSource("tasks")
  void asksTheSame(Map.Entry<String, JsonNode> golden) throws IOException {
    JsonNode rows = golden.getValue().get("rows");
    ItemSet set =
        read(
            Tasks.builtIn().including(GOLDEN).task(golden.getKey()),
            json("docs.json").get(golden.getValue().get("docs").textValue()));
    assertThat(set.rejected()).isEmpty();
    assertThat(set.items()).hasSize(rows.size());
    for (Item item : set.items()) {
      JsonNode row = rows.get(item.index());
      boolean rolling = row.get("requests").get(0).size() == 1;
      JsonNode requests = requests(item, rolling, ItemRequest::context);
      assertThat(PythonJson.line(requests)).isEqualTo(PythonJson.line(row.get("requests")));
      assertThat(item.target()).isEqualTo(row.get("target").textValue());
      assertThat(item.docHash()).isEqualTo(row.get("doc_hash").textValue());
      assertThat(item.promptHash()).isEqualTo(row.get("prompt_hash").textValue());
      assertThat(item.targetHash()).isEqualTo(row.get("target_hash").textValue());
      if (!row.get("gold").isNull()) {
        assertThat(item.gold()).isEqualTo(row.get("gold").intValue());
        assertThat(item.requests().stream().map(ItemRequest::characters).toList())
            .isEqualTo(
                JSON.convertValue(
                    row.get("lengths"),
                    JSON.getTypeFactory().constructCollectionType(List.class, Integer.class)));
      }
    }
  }

  private static JsonNode requests(
      Item item, boolean rolling, Function<ItemRequest, String> prompt) {
    return JSON.valueToTree(
        item.requests().stream()
            .map(
                r ->
                    rolling
                        ? List.of(r.continuation())
                        : List.of(prompt.apply(r), r.continuation()))
            .toList());
  }

  @ParameterizedTest
  @MethodSource("tasks")
  void asksAChatModelTheSame(Map.Entry<String, JsonNode> golden) throws IOException {
    ChatTemplate chatml = LmEvalFewShotTest.chatml();
    TaskDefinition task = Tasks.builtIn().including(GOLDEN).task(golden.getKey());
    JsonNode docs = json("docs.json").get(golden.getValue().get("docs").textValue());
    ItemSet chat = read(task, docs, new ChatPrompt(ChatTemplate.DEFAULT, "Be brief.", true));
    ItemSet told = read(task, docs, new ChatPrompt(null, "Be brief.", false));
    JsonNode rows = golden.getValue().get("rows");
    for (int index = 0; index < rows.size(); index++) {
      JsonNode row = rows.get(index);
      boolean rolling = row.get("requests").get(0).size() == 1;
      JsonNode asked = requests(chat.items().get(index), rolling, r -> chatml.render(r.messages()));
      assertThat(PythonJson.line(asked)).isEqualTo(PythonJson.line(row.get("chat")));
      assertThat(PythonJson.line(requests(told.items().get(index), rolling, ItemRequest::context)))
          .isEqualTo(PythonJson.line(row.get("told")));
    }
  }

  private ItemSet read(TaskDefinition task, JsonNode docs) throws IOException {
    return read(task, docs, null);
  }

  private ItemSet read(TaskDefinition task, JsonNode docs, ChatPrompt chat) throws IOException {
    StringBuilder lines = new StringBuilder();
    docs.forEach(doc -> lines.append(doc).append('\n'));
    Files.writeString(folder.resolve("validation-00000.jsonl"), lines);
    return ItemSet.read(
        task,
        folder.toString(),
        new LocalFiles(),
        new PromptSettings(PromptVersion.V1, OptionalInt.empty(), null, chat),
        ItemSet.ALL);
  }

  @Test
  void whatItIncludesCountsAndItsVersionIsKept() {
    TaskDefinition task = Tasks.builtIn().including(GOLDEN).task("own_letters");
    assertThat(task.lmEvalVersion()).isEqualTo("1.0");
    assertThat(task.metrics()).containsExactly(Metric.ACC);
    assertThat(task.hash())
        .isNotEqualTo(Tasks.builtIn().including(GOLDEN).task("own_columns").hash());
    assertThat(Tasks.builtIn().including(GOLDEN).names()).contains("own_letters", "piqa");
  }

  @Test
  void aTaskOfTheSameNameReplacesOurs() throws IOException {
    write("task: piqa\ninclude: base\n");
    Files.writeString(folder.resolve("base"), Files.readString(GOLDEN.resolve("columns.yaml")));
    assertThat(Tasks.builtIn().including(folder).task("piqa").harness()).isNotNull();
    assertThat(Tasks.load("piqa").harness()).isNull();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '§',
      value = {
        "process_docs: !function utils.process § line 5: process_docs: found !function utils.process, which is Python",
        "doc_to_text: !function utils.text § line 5: doc_to_text: found !function",
        "doc_to_text: \"{{ q | tojsonx }}\" § line 5: doc_to_text: line 1: the filter tojsonx is not known",
        "output_type: generate_until § line 5: output_type: found generate_until",
        "metric_list: [{metric: f1}] § line 5: metric_list: found metric 'f1'",
        "metric_list: [{metric: acc, aggregation: f1}] § line 5: metric_list: acc: found aggregation 'f1', expected mean",
        "metric_list: [{metric: acc, ignore_case: true}] § line 5: metric_list: acc: the option ignore_case",
        "num_fewshot: many § line 5: num_fewshot: found many, expected a number from 0",
        "gen_prefix: x § line 5: gen_prefix: a beginning of the answer is not known here",
        "doc_to_txt: x § line 5: doc_to_txt: unknown key; did you mean 'doc_to_text'?",
        "include: nothing.yaml § line 5: include: found no file",
        "doc_to_target: [0, 1] § line 5: doc_to_target: found a list",
        "doc_to_text: [ § not valid YAML",
      })
  void refusesWithLineAndReason(String line, String reason) throws IOException {
    String key = line.substring(0, line.indexOf(':'));
    write(
        Stream.of(
                "task: own",
                "output_type: multiple_choice",
                "doc_to_text: q",
                "doc_to_target: a",
                "doc_to_choice: c",
                "test_split: test")
            .filter(other -> !other.startsWith(key + ":"))
            .reduce("", (text, other) -> text + other + "\n")
            .replaceFirst(
                "(?s)^((?:[^\n]*\n){4})",
                "$1" + line.replace("\\", "\\\\").replace("$", "\\$") + "\n"));
    Tasks tasks = Tasks.builtIn().including(folder);
    assertThatThrownBy(() -> tasks.task("own"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("own.yaml")
        .hasMessageContaining(reason);
    Map<String, String> refused = new TreeMap<>();
    assertThat(tasks.all(refused)).hasSize(Tasks.builtIn().all().size());
    assertThat(refused).containsOnlyKeys("own");
  }

  private void write(String yaml) throws IOException {
    Files.write(folder.resolve("own.yaml"), yaml.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void aDocumentWithoutARightAnswerIsRejected() throws IOException {
    TaskDefinition task = Tasks.builtIn().including(GOLDEN).task("own_columns");
    ItemSet set =
        read(
            task,
            JSON.readTree(
                "[{\"question\": \"q\", \"options\": [\"a\", \"b\"], \"answer\": \"1\"},"
                    + "{\"question\": \"q\", \"options\": [\"a\", \"b\"]},"
                    + "{\"question\": \"q\", \"options\": [\"a\", \"b\"], \"answer\": \"b\"}]"));
    assertThat(set.rejected()).extracting(RejectedItem::index).containsExactly(0, 1);
    assertThat(set.rejected().get(0).reason()).contains("found answer \"1\"");
    assertThat(set.items()).extracting(Item::gold).containsExactly(1);
  }
}
