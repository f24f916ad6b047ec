package org.cliffwatch.jobs.gate;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.cliffwatch.jobs.ExitCode;
import org.cliffwatch.jobs.aggregate.PairedComparison;
import org.cliffwatch.jobs.gate.Gate.Kind;
import org.cliffwatch.jobs.gate.Gate.Rule;
import org.cliffwatch.jobs.gate.Gate.Undecided;
import org.cliffwatch.jobs.gate.TaskComparison.Site;
import org.cliffwatch.jobs.table.DegradationRow;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.jobs.table.VerdictRow;
import org.cliffwatch.tasks.metric.Metric;

/**
 * What a gate makes of a run. A rule fails where its change is worse than the margin (adjusted by
 * Holm over all that was tested, so that the chance of any false failure is at most the gate's
 * alpha); it passes where the change is within the margin, which needs no adjustment, since a run
 * passes only if all of its rules do (Berger 1982, "Multiparameter hypothesis testing and
 * acceptance sampling"); else it is inconclusive.
 *
 * @param baselineRun what was compared with; null for a first run
 * @param rows in the order of the gate's rules
 */
public record Verdicts(Gate gate, String runId, String baselineRun, List<VerdictRow> rows) {

  /** One test: a cell, or the mean over a checkpoint's tasks. */
  record Judged(
      int rule,
      String model,
      String precision,
      Long step,
      String task,
      Metric metric,
      Change change,
      boolean isNew,
      boolean isSame,
      String problem) {

    /** A cell's. */
    static Judged of(Measured cell, String task) {
      Slice slice = cell.slice();
      return new Judged(
          cell.rule(),
          slice.model(),
          slice.precision(),
          slice.step(),
          task,
          cell.metric(),
          cell.change(),
          cell.isNew(),
          cell.isSame(),
          cell.problem());
    }

    boolean isTested() {
      return problem == null && !isSame && change != null && change.isTestable();
    }
  }

  /**
   * @param measured what the rules that need scores have
   * @param sites all cells of this run and of the accepted one, of which rules may be
   */
  static Verdicts of(
      Gate gate, String runId, String baselineRun, List<Measured> measured, List<Site> sites) {
    List<Judged> judged = judged(gate, measured);
    if (baselineRun != null) {
      judged.addAll(speeds(gate, sites));
    }
    double[] p = new double[judged.size()];
    double[] adjusted = new double[p.length];
    int[] family = new int[p.length];
    test(gate, judged, p, adjusted, family);
    List<VerdictRow> rows = new ArrayList<>();
    for (int rule = 0; rule < gate.rules().size(); rule++) {
      for (int i = 0; i < p.length; i++) {
        if (judged.get(i).rule() == rule) {
          rows.add(row(gate, judged.get(i), baselineRun, p[i], adjusted[i], family[i]));
        }
      }
      Rule of = gate.rules().get(rule);
      if (of.kind() == Kind.MISSING) {
        rows.addAll(missing(of, sites, baselineRun));
      }
    }
    return new Verdicts(gate, runId, baselineRun, rows);
  }

  /** What is tested: cells as they are, or the mean over the tasks of each. */
  static List<Judged> judged(Gate gate, List<Measured> measured) {
    List<Judged> judged = new ArrayList<>();
    for (int rule = 0; rule < gate.rules().size(); rule++) {
      int index = rule;
      List<Measured> own = measured.stream().filter(cell -> cell.rule() == index).toList();
      if (gate.rules().get(rule).overMean()) {
        own.stream()
            .collect(
                Collectors.groupingBy(Measured::slice, LinkedHashMap::new, Collectors.toList()))
            .values()
            .forEach(tasks -> judged.add(mean(tasks)));
      } else {
        own.forEach(cell -> judged.add(Judged.of(cell, cell.task())));
      }
    }
    return judged;
  }

