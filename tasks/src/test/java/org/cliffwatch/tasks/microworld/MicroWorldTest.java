package org.cliffwatch.tasks.microworld;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.cliffwatch.tasks.InvalidInputException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class MicroWorldTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int DOCUMENTS = 3000;
  private static final int ITEMS = 100;

  private Path folder;
  private String training;

  @BeforeAll
  void write(@TempDir Path folder) throws IOException {
    this.folder = folder;
    new MicroWorld(5).write(folder, DOCUMENTS, 10, ITEMS);
    List<String> texts = new ArrayList<>();
    for (JsonNode document : jsonLines("training.jsonl")) {
      texts.add(document.get("text").asText());
    }
    training = String.join("\n\n", texts);
  }

  private List<JsonNode> jsonLines(String file) throws IOException {
    List<JsonNode> lines = new ArrayList<>();
    for (String line : Files.readAllLines(folder.resolve(file))) {
      lines.add(JSON.readTree(line));
    }
    return lines;
  }

  @Test
  void sameSeedGivesTheSameBytesAndAnotherSeedOthers(@TempDir Path again, @TempDir Path other)
      throws IOException {
    new MicroWorld(5).write(again, DOCUMENTS, 10, ITEMS);
    new MicroWorld(6).write(other, DOCUMENTS, 10, ITEMS);
    assertThat(contents(again)).isEqualTo(contents(folder)).isNotEqualTo(contents(other));
  }

  private static TreeMap<String, String> contents(Path folder) throws IOException {
    TreeMap<String, String> contents = new TreeMap<>();
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        contents.put(folder.relativize(file).toString(), Files.readString(file));
      }
    }
    return contents;
  }

  @Test
  void pagesAreDocumentsThatTheTrainingTextHasNot() throws IOException {
    Set<String> documents = new HashSet<>();
    jsonLines("training.jsonl").forEach(each -> documents.add(each.get("text").asText()));
    List<JsonNode> pages = jsonLines("wikitext/test.jsonl");
    assertThat(pages).hasSize(ITEMS);
    assertThat(pages.stream().map(each -> each.get("page").asText()))
        .doesNotHaveDuplicates()
        .noneMatch(documents::contains);
  }

  @Test
  void noNameOfAnItemOccursInTheTrainingText() throws IOException {
    Set<String> names = new HashSet<>();
    for (String line :
        Files.readAllLines(folder.resolve("storycloze_2016/cloze_test_test__spring2016.csv"))) {
      String name = line.split(",", -1)[1].split(" ", -1)[0];
      if (!name.equals("InputSentence1")) {
        names.add(name);
      }
    }
    for (JsonNode item : jsonLines("hellaswag/hellaswag_val.jsonl")) {
      names.add(item.get("ctx_a").asText().split(" ", -1)[0]);
    }
    assertThat(names).hasSizeGreaterThan(60);
    assertThat(names).noneMatch(training::contains);
  }

  @Test
  void noRightAnswerOccursInTheTrainingText() throws IOException {
    for (JsonNode item : jsonLines("copa/val.jsonl")) {
      String right = item.get(item.get("label").asInt() == 0 ? "choice1" : "choice2").asText();
      String claim = Character.toLowerCase(right.charAt(0)) + right.substring(1);
      if (item.get("question").asText().equals("cause")) {
        assertThat(training).doesNotContain(claim);
      } else {
        String premise = item.get("premise").asText();
        assertThat(training).doesNotContain(premise.substring(0, premise.length() - 1));
      }
    }
    List<String> labels = Files.readAllLines(folder.resolve("piqa/valid-labels.lst"));
    int i = 0;
    for (JsonNode item : jsonLines("piqa/valid.jsonl")) {
      String right = item.get(labels.get(i++).equals("0") ? "sol1" : "sol2").asText();
      assertThat(training)
          .doesNotContain(item.get("goal").asText() + "\nAnswer: " + right)
          .doesNotContain(item.get("goal").asText().replace("How do you", "wanted to"));
    }
    for (JsonNode item : jsonLines("winogrande/dev.jsonl")) {
      String sentence = item.get("sentence").asText();
      assertThat(training).doesNotContain(sentence.substring(0, sentence.indexOf("_")));
    }
    for (JsonNode item : jsonLines("hellaswag/hellaswag_val.jsonl")) {
      assertThat(training).doesNotContain(item.get("activity_label").asText() + ":");
    }
  }

  /** What a kind's list begins with is told of most, items ask about all alike. */
  @Test
  void fewThingsAreToldOfMuchAndManyLittle() throws IOException {
    List<String> food = World.load().kinds().get("food");
    int half = food.size() / 2;
    long often = mentions(training, food.get(0));
    long rare =
        food.subList(half, food.size()).stream().mapToLong(f -> mentions(training, f)).sum();
    assertThat(often).isGreaterThan(3 * rare);
    String asked = Files.readString(folder.resolve("piqa/valid.jsonl"));
    assertThat(food.subList(half, food.size()).stream().mapToLong(f -> mentions(asked, f)).sum())
        .isGreaterThan(mentions(asked, food.get(0)));
  }

  private static long mentions(String text, String word) {
    return Pattern.compile("\\b" + word + "\\b").matcher(text).results().count();
  }

  @Test
  void theToolOfAProcedureIsAskedAmongOthers() throws IOException {
    Map<String, Map<String, String>> tools = World.load().tools();
    Set<String> all = new HashSet<>();
    tools.values().forEach(byKind -> all.addAll(byKind.values()));
    int asked = 0;
    for (JsonNode item : jsonLines("hellaswag/hellaswag_val.jsonl")) {
      if (!item.get("activity_label").asText().startsWith("Fixing the ")) {
        continue;
      }
      List<String> named = new ArrayList<>();
      item.get("endings")
          .forEach(ending -> named.add(ending.asText().replaceAll("looks for the (.*)\\.", "$1")));
      assertThat(named).hasSize(4).doesNotHaveDuplicates().isSubsetOf(all);
      assertThat(tools.get("fix").values()).contains(named.get(item.get("label").asInt()));
      asked++;
    }
    assertThat(asked).isPositive();
  }

  @Test
  void everyPartOfANameIsSeenInTraining() {
    World.People people = World.load().people();
    assertThat(people.first()).allMatch(training::contains);
    assertThat(people.she()).allMatch(training::contains);
    assertThat(people.he()).allMatch(training::contains);
  }

  @Test
  void itemsAreInTheFormatsOfTheReleases() throws IOException {
    assertThat(fieldNames("piqa/valid.jsonl")).containsExactly("id", "goal", "sol1", "sol2");
    assertThat(fieldNames("winogrande/dev.jsonl"))
        .containsExactly("qID", "sentence", "option1", "option2", "answer");
    assertThat(fieldNames("copa/val.jsonl"))
        .containsExactly("premise", "choice1", "choice2", "question", "label", "idx");
    assertThat(fieldNames("hellaswag/hellaswag_val.jsonl"))
        .contains("ind", "activity_label", "ctx_a", "ctx_b", "ctx", "label", "endings");
    assertThat(fieldNames("lambada_openai/lambada_test.jsonl")).containsExactly("text");
    for (JsonNode item : jsonLines("winogrande/dev.jsonl")) {
      assertThat(item.get("sentence").asText().chars().filter(c -> c == '_').count()).isOne();
    }
    List<String> stories =
        Files.readAllLines(folder.resolve("storycloze_2016/cloze_test_test__spring2016.csv"));
    assertThat(stories).hasSize(ITEMS + 1);
    assertThat(stories).allSatisfy(line -> assertThat(line.split(",", -1)).hasSize(8));
  }

  private Set<String> fieldNames(String file) throws IOException {
    List<JsonNode> lines = jsonLines(file);
    assertThat(lines).hasSize(ITEMS).doesNotHaveDuplicates();
    Set<String> names = new java.util.LinkedHashSet<>();
    lines.get(0).fieldNames().forEachRemaining(names::add);
    return names;
  }

  @Test
  void guessingOneLabelGivesAboutChance() throws IOException {
    List<String> labels = Files.readAllLines(folder.resolve("winogrande/dev-labels.lst"));
    assertThat(labels).filteredOn("1"::equals).hasSizeBetween(ITEMS / 3, 2 * ITEMS / 3);
    assertThat(jsonLines("hellaswag/hellaswag_val.jsonl").stream().map(i -> i.get("label").asInt()))
        .contains(0, 1, 2, 3);
  }

  @Test
  void wordsAndPartsOfNamesAreTokens() throws IOException {
    JsonNode tokenizer = JSON.readTree(folder.resolve("tokenizer.json").toFile());
    JsonNode vocabulary = tokenizer.at("/model/vocab");
    assertThat(vocabulary.has("Ġbecause")).isTrue();
    assertThat(vocabulary.has("ĠMi")).isTrue();
    assertThat(vocabulary.has("Mi")).isTrue();
    assertThat(vocabulary.has("ra")).isTrue();
    assertThat(vocabulary.has("ĠMira")).isFalse();
    Set<Integer> ids = new HashSet<>();
    vocabulary.forEach(id -> ids.add(id.asInt()));
    assertThat(ids).hasSize(vocabulary.size()).contains(0, vocabulary.size() - 1);
    assertThat(tokenizer.at("/model/ignore_merges").asBoolean()).isTrue();
  }

  @Test
  void askingForMoreItemsThanThereAreIsRefused(@TempDir Path tooMany) {
    assertThatThrownBy(() -> new MicroWorld(5).write(tooMany, 10, 10, 100_000))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("ask for fewer");
  }
}
