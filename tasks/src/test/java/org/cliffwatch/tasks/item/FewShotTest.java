package org.cliffwatch.tasks.item;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.assertj.core.api.AbstractThrowableAssert;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.Sha256;
import org.cliffwatch.tasks.definition.FewShot;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.definition.Tasks;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where shots come from, what is recorded of them, and what is said where there are none. */
class FewShotTest {
  private static final String DEFINITION =
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
      files: test.jsonl
      layouts:
        - name: only
          fields: {q: text, label: integer}
      """;

  @TempDir Path folder;

  private Path write(String name, String... lines) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    return Files.writeString(file, String.join("\n", lines) + "\n");
  }

  private static String piqa(String goal) {
    return "{\"goal\": \"%s\", \"sol1\": \"a\", \"sol2\": \"b\", \"label\": 1}".formatted(goal);
  }

  private static String toy(String question) {
    return "{\"q\": \"%s\", \"label\": 0}".formatted(question);
  }

  private TaskDefinition toyTask(String more) throws IOException {
    write("definitions/toy.yaml", DEFINITION + more);
    return Tasks.builtIn().including(folder.resolve("definitions")).task("toy");
  }

  private static PromptSettings shots(int count, Path data) {
    return new PromptSettings(
        PromptVersion.V1, OptionalInt.of(count), data == null ? null : data.toString());
  }

  private static ItemSet read(TaskDefinition task, Path location, PromptSettings settings) {
    return ItemSet.read(task, location.toString(), new LocalFiles(), settings, ItemSet.ALL);
  }

  private static List<String> contexts(ItemSet set) {
    return set.items().stream().map(item -> item.requests().get(0).context()).toList();
  }

  @Test
  void theDefinitionsSplitIsTakenFromTheItemsFolder() throws IOException {
    Path items = write("validation.jsonl", piqa("q"));
    Path train = write("train.jsonl", piqa("s"), piqa("s"));
    for (Path location : List.of(folder, items)) {
      ItemSet set = read(Tasks.load("piqa"), location, shots(1, null));
      assertThat(contexts(set)).containsExactly("Question: s\nAnswer: b\n\nQuestion: q\nAnswer:");
      assertThat(set.files())
          .extracting(ItemSet.SourceFile::path)
          .containsExactly(items.toString());
      assertThat(set.shots())
          .isEqualTo(
              new ItemSet.Shots(
                  1,
                  FewShot.Sampler.DEFAULT,
                  1234,
                  "train",
                  List.of(
                      new ItemSet.SourceFile(
                          train.toString(), Sha256.of(Files.readAllBytes(train))))));
      assertThat(set.shots().drawn()).isEqualTo("1-default-1234");
    }
  }

  @Test
  void shotsMayHaveAnotherLayoutAndLabelsInAFileOfTheirOwn() throws IOException {
    write("valid.jsonl", piqa("q"));
    String original = "{\"id\": \"i\", \"goal\": \"s\", \"sol1\": \"a\", \"sol2\": \"b\"}";
    write("shots/mine.jsonl", original, original);
    write("shots/mine-labels.lst", "0", "0");
    ItemSet set = read(Tasks.load("piqa"), folder, shots(1, folder.resolve("shots/mine.jsonl")));
    assertThat(contexts(set)).containsExactly("Question: s\nAnswer: a\n\nQuestion: q\nAnswer:");
    assertThat(set.layout()).isEqualTo("hub");
    assertThat(set.shots().split()).isNull();
    assertThat(set.shots().files()).hasSize(2);
  }

  @Test
  void mmlusReleaseHasItsShotsInAFolderOfTheirOwn() throws IOException {
    write("data/test/anatomy_test.csv", "Q?,w,x,y,z,B");
    write("data/dev/anatomy_dev.csv", "S?,a,b,c,d,C", "T?,a,b,c,d,D");
    ItemSet set = read(Tasks.load("mmlu_anatomy"), folder, shots(1, null));
    assertThat(contexts(set))
        .containsExactly(
            "The following are multiple choice questions (with answers) about anatomy.\n\n"
                + "S?\nA. a\nB. b\nC. c\nD. d\nAnswer: C\n\n"
                + "Q?\nA. w\nB. x\nC. y\nD. z\nAnswer:");
    assertThat(set.shots().drawn()).isEqualTo("1-first_n");
    assertThat(set.shots().split()).isEqualTo("dev");
  }

  @Test
  void theHubsFoldersHaveTheirSplit() throws IOException {
    String item =
        "{\"id\":\"1\",\"question\":\"%s\",\"choices\":{\"text\":[\"a\",\"b\"],\"label\":[\"A\",\"B\"]},\"answerKey\":\"B\"}";
    write("ARC-Easy/validation-00000-of-00001.jsonl", item.formatted("v"));
    write("ARC-Easy/test-00000-of-00001.jsonl", item.formatted("q"));
    Path train = write("ARC-Easy/train-00000-of-00001.jsonl", item.formatted("s"));
    ItemSet set = read(Tasks.load("arc_easy"), folder, shots(1, null));
    assertThat(contexts(set)).containsExactly("Question: s\nAnswer: b\n\nQuestion: q\nAnswer:");
    assertThat(set.shots().files())
        .extracting(ItemSet.SourceFile::path)
        .containsExactly(train.toString());
  }

  @Test
  void aLimitChangesNoContext() throws IOException {
    List<String> questions = new ArrayList<>();
    for (int i = 0; i < 30; i++) {
      questions.add(piqa("q" + i));
    }
    Path items = write("validation.jsonl", questions.toArray(String[]::new));
    write("train.jsonl", questions.toArray(String[]::new));
    TaskDefinition task = Tasks.load("piqa");
    ItemSet all = read(task, items, shots(3, null));
    ItemSet few = ItemSet.read(task, items.toString(), new LocalFiles(), shots(3, null), 10);
    assertThat(few.items()).isEqualTo(all.items().subList(0, 10));
    assertThat(contexts(all)).doesNotHaveDuplicates();
  }

  @Test
  void aRejectedItemMovesNoOthersShots() throws IOException {
    List<String> questions = new ArrayList<>();
    for (int i = 0; i < 30; i++) {
      questions.add(piqa("q" + i));
    }
    write("train.jsonl", questions.toArray(String[]::new));
    Path items = write("validation.jsonl", piqa("x"), piqa("y"), piqa("z"));
    Path damaged = write("damaged.jsonl", piqa("x"), "{", piqa("z"));
    ItemSet whole = read(Tasks.load("piqa"), items, shots(2, null));
    ItemSet holed = read(Tasks.load("piqa"), damaged, shots(2, null));
    assertThat(holed.rejected()).hasSize(1);
    assertThat(holed.items()).containsExactly(whole.items().get(0), whole.items().get(2));
  }

  @Test
  void theChoicesOfAnItemShareTheirContext() throws IOException {
    Path items = write("validation.jsonl", piqa("q"));
    write("train.jsonl", piqa("s"), piqa("s"));
    Item item = read(Tasks.load("piqa"), items, shots(1, null)).items().get(0);
    assertThat(item.requests().get(1).context()).isSameAs(item.requests().get(0).context());
  }

  @Test
  void theShotsFileIsReadOnce() throws IOException {
    List<String> opened = new ArrayList<>();
    DataSource counting =
        new DataSource() {
          private final LocalFiles files = new LocalFiles();

          @Override
          public boolean isFolder(String location) {
            return files.isFolder(location);
          }

          @Override
          public boolean isFile(String location) {
            return files.isFile(location);
          }

          @Override
          public List<String> list(String location) throws IOException {
            return files.list(location);
          }

          @Override
          public List<String> folders(String location) throws IOException {
            return files.folders(location);
          }

          @Override
          public InputStream open(String file) throws IOException {
            opened.add(Path.of(file).getFileName().toString());
            return files.open(file);
          }
        };
    Path items = write("validation.jsonl", piqa("x"), piqa("y"), piqa("z"));
    write("train.jsonl", piqa("a"), piqa("b"), piqa("c"));
    ItemSet.read(Tasks.load("piqa"), items.toString(), counting, shots(2, null), ItemSet.ALL);
    assertThat(opened).containsExactly("validation.jsonl", "train.jsonl");
  }

  @Test
  void theDefinitionMaySayHowMany() throws IOException {
    write("test.jsonl", toy("q"));
    write("dev.jsonl", toy("s"), toy("t"));
    TaskDefinition one =
        toyTask("num_fewshot: 1\nfewshot: {split: dev, files: dev.jsonl, sampler: first_n}\n");
    ItemSet asDefined =
        ItemSet.read(one, folder.toString(), new LocalFiles(), PromptVersion.V1, ItemSet.ALL);
    assertThat(contexts(asDefined)).containsExactly("s a\n\nq");
    assertThat(asDefined.shots().drawn()).isEqualTo("1-first_n");
    assertThat(contexts(read(one, folder, shots(2, null)))).containsExactly("s a\n\nt a\n\nq");
    assertThat(contexts(read(one, folder, PromptSettings.ZERO_SHOT))).containsExactly("q");
    TaskDefinition none =
        toyTask("num_fewshot: 0\nfewshot: {split: dev, files: dev.jsonl, sampler: first_n}\n");
    ItemSet never = read(none, folder, shots(2, null));
    assertThat(contexts(never)).containsExactly("q");
    assertThat(never.shots()).isEqualTo(ItemSet.Shots.NONE);
  }

  @Test
  void zeroShotItemsNeedNoShots() throws IOException {
    Path items = write("validation.jsonl", piqa("q"));
    ItemSet zero = read(Tasks.load("piqa"), items, shots(0, null));
    assertThat(zero.items())
        .isEqualTo(
            ItemSet.read(
                    Tasks.load("piqa"),
                    items.toString(),
                    new LocalFiles(),
                    PromptVersion.V1,
                    ItemSet.ALL)
                .items());
    assertThat(zero.shots().drawn()).isEqualTo("0");
  }

  @Test
  void saysWhatIsMissing() throws IOException {
    write("validation.jsonl", piqa("q"));
    write("test.jsonl", toy("q"));
    TaskDefinition piqa = Tasks.load("piqa");
    fails(piqa, shots(5, null))
        .hasMessageContaining(
            folder + ": found no shot file of task piqa, expected one of train.jsonl,")
        .hasMessageContaining("(fewshot_data can name another file or folder); found ");
    fails(piqa, shots(5, folder.resolve("nowhere")))
        .hasMessage(folder + "/nowhere: no such file or folder, expected the shots of task piqa");
    Path train = write("train.jsonl", piqa("a"), piqa("b"), piqa("c"));
    fails(piqa, shots(3, null))
        .hasMessage(
            train
                + ": found 3 documents to draw shots from, expected at least 4: num_fewshot 3 and"
                + " one to leave out");
    write("train.jsonl", piqa("a"), "{", piqa("c"));
    fails(piqa, shots(1, null))
        .hasMessageStartingWith(train + ", line 2: ")
        .hasMessageEndingWith(" in a file to draw shots from");
    write("train.jsonl", piqa("a").replace("1}", "7}"), piqa("b").replace("1}", "7}"));
    fails(piqa, shots(1, null))
        .hasMessageMatching(".*train.jsonl, line [12]: found answer '7', .* \\(drawn as a shot\\)");
    fails(toyTask(""), shots(2, null))
        .hasMessage(
            "task toy: found num_fewshot 2, but the definition names no split to draw shots from:"
                + " expected fewshot_data to name their file or folder");
    fails(
            toyTask("fewshot: {split: test, leave_one_out: true, sampler: first_n}\n"),
            shots(1, null))
        .hasMessage(
            folder
                + "/test.jsonl: found 0 documents to draw shots from, expected at least 1:"
                + " num_fewshot 1");
  }

  @Test
  void refusesWhatHasNoShots() throws IOException {
    write("wiki.test.raw", " = T = ", " text");
    write("validation.jsonl", piqa("q"));
    fails(Tasks.load("wikitext"), shots(2, null))
        .hasMessage(
            "task wikitext: found num_fewshot 2, expected num_fewshot 0: a rolling task has no"
                + " context for shots");
    fails(Tasks.load("piqa"), new PromptSettings(PromptVersion.V0, OptionalInt.of(2), null))
        .hasMessageStartingWith("task piqa: found num_fewshot 2 with prompt version v0, expected");
    assertThatThrownBy(() -> shots(-1, null))
        .hasMessage("num_fewshot: found -1, expected 0 or more");
  }

  private AbstractThrowableAssert<?, ?> fails(TaskDefinition task, PromptSettings settings) {
    return assertThatThrownBy(() -> read(task, folder, settings))
        .isInstanceOf(InvalidInputException.class);
  }
}