  /** A mean over fewer tasks would be another quantity: one that has a problem leaves none. */
  private static Judged mean(List<Measured> tasks) {
    Measured first = tasks.get(0);
    String problem =
        tasks.stream()
            .filter(task -> task.problem() != null)
            .map(task -> task.task() + ": " + task.problem())
            .collect(Collectors.joining("; "));
    return Judged.of(
        new Measured(
            first.rule(),
            first.slice(),
            DegradationRow.MEAN,
            first.metric(),
            problem.isEmpty() ? Change.mean(tasks.stream().map(Measured::change).toList()) : null,
            tasks.stream().allMatch(Measured::isNew),
            tasks.stream().allMatch(Measured::isSame),
            problem.isEmpty() ? null : problem),
        DegradationRow.MEAN);
  }

  /** A precision's speed: the mean over its cells of the logarithm of how much faster they were. */
  private static List<Judged> speeds(Gate gate, List<Site> sites) {
    List<Judged> judged = new ArrayList<>();
    for (int index = 0; index < gate.rules().size(); index++) {
      Rule rule = gate.rules().get(index);
      if (rule.kind() != Kind.SPEED) {
        continue;
      }
      Map<String, List<Site>> byPrecision = new TreeMap<>();
      for (Site site : sites) {
        if (isAbout(rule, site)
            && site.now() != null
            && site.now().scoredNow()
            && site.now().tokensPerSecond() != null
            && site.accepted() != null
            && site.accepted().tokensPerSecond() != null) {
          byPrecision.computeIfAbsent(site.slice().precision(), p -> new ArrayList<>()).add(site);
        }
      }
      for (Map.Entry<String, List<Site>> of : byPrecision.entrySet()) {
        String problem = otherMachine(of.getValue());
        double[] logs =
            of.getValue().stream()
                .mapToDouble(
                    site ->
                        Math.log(site.now().tokensPerSecond() / site.accepted().tokensPerSecond()))
                .toArray();
        judged.add(
            new Judged(
                index,
                null,
                of.getKey(),
                null,
                null,
                null,
                problem == null ? Change.ofSample(logs) : null,
                false,
                false,
                problem));
      }
    }
    return judged;
  }

  private static String otherMachine(List<Site> sites) {
    for (Site site : sites) {
      RecordedCell now = site.now();
      RecordedCell accepted = site.accepted();
      if (!now.kernel().equals(accepted.kernel()) || !Objects.equals(now.cpu(), accepted.cpu())) {
        return "speeds of two machines: %s on %s now, %s on %s accepted"
            .formatted(
                now.kernel(),
                now.cpu(),
                accepted.kernel(),
                accepted.cpu() == null ? "an unknown processor" : accepted.cpu());
      }
    }
    return null;
  }

  private static boolean isAbout(Rule rule, Site site) {
    return rule.isAbout(site.slice().model(), site.slice().precision(), site.task());
  }

  /** p-values, adjusted over the gate's tests, or over a rule's own where it has its own alpha. */
  private static void test(
      Gate gate, List<Judged> judged, double[] p, double[] adjusted, int[] family) {
    Map<Integer, List<Integer>> families = new TreeMap<>();
    for (int i = 0; i < p.length; i++) {
      Judged of = judged.get(i);
      Rule rule = gate.rules().get(of.rule());
      p[i] = Double.NaN;
      adjusted[i] = Double.NaN;
      if (of.isTested()) {
        p[i] = of.change().pWorse(margin(rule), rule.higherIsBetter(of.metric()));
        families
            .computeIfAbsent(rule.hasOwnAlpha() ? of.rule() : -1, f -> new ArrayList<>())
            .add(i);
      }
    }
    for (List<Integer> members : families.values()) {
      double[] holm = PairedComparison.holm(members.stream().mapToDouble(i -> p[i]).toArray());
      for (int k = 0; k < holm.length; k++) {
        adjusted[members.get(k)] = holm[k];
        family[members.get(k)] = holm.length;
      }
    }
  }

  /** The margin in the unit of the change: speeds are compared by their logarithms. */
  static double margin(Rule rule) {
    return rule.kind() == Kind.SPEED ? -Math.log(rule.margin()) : rule.margin();
  }

