package org.cliffwatch.tasks.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.cliffwatch.tasks.Sha256;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What users type and read. */
class TasksCommandTest {
  private static final String ITEM =
      "{\"goal\": \"g\u00e9\", \"sol1\": \"a\", \"sol2\": \"b\", \"label\": 1}\n";

  @TempDir Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... args) {
    return TasksCommand.run(new PrintWriter(out), new PrintWriter(err), args);
  }

  private String piqa(String lines) throws IOException {
    return Files.writeString(folder.resolve("validation.jsonl"), lines).toString();
  }

  @Test
  void listNamesEveryTask() {
    assertThat(run("list")).isZero();
    assertThat(out.toString().lines().skip(1))
        .anyMatch(line -> line.matches("piqa +1 +multiple_choice +acc↑ acc_norm↑ acc_bytes↑ .*"))
        .anyMatch(line -> line.matches("wikitext +1 +loglikelihood_rolling +word_perplexity↓.*"));
    assertThat(err.toString()).isEmpty();
  }

  @Test
  void requestsPrintsTheContractsObjects() throws IOException {
    assertThat(run("requests", "piqa", "--data", piqa(ITEM + ITEM), "--limit", "1")).isZero();
    JsonNode row = new ObjectMapper().readTree(out.toString());
    assertThat(row.toString())
        .startsWith(
            "{\"item\":0,\"gold\":1,\"requests\":[[\"Question: g\u00e9\\nAnswer:\",\" a\"],"
                + "[\"Question: g\u00e9\\nAnswer:\",\" b\"]],\"doc_hash\":");
    assertThat(row.get("target_hash").textValue()).isEqualTo(Sha256.of("1"));
    assertThat(row.get("prompt_hash").textValue())
        .isEqualTo(Sha256.of("Question: g\u00e9\nAnswer:"));
  }

  @Test
  void aMalformedLineKeepsItsPlaceAndEndsWithCode3() throws IOException {
    assertThat(run("requests", "piqa", "--data", piqa(ITEM + "{\n" + ITEM))).isEqualTo(3);
    String[] rows = out.toString().split("\n", -1);
    assertThat(rows[0]).startsWith("{\"item\": 0, \"gold\": 1");
    assertThat(rows[1])
        .startsWith("{\"item\": 1, \"error\": ")
        .contains("validation.jsonl, line 2");
    assertThat(rows[2]).startsWith("{\"item\": 2, \"gold\": 1");
    assertThat(err.toString()).contains("validation.jsonl, line 2: found malformed JSON");
  }

  @Test
  void showsTheDefinitionAndItemsAsTheModelSeesThem() throws IOException {
    assertThat(run("show", "piqa", "--data", piqa(ITEM))).isZero();
    assertThat(out.toString())
        .contains("doc_to_text            \"Question: {{goal}}\\nAnswer:\"")
        .contains("layout read            hub")
        .contains("  «Question: g\u00e9\nAnswer:»\n    ‹ a›\n  * ‹ b›\n");
    assertThat(run("show", "copa", "--prompt-version", "v0")).isZero();
    assertThat(out.toString())
        .contains("doc_to_choice          \"{{choice1 | lower_first}}\", \"{{choice2");
  }

  @Test
  void shotsStandBeforeTheQuestionAndAreRecorded() throws IOException {
    String shots =
        Files.writeString(folder.resolve("mine.jsonl"), ITEM.replace("g\u00e9", "s") + ITEM)
            .toString();
    String[] asked = {"piqa", "--data", piqa(ITEM), "--num-fewshot", "1", "--fewshot-data", shots};
    assertThat(run("requests", asked)).isZero();
    assertThat(new ObjectMapper().readTree(out.toString()).at("/requests/0/0").textValue())
        .isEqualTo("Question: s\nAnswer: b\n\nQuestion: g\u00e9\nAnswer:");
    assertThat(run("show", asked)).isZero();
    assertThat(out.toString())
        .contains("shots from             split train, sampler default: train.jsonl, ")
        .contains("shots                  1, sampler default with seed 1234\n")
        .contains("shots' file            " + shots + " sha256 ")
        .contains("  «Question: s\nAnswer: b\n\nQuestion: g\u00e9\nAnswer:»\n");
    assertThat(run("check", asked)).isEqualTo(3);
    assertThat(out.toString()).contains("shots       1, sampler default with seed 1234\n");
    assertThat(run("requests", "piqa", "--data", piqa(ITEM), "--num_fewshot", "1")).isEqualTo(3);
    assertThat(err.toString()).contains(folder + ": found no shot file of task piqa");
  }

  private int run(String command, String[] rest) {
    return run(Stream.concat(Stream.of(command), Stream.of(rest)).toArray(String[]::new));
  }

  @Test
  void unicodesLineSeparatorsDoNotCutALine() throws IOException {
    assertThat(run("requests", "piqa", "--data", piqa(ITEM.replace("g\u00e9", "a\u2028b\u0085"))))
        .isZero();
    assertThat(out.toString()).contains("a\\u2028b\\u0085\\nAnswer:");
    assertThat(new ObjectMapper().readTree(out.toString()).at("/requests/0/0").textValue())
        .isEqualTo("Question: a\u2028b\u0085\nAnswer:");
  }

  @Test
  void tokensNeedTheApplicationJar() throws IOException {
    assertThat(run("show", "piqa", "--data", piqa(ITEM), "--checkpoint", "x")).isEqualTo(3);
    assertThat(err.toString()).contains("--checkpoint: found no tokenizers on the class path");
  }

  @Test
  void checkCountsAndWarns() throws IOException {
    String tie = ITEM.replace("\"b\"", "\"a\"");
    assertThat(run("check", "piqa", "--data", piqa(ITEM + tie + ITEM))).isEqualTo(3);
    assertThat(out.toString())
        .contains("items       3, 0 rejected")
        .contains("answers     1: 3")
        .contains("warning: the document has occurred before (1 items, the first: item 2)")
        .contains(
            "warning: two choices are the same request, so they tie (1 items, the first: item 1)");
    assertThat(err.toString()).contains("found 3 items, expected the 1838 of piqa");
  }

  @Test
  void badUsageAndInputEndWithCode3AndOneLine() throws IOException {
    assertThat(run("requests", "piqua", "--data", "x")).isEqualTo(3);
    assertThat(err.toString()).isEqualTo("error: unknown task 'piqua'; did you mean 'piqa'?\n");
    assertThat(run("requests", "piqa", "--data", "/no/where")).isEqualTo(3);
    assertThat(err.toString()).contains("/no/where: no such file or folder");
    assertThat(run("requests", "piqa", "--data", piqa(ITEM), "--prompt-version", "v2"))
        .isEqualTo(3);
    assertThat(err.toString()).contains("unknown prompt version 'v2'");
    assertThat(run("requests", "piqa")).isEqualTo(3);
    assertThat(err.toString()).contains("Missing required option: '--data=PATH'");
    assertThat(run("requets")).isEqualTo(3);
    assertThat(err.toString()).contains("requests");
    assertThat(out.toString()).isEmpty();
  }

  @Test
  void helpIsData() {
    assertThat(run("--help")).isZero();
    assertThat(out.toString()).contains("list").contains("requests").contains("check");
    assertThat(run("requests", "--help")).isZero();
    assertThat(err.toString()).isEmpty();
  }

  @Test
  void withoutACommandTheUsageIsShown() {
    assertThat(run()).isEqualTo(3);
    assertThat(err.toString()).contains("Missing required subcommand");
  }
}
