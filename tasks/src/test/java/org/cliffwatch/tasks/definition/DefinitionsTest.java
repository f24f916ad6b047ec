package org.cliffwatch.tasks.definition;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;
import java.util.stream.Stream;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.metric.Metric;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class DefinitionsTest {
  private static final Path DEFINITIONS = Path.of("definitions");
  private static final int SHOWN_HASH = 16;

  private static final String VALID =
      """
      task: toy
      version: 1
      dataset: {split: test, licence: none}
      output_type: multiple_choice
      metrics: [acc]
      prompt:
        doc_to_text: "{{q}}"
        doc_to_choice: ["a", "b"]
        doc_to_target: "{{label}}"
      files: toy.jsonl
      layouts:
        - name: only
          fields: {q: text, label: integer}
      """;

  @TempDir Path folder;

  static List<Path> folders() throws IOException {
    try (Stream<Path> folders = Files.list(DEFINITIONS)) {
      return folders.sorted().toList();
    }
  }

  /** A number's task_hash leads here; a change of what is asked must not pass unrecorded. */
  @ParameterizedTest
  @MethodSource("folders")
  void theReadmesLastChangeIsTheDefinition(Path definition) throws IOException {
    TaskDefinition task =
        DefinitionReader.read(
                definition.toString(), Files.readString(definition.resolve("task.yaml")))
            .get(0);
    List<String> readme = Files.readAllLines(definition.resolve("README.md"));
    assertThat(readme).contains("## Validity", "## Changes");
    String last = readme.get(readme.size() - 1);
    assertThat(last)
        .as("raise the version and add a line to %s/README.md", definition)
        .startsWith("| " + task.version() + " | " + task.hash().substring(0, SHOWN_HASH));
    if (task.lmEvalVersion() != null) {
      assertThat(task.lmEvalVersion()).matches("[0-9]+\\.[0-9]+");
    }
  }

  @Test
  void everyFolderIsATaskAndFoundInTheJar() throws IOException {
    List<String> names = Tasks.builtIn().all().stream().map(TaskDefinition::name).toList();
    for (Path definition : folders()) {
      String name = definition.getFileName().toString();
      assertThat(names).anyMatch(task -> task.equals(name) || task.startsWith(name + "_"));
    }
    assertThat(names).contains("xstorycloze_ar", "xstorycloze_zh", "piqa").hasSizeGreaterThan(27);
    assertThat(Tasks.load("xstorycloze_ru").files()).contains("ru/eval*.parquet");
  }

  @Test
  void everyPromptOfEveryVersionAndLayoutIsComplete() {
    for (TaskDefinition task : Tasks.builtIn().all()) {
      for (Layout layout : task.layouts()) {
        for (PromptVersion version : PromptVersion.values()) {
          assertThat(task.prompt(layout, version).docToTarget()).isNotNull();
        }
      }
      assertThat(task.metrics()).doesNotHaveDuplicates().isNotEmpty();
      assertThat(task.description()).isNotBlank();
      assertThat(task.dataset().licence()).isNotBlank();
    }
  }

  @Test
  void theHashIsOfWhatIsAskedNotOfHowItIsDescribed() {
    String hash = read(VALID).hash();
    assertThat(read(VALID + "description: other\n").hash()).isEqualTo(hash);
    assertThat(read("# comment\n" + VALID.replace("toy.jsonl", "[a.jsonl, b.jsonl]")).hash())
        .isEqualTo(hash);
    assertThat(read(VALID.replace("{{q}}", "{{q}} ")).hash()).isNotEqualTo(hash);
    assertThat(read(VALID.replace("[acc]", "[acc, acc_norm]")).hash()).isNotEqualTo(hash);
    assertThat(read(VALID.replace("version: 1", "version: 2")).hash()).isNotEqualTo(hash);
    // Where shots come from is recorded with them, and changes nothing where none are asked for.
    assertThat(read(VALID + "fewshot: {split: dev, files: dev.jsonl}\n").hash()).isEqualTo(hash);
    assertThat(read(VALID + "num_fewshot: 5\n").hash()).isNotEqualTo(hash);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      value = {
        "version: 1 ~ versoin: 1 ~ line 2: unknown key 'versoin'; did you mean 'version'?",
        "version: 1 ~ version: one ~ line 2: version: found 'one', expected integer",
        "version: 1 ~ version: 0 ~ version: found 0, expected 1 or more",
        "version: 1 ~ description: x ~ key 'version' is missing",
        "version: 1 ~ task: toy2 ~ line 2: Duplicate field 'task'",
        "output_type: multiple_choice ~ output_type: multiple_choise ~ did you mean 'multiple_choice'?",
        "metrics: [acc] ~ metrics: [accuracy] ~ metrics: found 'accuracy'; expected one of acc, acc_norm",
        "q: text ~ q: txt ~ line 13: layouts.[0].fields.q: found 'txt', expected one of text,",
        "{{label}} ~ {{label | one_base}} ~ did you mean 'one_based'?",
        "doc_to_text: \"{{q}}\" ~ doc_to_txt: \"{{q}}\" ~ line 7: unknown key 'doc_to_txt'; did you mean 'doc_to_text'",
        "doc_to_choice: [\"a\", \"b\"] ~ counted_text: x ~ layout only: doc_to_choice is missing",
        "name: only ~ nam: only ~ line 12: unknown key 'nam'; did you mean 'name'",
        "- name: only ~ - process_docs: hellaswg ~ line 12: layouts.[0].process_docs.[0]: found 'hellaswg', expected one of hellaswag",
        "- name: only ~ - absent: [x] ~ found one without name or fields",
        "version: 1 ~ fewshot: {sampler: frist_n} ~ line 2: fewshot.sampler: found 'frist_n', expected one of default, first_n",
        "version: 1 ~ fewshot: {splits: dev} ~ unknown key 'splits'; did you mean 'split'?",
        "task: toy ~ task: toy-2 ~ task: found 'toy-2', expected letters a-z",
        "metrics: [acc] ~ metrics: [mc2] ~ layout only: right_answers is missing, expected for metric mc2",
      })
  void mistakesAreNamedWithTheirLine(String from, String to, String message) {
    assertThat(VALID).contains(from);
    assertThatThrownBy(() -> read(VALID.replace(from, to)))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith("toy.yaml")
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      value = {
        "groups: [a b] ~ groups: found 'a b', expected letters",
        "variants: [] ~ variants: expected {name: [values]} or a list of",
        "variants: {a: [x], b: [y]} ~ variants: expected {name: [values]} or a list of",
        "formats: {a.txt: {as: jsn}} ~ formats.a.txt: found jsn with 0 columns, expected lines",
        "formats: {a.txt: {as: lines}} ~ formats.a.txt: found lines with 0 columns, expected lines",
      })
  void mistakesInMoreKeysAreNamedToo(String line, String message) {
    assertThatThrownBy(() -> read(VALID + line + "\n"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith("toy.yaml")
        .hasMessageContaining(message);
  }

  @Test
  void aDefinitionMakesATaskOfEveryVariant() {
    String hash = read(VALID).hash();
    String list = VALID.replace("task: toy", "task: toy_{kind}\ngroups: [toys, \"toys_{size}\"]");
    List<TaskDefinition> tasks =
        DefinitionReader.read(
            "toy.yaml", list + "variants: [{kind: ball, size: 1}, {kind: top, size: 2}]\n");
    assertThat(tasks).extracting(TaskDefinition::name).containsExactly("toy_ball", "toy_top");
    assertThat(tasks.get(1).groups()).containsExactly("toys", "toys_2");
    assertThat(
            DefinitionReader.read(
                "toy.yaml",
                VALID.replace("task: toy", "task: \"{kind}\"") + "variants: {kind: [toy]}\n"))
        .extracting(TaskDefinition::hash)
        .containsExactly(hash);
  }

  @Test
  void groupsAreTheirMembers() {
    SortedMap<String, List<TaskDefinition>> groups = Tasks.builtIn().groups();
    assertThat(groups.get("mmlu")).hasSize(57);
    assertThat(groups.get("mmlu_stem")).hasSize(19);
    assertThat(groups.get("mmlu_humanities")).hasSize(13);
    assertThat(groups.get("mmlu_social_sciences")).hasSize(12);
    assertThat(groups.get("mmlu_other")).hasSize(13);
    assertThat(groups.get("mmlu").stream().mapToInt(task -> task.dataset().items()).sum())
        .isEqualTo(14_042);
    assertThat(groups.get("blimp")).hasSize(67);
    assertThat(groups.get("xstorycloze")).hasSize(11);
  }

  @Test
  void fewerThanNoShotsAreRefused() {
    assertThatThrownBy(() -> read(VALID + "num_fewshot: -1\n"))
        .hasMessage("toy.yaml: num_fewshot: found -1, expected 0 or more");
  }

  @Test
  void unknownTasksAreSuggested() {
    assertThatThrownBy(() -> Tasks.load("helaswag"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage("unknown task 'helaswag'; did you mean 'hellaswag'?");
    assertThatThrownBy(() -> Tasks.load("xstorycloze"))
        .hasMessageContaining("did you mean 'xstorycloze_ar'");
    assertThatThrownBy(() -> Tasks.load("quite_another_task"))
        .hasMessageContaining("expected one of arc_challenge, arc_easy");
  }

  @Test
  void foldersOfAUserAddTasks() throws IOException {
    Files.createDirectories(folder.resolve("deep"));
    Files.writeString(folder.resolve("deep/toy.yaml"), VALID);
    TaskDefinition toy = Tasks.builtIn().including(folder).task("toy");
    assertThat(toy.metrics()).containsExactly(Metric.ACC);
    assertThat(Tasks.builtIn().all()).extracting(TaskDefinition::name).doesNotContain("toy");
    assertThatThrownBy(() -> Tasks.builtIn().including(folder.resolve("none")))
        .hasMessageContaining("no such folder");
  }

  private static TaskDefinition read(String yaml) {
    return DefinitionReader.read("toy.yaml", yaml).get(0);
  }
}