  static double alpha(Gate gate, Rule rule) {
    return rule.hasOwnAlpha() ? rule.alpha() : gate.alpha();
  }

  private static VerdictRow row(
      Gate gate, Judged of, String baselineRun, double p, double adjusted, int family) {
    Rule rule = gate.rules().get(of.rule());
    double alpha = alpha(gate, rule);
    String outcome;
    String reason;
    if (of.isNew() && rule.newCellsPass()) {
      outcome = VerdictRow.PASS;
      reason = of.problem();
    } else if (rule.kind() == Kind.REPRODUCTION) {
      outcome = of.problem() == null ? VerdictRow.PASS : VerdictRow.FAIL;
      reason = of.problem() == null ? "equal to the bit" : of.problem();
    } else if (of.problem() != null) {
      outcome = VerdictRow.INCOMPARABLE;
      reason = of.problem();
    } else if (of.isSame()) {
      outcome = VerdictRow.PASS;
      reason = "the same cells: equal to the bit";
    } else if (!of.isTested()) {
      outcome = undecided(rule);
      reason = "too few items to test, or a baseline of 0" + asConfigured(rule);
    } else if (adjusted <= alpha) {
      outcome = VerdictRow.FAIL;
      reason = "worse than the margin" + chances(p, adjusted, family);
    } else if (isWithin(rule, of, alpha)) {
      outcome = VerdictRow.PASS;
      reason = "within the margin, with confidence " + number(100 * (1 - alpha)) + " %";
    } else {
      outcome = undecided(rule);
      reason =
          "neither shown to be worse than the margin nor to be within it"
              + needed(gate, rule, of, alpha / family)
              + asConfigured(rule);
    }
    boolean tested = of.isTested();
    boolean valued = of.change() != null && !Double.isNaN(of.change().value());
    double[] interval = tested ? of.change().interval(alpha) : new double[2];
    return new VerdictRow(
        rule.name(),
        rule.error() ? VerdictRow.ERROR : VerdictRow.WARN,
        of.model(),
        of.precision(),
        of.step(),
        of.task(),
        rule.judged(of.metric()),
        rule.unit(of.metric()),
        outcome,
        valued ? shown(rule, of.change().value()) : null,
        tested ? shown(rule, interval[0]) : null,
        tested ? shown(rule, interval[1]) : null,
        rule.kind() == Kind.REPRODUCTION ? null : (Double) rule.margin(),
        tested ? (Double) p : null,
        tested ? (Double) adjusted : null,
        tested ? detectable(gate, rule, of.change(), alpha / family) : null,
        of.change() == null ? null : (Long) of.change().items(),
        rule.needsAccepted() ? baselineRun : null,
        reason);
  }

  static Double detectable(Gate gate, Rule rule, Change change, double alpha) {
    double worsening = change.detectable(margin(rule), alpha, gate.power());
    return rule.kind() == Kind.SPEED ? Math.exp(-worsening) : worsening;
  }

  private static boolean isWithin(Rule rule, Judged of, double alpha) {
    double[] interval = of.change().interval(alpha);
    return rule.higherIsBetter(of.metric())
        ? interval[0] > -margin(rule)
        : interval[1] < margin(rule);
  }

  private static String undecided(Rule rule) {
    return switch (rule.inconclusive()) {
      case PASS -> VerdictRow.PASS;
      case FAIL -> VerdictRow.FAIL;
      case INCONCLUSIVE -> VerdictRow.INCONCLUSIVE;
    };
  }

  private static String asConfigured(Rule rule) {
    return rule.inconclusive() == Undecided.INCONCLUSIVE
        ? ""
        : "; inconclusive, which the rule counts as " + rule.inconclusive();
  }

  private static String chances(double p, double adjusted, int family) {
    return String.format(Locale.ROOT, ": p %.2g, %.2g adjusted over %d tests", p, adjusted, family);
  }

