package org.cliffwatch.jobs.gate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import javax.xml.XMLConstants;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.SchemaFactory;
import org.cliffwatch.jobs.ExitCode;
import org.cliffwatch.jobs.gate.Gate.Against;
import org.cliffwatch.jobs.gate.Gate.Kind;
import org.cliffwatch.jobs.gate.Gate.Rule;
import org.cliffwatch.jobs.gate.Gate.Undecided;
import org.cliffwatch.jobs.gate.TaskComparison.Site;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.jobs.table.VerdictRow;
import org.cliffwatch.tasks.metric.Metric;
import org.junit.jupiter.api.Test;

class VerdictsTest {
  private static final Slice SLICE = new Slice("m", "w8a8", 3);

  private static Rule rule(
      Kind kind, double margin, boolean mean, boolean error, Undecided undecided, boolean newPass) {
    return new Rule(
        kind.toString(),
        kind,
        Metric.ACC,
        Against.ACCEPTED,
        mean,
        false,
        margin,
        2 * margin,
        Double.NaN,
        30,
        1,
        error,
        undecided,
        newPass,
        Set.of(),
        Set.of(),
        Set.of());
  }

  private static Rule tasks(Undecided undecided) {
    return rule(Kind.NON_INFERIORITY, 1, false, true, undecided, false);
  }

  private static Verdicts verdicts(List<Measured> measured, Rule... rules) {
    Gate gate = new Gate("gate", "gate.yaml", 0.05, 0.8, 0.02, List.of(rules));
    return Verdicts.of(gate, "run", "accepted", measured, List.of());
  }

  private static Measured measured(String task, double change, double error) {
    return new Measured(
        0,
        SLICE,
        task,
        Metric.ACC,
        new Change(change, change, error, 999, 1000, 1, Double.NaN),
        false,
        false,
        null);
  }

  private static Measured problem(String task, boolean isNew, String problem) {
    return new Measured(0, SLICE, task, Metric.ACC, null, isNew, false, problem);
  }

  @Test
  void aChangeIsWorseOrWithinOrNeither() {
    Verdicts verdicts =
        verdicts(
            List.of(
                measured("worse", -5, 1), measured("within", 0, 0.5), measured("neither", -1, 1)),
            tasks(Undecided.INCONCLUSIVE));
    assertThat(verdicts.rows())
        .extracting(VerdictRow::outcome)
        .containsExactly("fail", "pass", "inconclusive");
    // t = (−5 + 1) / 1; three tests, this the first of Holm's.
    VerdictRow worse = verdicts.rows().get(0);
    assertThat(worse.pValue()).isCloseTo(3.4e-5, within(0.2e-5));
    assertThat(worse.pAdjusted()).isCloseTo(3 * worse.pValue(), within(1e-12));
    assertThat(worse.low()).isCloseTo(-5 - 1.646, within(0.001));
    assertThat(verdicts.rows().get(2).reason())
        .contains("items would find a worsening of 2 in 80 %");
    assertThat(verdicts.exitCode(ExitCode.DONE)).isEqualTo(ExitCode.GATE_FAILED);
    assertThat(verdicts.exitCode(ExitCode.CELLS_FAILED)).isEqualTo(ExitCode.GATE_FAILED);
  }

  @Test
  void moreTestsMakeAFailureHarder() {
    List<Measured> many = new ArrayList<>();
    many.add(measured("worse", -3, 1));
    assertThat(verdicts(many, tasks(Undecided.INCONCLUSIVE)).rows().get(0).outcome())
        .isEqualTo("fail");
    for (int i = 0; i < 9; i++) {
      many.add(measured("other" + i, 0, 0.1));
    }
    assertThat(verdicts(many, tasks(Undecided.INCONCLUSIVE)).rows().get(0).outcome())
        .isEqualTo("inconclusive");
  }

  @Test
  void whatIsUndecidedIsWhatTheRuleSays() {
    List<Measured> undecided = List.of(measured("piqa", -1, 1));
    for (Undecided counts : Undecided.values()) {
      assertThat(verdicts(undecided, tasks(counts)).rows().get(0).outcome())
          .isEqualTo(counts.toString());
    }
    assertThat(verdicts(undecided, tasks(Undecided.INCONCLUSIVE)).exitCode(ExitCode.DONE))
        .isEqualTo(ExitCode.GATE_INCONCLUSIVE);
    Rule warning = rule(Kind.NON_INFERIORITY, 1, false, false, Undecided.FAIL, false);
    assertThat(verdicts(undecided, warning).exitCode(ExitCode.DONE)).isEqualTo(ExitCode.DONE);
    assertThat(verdicts(undecided, warning).exitCode(ExitCode.CELLS_FAILED))
        .isEqualTo(ExitCode.CELLS_FAILED);
  }

  @Test
  void aMeanIsNotMadeOfFewerTasks() {
    Rule mean = rule(Kind.NON_INFERIORITY, 1, true, true, Undecided.INCONCLUSIVE, false);
    VerdictRow row =
        verdicts(List.of(measured("piqa", 0, 0.1), problem("copa", false, "other items")), mean)
            .rows()
            .get(0);
    assertThat(row.outcome()).isEqualTo("incomparable");
    assertThat(row.reason()).isEqualTo("copa: other items");
    assertThat(row.value()).isNull();
    row = verdicts(List.of(measured("piqa", 0, 0.3), measured("copa", 1, 0.4)), mean).rows().get(0);
    assertThat(row.outcome()).isEqualTo("pass");
    assertThat(row.value()).isEqualTo(0.5);
    assertThat(row.task()).isEqualTo("mean");
    assertThat(row.items()).isEqualTo(2000);
  }

