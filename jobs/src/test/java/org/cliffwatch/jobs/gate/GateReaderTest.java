package org.cliffwatch.jobs.gate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.cliffwatch.jobs.gate.Gate.Against;
import org.cliffwatch.jobs.gate.Gate.Kind;
import org.cliffwatch.jobs.gate.Gate.Rule;
import org.cliffwatch.jobs.gate.Gate.Undecided;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.jobs.suite.SuiteReader;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.metric.Metric;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GateReaderTest {
  private static Suite suite(String... sets) {
    return new SuiteReader(Precisions.packaged(), Tasks.builtIn(), Map.of())
        .read(
            """
            checkpoints: [{model: tiny, path: /tiny}]
            precisions: [fp32, w8a8]
            tasks: [{task: copa, data: /copa}, {task: lambada_openai, data: /lambada}]
            """,
            "suite.yaml",
            "/",
            List.of(sets));
  }

  private static Gate gate(String rules) {
    return new GateReader(suite()).read("rules:\n" + rules, "gates/mine.yaml");
  }

  @Test
  void keysAndDefaultsAreRead() {
    Gate gate =
        gate(
            """
              - {rule: non_inferiority, margin: 1.5}
              - {rule: trend, name: months, metric: perplexity, margin: 2, runs: 9, alpha: 0.02,
                 level: warn, inconclusive: fail, precisions: [w8a8], tasks: [lambada_openai]}
            """);
    assertThat(gate.name()).isEqualTo("mine");
    assertThat(gate.alpha()).isEqualTo(0.05);
    assertThat(gate.power()).isEqualTo(0.8);
    Rule first = gate.rules().get(0);
    assertThat(first.name()).isEqualTo("non_inferiority");
    assertThat(first.metric()).isEqualTo(Metric.ACC);
    assertThat(first.against()).isEqualTo(Against.ACCEPTED);
    assertThat(first.margin()).isEqualTo(1.5);
    assertThat(first.detect()).isEqualTo(3);
    assertThat(first.error()).isTrue();
    assertThat(first.overMean()).isFalse();
    assertThat(first.hasOwnAlpha()).isFalse();
    assertThat(first.inconclusive()).isEqualTo(Undecided.INCONCLUSIVE);
    Rule second = gate.rules().get(1);
    assertThat(second.kind()).isEqualTo(Kind.TREND);
    assertThat(second.runs()).isEqualTo(9);
    assertThat(second.alpha()).isEqualTo(0.02);
    assertThat(second.error()).isFalse();
    assertThat(second.isAbout("tiny", "w8a8", "lambada_openai")).isTrue();
    assertThat(second.isAbout("tiny", "w8a8", "copa")).isFalse();
    assertThat(second.isAbout("tiny", "fp32", "lambada_openai")).isFalse();
    assertThat(second.higherIsBetter(Metric.PERPLEXITY)).isFalse();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{rule: non_inferiority, margn: 1}|found unknown key 'rules.0.margn'|did you mean 'margin'",
        "{rule: mising}|found 'mising' for 'rules.0.rule'|did you mean 'missing'",
        "{rule: missing, margin: 1}|found unknown key 'rules.0.margin'|",
        "{rule: non_inferiority}|missing key 'rules.0.margin'|",
        "{rule: non_inferiority, margin: -1}|found '-1' for 'rules.0.margin'|a number from 0",
        "{rule: non_inferiority, margin: 1, metric: ac}|found 'ac'|did you mean 'acc'",
        "{rule: non_inferiority, margin: 1, precisions: [w8a]}|found 'w8a'|did you mean 'w8a8'",
        "{rule: non_inferiority, margin: 1, tasks: [coppa]}|found 'coppa'|did you mean 'copa'",
        "{rule: non_inferiority, margin: 2, detect: 1}|found '1' for 'rules.0.detect'|above the margin",
        "{rule: flips, margin: 2, metric: perplexity}|found 'perplexity'|answers that can turn",
        "{rule: speed, margin: 0}|found '0' for 'rules.0.margin'|the least acceptable ratio",
        "{rule: trend, margin: 1, alpha: 1}|found '1' for 'rules.0.alpha'|between 0 and 1",
        "{rule: kl, margin: 1}|found 'kl' for 'rules.0.rule'|a suite with kl: true",
        "{rule: missing, level: eror}|found 'eror'|did you mean 'error'",
      })
  void whatIsWrongIsNamedWithItsLine(String rule, String found, String expected) {
    assertThatThrownBy(() -> gate("  - " + rule))
        .isInstanceOf(SuiteException.class)
        .hasMessageStartingWith("gates/mine.yaml:2: ")
        .hasMessageContaining(found)
        .hasMessageContaining(expected == null ? "" : expected);
  }

  @Test
  void rulesOfOneNameAreRefused() {
    assertThatThrownBy(() -> gate("  - {rule: missing}\n  - {rule: missing}"))
        .hasMessageStartingWith("gates/mine.yaml:3: ")
        .hasMessageContaining("'missing' is there already");
  }

  @ParameterizedTest
  @ValueSource(strings = {"default.yaml", "strict.yaml"})
  void theGatesThatComeWithItAreRead(String file) throws IOException {
    Gate gate =
        new GateReader(suite("kl=true"))
            .read(Files.readString(Path.of("../conf/gates", file)), file);
    assertThat(gate.rules()).isNotEmpty();
  }
}
