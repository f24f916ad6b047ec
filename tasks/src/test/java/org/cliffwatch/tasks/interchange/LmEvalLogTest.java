package org.cliffwatch.tasks.interchange;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.Shared;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.item.ItemSet;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.metric.MetricState;
import org.cliffwatch.tasks.prompt.PythonJson;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LmEvalLogTest {
  /** A sum's order is not logged. */
  private static final double TOLERANCE = 1e-12;

  @TempDir Path folder;

  @Test
  @Tag("shared")
  void aWholeRunIsReadCheckedCountedAndWrittenAgain() throws IOException {
    List<Path> files = new ArrayList<>();
    try (Stream<Path> all = Files.list(Shared.path("golden/lm-eval-smollm2"))) {
      all.filter(file -> file.getFileName().toString().matches("(results|samples_).*"))
          .forEach(files::add);
    }
    LmEvalLog log = LmEvalLog.read(files);
    assertThat(log.samples()).hasSize(8);
    log.samples()
        .forEach(
            (name, samples) -> {
              TaskDefinition task = Tasks.load(name);
              List<ItemResult> results = new ArrayList<>();
              for (LmEvalSample sample : samples) {
                sample.checkHashes();
                ItemResult result = sample.result(task);
                assertThat(result.correct()).isEqualTo(sample.row().get("acc").doubleValue() == 1);
                results.add(result);
              }
              for (Metric metric : List.of(Metric.ACC, Metric.ACC_NORM)) {
                if (log.value(name, metric).isPresent()) {
                  MetricState state = metric.over(results);
                  assertThat(state.value())
                      .isCloseTo(log.value(name, metric).getAsDouble(), within(TOLERANCE));
                  assertThat(state.stderr().orElseThrow())
                      .isCloseTo(log.stderr(name, metric).getAsDouble(), within(TOLERANCE));
                }
              }
            });

    Path results = folder.resolve("again/results.json");
    log.write(results);
    List<Path> written = new ArrayList<>();
    try (Stream<Path> all = Files.list(results.getParent())) {
      all.forEach(written::add);
    }
    LmEvalLog again = LmEvalLog.read(written);
    assertThat(again.results()).isEqualTo(log.results());
    log.samples()
        .forEach(
            (name, samples) ->
                assertThat(again.samples().get(name).stream().map(LmEvalSample::row))
                    .containsExactlyElementsOf(samples.stream().map(LmEvalSample::row).toList()));
    assertThat(Files.readAllLines(results.resolveSibling("samples_copa.jsonl")).get(0))
        .isEqualTo(
            PythonJson.line(
                Shared.jsonLines("golden/lm-eval-smollm2/samples_copa.jsonl.gz").get(0)));
  }

  @Test
  void readsTheResultsOfVersionZero() throws IOException {
    Path results =
        Files.writeString(
            folder.resolve("results.json"),
            "{\"results\": {\"lambada_openai\": {\"ppl\": 142.4, \"ppl_stderr\": 6.2, \"acc\":"
                + " 0.18}}, \"config\": {\"model_args\":"
                + " \"pretrained=EleutherAI/pythia-70m,revision=step1000,dtype=float16\"}}");
    LmEvalLog log = LmEvalLog.read(List.of(results));
    assertThat(log.isOfVersionZero()).isTrue();
    assertThat(log.value("lambada_openai", Metric.PERPLEXITY)).hasValue(142.4);
    assertThat(log.stderr("lambada_openai", Metric.PERPLEXITY)).hasValue(6.2);
    assertThat(log.value("lambada_openai", Metric.ACC)).hasValue(0.18);
    assertThat(log.stderr("lambada_openai", Metric.ACC)).isEmpty();
    assertThat(log.model()).hasValue("pythia-70m");
    assertThat(log.dtype()).hasValue("float16");
    assertThat(log.version()).isEmpty();
  }

  private LmEvalSample sample(String json) throws IOException {
    return new LmEvalSample("samples.jsonl, line 1", (ObjectNode) Shared.JSON.readTree(json));
  }

  /** What lm-evaluation-harness's own files hold: every number and truth a text. */
  @Test
  void readsTheTextsOfItsFiles() throws IOException {
    LmEvalSample sample =
        sample(
            "{\"doc_id\": 3, \"doc\": {}, \"target\": \"1\", \"arguments\": {\"gen_args_0\":"
                + " {\"arg_0\": \"c\", \"arg_1\": \" \u00e9\"}, \"gen_args_1\": {\"arg_0\": \"c\","
                + " \"arg_1\": \" ab\"}}, \"resps\": [[[\"-1.5\", \"False\"]], [[\"-inf\", \"True\"]]],"
                + " \"filtered_resps\": [[\"-1.5\", \"False\"], [\"-inf\", \"True\"]], \"acc\": 0.0}");
    ItemResult result = sample.result(Tasks.load("piqa"));
    assertThat(result.item()).isEqualTo(3);
    assertThat(result.gold()).isEqualTo(1);
    assertThat(result.chosen()).isZero();
    assertThat(result.choices().get(0).characters()).isEqualTo(1);
    assertThat(result.choices().get(0).bytes()).isEqualTo(2);
    assertThat(result.choices().get(1).logLikelihood()).isEqualTo(Double.NEGATIVE_INFINITY);
    assertThat(result.choices().get(1).greedy()).isTrue();
  }

  @Test
  void readsRollingSamples() throws IOException {
    LmEvalSample sample =
        sample(
            "{\"doc_id\": 0, \"target\": \"page\", \"arguments\": [[\"page\"]], \"filtered_resps\":"
                + " [-12.5], \"word_perplexity\": [-12.5, 7], \"byte_perplexity\": [-12.5, 40]}");
    ItemResult result = sample.result(Tasks.load("wikitext"));
    assertThat(result.choices().get(0).words()).isEqualTo(7);
    assertThat(result.choices().get(0).bytes()).isEqualTo(40);
    assertThat(result.gold()).isNull();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      value = {
        "\"doc_id\": 0 ~ \"doc_id\": -1 ~ doc_id: found -1, expected a position from 0",
        "\"target\": 1 ~ \"target\": 2 ~ target: found index 2, expected 0 to 1",
        "\"target\": 1 ~ \"target\": \"x\" ~ target: found 'x', expected an index or one of the",
        "\"target\": 1 ~ \"other\": 1 ~ field 'target' is missing",
        "[-1, false], [-2, true] ~ [-1, false] ~ filtered_resps: found 1, expected 2",
        "[-2, true] ~ [-2] ~ expected a log-likelihood and whether it is greedy",
        "[-2, true] ~ [\"x\", true] ~ found \"x\", expected a number",
        "[-2, true] ~ [-2, \"maybe\"] ~ found \"maybe\", expected True or False",
        "\"target\": 1 ~ \"target\": 1, \"filter\": \"pick\" ~ filter: found 'pick', expected 'none'",
      })
  void malformedSamplesAreNamed(String from, String to, String message) throws IOException {
    String valid =
        "{\"doc_id\": 0, \"target\": 1, \"arguments\": [[\"c\", \" a\"], [\"c\", \" b\"]],"
            + " \"filtered_resps\": [[-1, false], [-2, true]]}";
    TaskDefinition task = Tasks.load("piqa");
    assertThat(sample(valid).result(task).gold()).isEqualTo(1);
    LmEvalSample damaged = sample(valid.replace(from, to));
    assertThat(valid).contains(from);
    assertThatThrownBy(() -> damaged.result(task))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith("samples.jsonl, line 1: ")
        .hasMessageContaining(message);
  }

  @Test
  void hashesThatAreNotTheirTextsAreRefused() throws IOException {
    LmEvalSample sample =
        sample(
            "{\"doc_id\": 0, \"doc\": {\"a\": 1}, \"target\": 1, \"arguments\": [[\"c\", \" a\"]],"
                + " \"doc_hash\": \"00\", \"prompt_hash\": \"00\", \"target_hash\": \"00\"}");
    assertThatThrownBy(sample::checkHashes)
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("doc_hash: found 00, expected ");
  }

  @Test
  void otherFilesAreRefused() throws IOException {
    Path other = Files.writeString(folder.resolve("other.json"), "{\"a\": 1}");
    assertThatThrownBy(() -> LmEvalLog.read(List.of(other)))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("other.json: found neither 'results' nor a name like");
    Path results = Files.writeString(folder.resolve("results.json"), "{\"results\": {}}");
    assertThatThrownBy(() -> LmEvalLog.read(List.of(results, results)))
        .hasMessageContaining("found a second results file");
    Path samples =
        Files.writeString(folder.resolve("samples_piqa_2026-01-02T03-04-05.6.jsonl"), "{");
    assertThatThrownBy(() -> LmEvalLog.read(List.of(samples)))
        .hasMessageContaining("line 1: found malformed JSON");
  }

  @Test
  void saysWhatStoodBeforeTheQuestions() throws IOException {
    Path file =
        Files.writeString(
            folder.resolve("results.json"),
            "{\"results\": {}, \"n-shot\": {\"piqa\": 5, \"mmlu\": 2, \"copa\": 0}, \"config\":"
                + " {\"fewshot_seed\": 1234}, \"configs\": {\"piqa\": {\"fewshot_config\":"
                + " {\"sampler\": \"default\"}}, \"mmlu\": {\"fewshot_config\": {\"sampler\":"
                + " \"first_n\"}}}}");
    LmEvalLog log = LmEvalLog.read(List.of(file));
    assertThat(log.shots("piqa").drawn()).isEqualTo("5-default-1234");
    assertThat(log.shots("mmlu").drawn()).isEqualTo("2-first_n");
    assertThat(log.shots("copa").drawn()).isEqualTo("0");
  }

  @Test
  void ourScoresAreExportedInItsKeys() throws IOException {
    TaskDefinition task = Tasks.load("copa");
    List<ItemResult> results = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      LmEvalSample sample =
          sample(
              "{\"doc_id\": "
                  + i
                  + ", \"target\": "
                  + i % 2
                  + ", \"arguments\": [[\"c\", \"  a\"],"
                  + " [\"c\", \"  b\"]], \"filtered_resps\": [[-1.25, false], [-2, true]]}");
      results.add(sample.result(task));
    }
    LmEvalLog log =
        new LmEvalExport("toy", "w8a8")
            .add(
                task,
                100,
                3,
                results,
                Stream.of("a", "b", "c", "d")
                    .map(hash -> Shared.JSON.createObjectNode().put("doc_hash", hash))
                    .toList())
            .log();
    Path file = folder.resolve("results.json");
    log.write(file);
    LmEvalLog read = LmEvalLog.read(List.of(file, folder.resolve("samples_copa.jsonl")));
    assertThat(read.tasks()).containsExactly("copa");
    assertThat(read.value("copa", Metric.ACC)).hasValue(0.5);
    assertThat(read.stderr("copa", Metric.ACC).orElseThrow()).isCloseTo(0.288675, within(1e-6));
    assertThat(read.value("copa", Metric.ACC_NORM)).isEmpty();
    assertThat(read.model()).hasValue("toy");
    assertThat(read.dtype()).hasValue("w8a8");
    assertThat(read.isOfVersionZero()).isFalse();
    assertThat(read.results().at("/versions/copa").doubleValue()).isEqualTo(1.0);
    assertThat(read.results().at("/n-samples/copa").toString())
        .isEqualTo("{\"original\":100,\"effective\":4}");
    assertThat(read.results().at("/n-shot/copa").intValue()).isEqualTo(3);
    assertThat(read.shots("copa").count()).isEqualTo(3);
    assertThat(read.shots("piqa")).isEqualTo(ItemSet.Shots.NONE);
    assertThat(read.results().at("/higher_is_better/copa/acc").booleanValue()).isTrue();
    assertThat(read.results().at("/config/model_args").textValue())
        .isEqualTo("pretrained=toy,dtype=w8a8");
    assertThat(read.samples().get("copa").get(2).row().toString())
        .isEqualTo(
            "{\"doc_id\":2,\"target\":\"0\",\"resps\":[[[-1.25,false]],[[-2.0,true]]],"
                + "\"filtered_resps\":[[-1.25,false],[-2.0,true]],\"filter\":\"none\","
                + "\"metrics\":[\"acc\"],\"doc_hash\":\"c\",\"acc\":1.0}");
  }
}