  private static String needed(Gate gate, Rule rule, Judged of, double alpha) {
    if (rule.kind() == Kind.SPEED || rule.detect() <= rule.margin()) {
      return "";
    }
    double items = of.change().itemsToDetect(rule.detect(), rule.margin(), alpha, gate.power());
    double replicas =
        of.change().replicasToDetect(rule.detect(), rule.margin(), alpha, gate.power());
    return String.format(
        Locale.ROOT,
        "; %.0f items%s would find a worsening of %s in %.0f %% of runs",
        items,
        Double.isNaN(replicas) ? "" : String.format(Locale.ROOT, " or %.0f replicas", replicas),
        number(rule.detect()),
        100 * gate.power());
  }

  private static Double shown(Rule rule, double value) {
    return rule.kind() == Kind.SPEED ? Math.exp(value) : value;
  }

  /** A row for each cell that is missing or failed; one that says so where none is. */
  private static List<VerdictRow> missing(Rule rule, List<Site> sites, String baselineRun) {
    List<VerdictRow> rows = new ArrayList<>();
    List<Site> own = sites.stream().filter(site -> isAbout(rule, site)).toList();
    List<Site> missing =
        own.stream().filter(site -> site.now() == null || site.now().failed()).toList();
    boolean allowed = missing.size() <= rule.allowed();
    for (Site site : missing) {
      Slice slice = site.slice();
      rows.add(
          missing(
              rule,
              slice,
              site.task(),
              allowed ? VerdictRow.PASS : VerdictRow.FAIL,
              baselineRun,
              (site.now() == null
                      ? "missing: the accepted run has this cell and this run has not"
                      : "failed: " + site.now().error())
                  + (allowed ? "; allowed: " + rule.allowed() : "")));
    }
    if (missing.isEmpty()) {
      rows.add(
          missing(
              rule,
              new Slice(null, null, 0),
              null,
              VerdictRow.PASS,
              baselineRun,
              "all of " + own.size() + " cells are there"));
    }
    return rows;
  }

  private static VerdictRow missing(
      Rule rule, Slice slice, String task, String outcome, String baselineRun, String reason) {
    return new VerdictRow(
        rule.name(),
        rule.error() ? VerdictRow.ERROR : VerdictRow.WARN,
        slice.model(),
        slice.precision(),
        slice.model() == null ? null : (Long) slice.step(),
        task,
        null,
        null,
        outcome,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        baselineRun,
        reason);
  }

  static String number(double value) {
    return String.format(Locale.ROOT, "%.4g", value)
        .replaceAll("(\\.[0-9]*?)0+$", "$1")
        .replaceAll("\\.$", "");
  }

  /** Rows of an outcome that count for the exit code. */
  long errors(String outcome) {
    return count(row -> row.isError() && row.is(outcome));
  }

  long count(Predicate<VerdictRow> of) {
    return rows.stream().filter(of).count();
  }

  /**
   * 1 where a rule failed, else the evaluation's own where a cell failed, else 2 where a rule is
   * inconclusive or had nothing to compare, else 0; warnings do not count.
   *
   * @param evaluation the evaluation's exit code
   */
  public int exitCode(int evaluation) {
    if (errors(VerdictRow.FAIL) > 0) {
      return ExitCode.GATE_FAILED;
    }
    if (evaluation != ExitCode.DONE) {
      return evaluation;
    }
    return errors(VerdictRow.INCONCLUSIVE) + errors(VerdictRow.INCOMPARABLE) > 0
        ? ExitCode.GATE_INCONCLUSIVE
        : ExitCode.DONE;
  }

  /** Whether nothing forbids that later runs are compared with this one. */
  public boolean mayBeAccepted(int evaluation) {
    return exitCode(evaluation) == ExitCode.DONE;
  }

  /** The worst failure: the smallest adjusted p-value, those without one first. */
  Optional<VerdictRow> worst() {
    return rows.stream()
        .filter(row -> row.isError() && row.is(VerdictRow.FAIL))
        .min(
            java.util.Comparator.comparingDouble(
                row -> row.pAdjusted() == null ? 0 : row.pAdjusted()));
  }
}