  @Test
  void aNewCellPassesWhereTheRuleLetsIt() {
    List<Measured> fresh = List.of(problem("piqa", true, "new"));
    assertThat(verdicts(fresh, tasks(Undecided.PASS)).rows().get(0).outcome())
        .isEqualTo("incomparable");
    Rule lenient = rule(Kind.NON_INFERIORITY, 1, false, true, Undecided.PASS, true);
    assertThat(verdicts(fresh, lenient).rows().get(0).outcome()).isEqualTo("pass");
  }

  private static RecordedCell cell(String task, Double speed, String cpu, String error) {
    return new RecordedCell(
        SLICE, task, task, "scores", "key", null, "kernel", 1, speed, cpu, true, error);
  }

  @Test
  void missingCellsAreCounted() {
    Rule rule = rule(Kind.MISSING, 0, false, true, Undecided.PASS, false);
    Gate gate = new Gate("gate", "gate.yaml", 0.05, 0.8, 0.02, List.of(rule));
    RecordedCell there = cell("piqa", null, null, null);
    Site whole = new Site(SLICE, there, there, List.of());
    Site gone = new Site(SLICE, null, cell("copa", null, null, null), List.of());
    Site failed = new Site(SLICE, cell("sciq", null, null, "no memory"), there, List.of());
    assertThat(Verdicts.of(gate, "run", "accepted", List.of(), List.of(whole)).rows())
        .singleElement()
        .matches(row -> row.is("pass") && row.reason().equals("all of 1 cells are there"));
    assertThat(Verdicts.of(gate, "run", "accepted", List.of(), List.of(whole, gone)).rows())
        .singleElement()
        .matches(row -> row.is("pass") && row.reason().endsWith("allowed: 1"));
    assertThat(Verdicts.of(gate, "run", "accepted", List.of(), List.of(failed, gone)).rows())
        .hasSize(2)
        .allMatch(row -> row.is("fail"))
        .extracting(VerdictRow::task)
        .containsExactly("sciq", "copa");
  }

  @Test
  void speedIsTheGeometricMeanOverCells() {
    Rule rule = rule(Kind.SPEED, 0.8, false, true, Undecided.INCONCLUSIVE, false);
    Gate gate = new Gate("gate", "gate.yaml", 0.05, 0.8, 0.02, List.of(rule));
    List<Site> slow = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      slow.add(
          new Site(
              SLICE,
              cell("t" + i, 50.0 + i, "cpu", null),
              cell("t" + i, 100.0 + 2 * i, "cpu", null),
              List.of()));
    }
    VerdictRow row = Verdicts.of(gate, "run", "accepted", List.of(), slow).rows().get(0);
    assertThat(row.outcome())
        .isEqualTo("inconclusive"); // all alike: nothing to judge the spread by
    assertThat(row.value()).isCloseTo(0.5, within(1e-12));
    slow.set(
        0,
        new Site(SLICE, cell("t0", 52.0, "cpu", null), cell("t0", 100.0, "cpu", null), List.of()));
    row = Verdicts.of(gate, "run", "accepted", List.of(), slow).rows().get(0);
    assertThat(row.outcome()).isEqualTo("fail");
    assertThat(row.low()).isLessThan(row.value());
    assertThat(row.minimumDetectable()).isBetween(0.7, 0.8);
    slow.set(
        0,
        new Site(
            SLICE, cell("t0", 52.0, "cpu", null), cell("t0", 100.0, "other", null), List.of()));
    row = Verdicts.of(gate, "run", "accepted", List.of(), slow).rows().get(0);
    assertThat(row.outcome()).isEqualTo("incomparable");
    assertThat(row.reason()).contains("two machines");
  }

  @Test
  void reportsHoldWhatTheRowsSayWhateverTheirText() throws Exception {
    String nasty = "<b>&\"'|`*_\u0001\uD800]]>\nü";
    Verdicts verdicts =
        verdicts(
            List.of(
                measured("worse" + nasty, -5, 1),
                measured("within", 0, 0.5),
                problem("other", false, nasty)),
            tasks(Undecided.INCONCLUSIVE));
    GateReport report = new GateReport("suite" + nasty, verdicts, 1);
    SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI)
        .newSchema(VerdictsTest.class.getResource("/junit.xsd"))
        .newValidator()
        .validate(new StreamSource(new StringReader(report.junit())));
    assertThat(report.junit())
        .contains("tests=\"3\" failures=\"1\" errors=\"1\" skipped=\"0\"")
        .doesNotContain("<b>");
    assertThat(report.markdown())
        .contains("&lt;b>")
        .doesNotContain("<b>")
        .contains("| 1 | 1 | 0 | 1 |");
    assertThat(report.table())
        .contains("3 verdicts: 1 passed, 1 failed, 0 inconclusive, 1 incomparable");
    assertThat(report.line()).startsWith("cliffwatch suite").contains(": FAIL, 3 verdicts");
  }
}
