package org.cliffwatch.jobs.gate;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.cliffwatch.jobs.gate.Gate.Against;
import org.cliffwatch.jobs.gate.Gate.Kind;
import org.cliffwatch.jobs.gate.Gate.Rule;
import org.cliffwatch.jobs.gate.Verdicts.Judged;
import org.cliffwatch.jobs.plan.Cell;
import org.cliffwatch.jobs.plan.Plan;
import org.cliffwatch.jobs.present.TextTable;
import org.cliffwatch.tasks.metric.Metric;

/**
 * What a gate can detect of a plan, before it is run: of each rule, precision and task the cell
 * that tells least.
 */
final class Forecast {
  private static final String[] HEADER = {
    "rule",
    "precision",
    "task",
    "items",
    "margin",
    "unit",
    "detects",
    "to find",
    "items needed",
    "replicas needed",
    "passes unchanged"
  };
  private static final String NONE = "-";

  private Forecast() {}

  /**
   * @param expected of the accepted run's cells
   */
  static String of(Gate gate, Plan plan, List<Measured> expected) {
    List<Measured> all = new ArrayList<>(expected);
    all.addAll(withoutAccepted(gate, plan, expected));
    List<Judged> judged = Verdicts.judged(gate, all).stream().filter(Judged::isTested).toList();
    Map<String, List<Judged>> groups = new LinkedHashMap<>();
    for (Judged of : judged) {
      groups
          .computeIfAbsent(
              String.join("\0", "" + of.rule(), of.precision(), of.task()), g -> new ArrayList<>())
          .add(of);
    }
    List<String[]> rows = new ArrayList<>();
    groups
        .values()
        .forEach(
            group ->
                rows.add(
                    row(
                        gate,
                        group.stream()
                            .max(Comparator.comparingDouble(of -> of.change().standardError()))
                            .orElseThrow(),
                        judged)));
    return String.format(
            Locale.ROOT,
            "\nWhat gate '%s' finds with a power of %s %%, at an alpha of %s over %d tests;"
                + " speeds are not forecast:\n\n",
            gate.name(),
            Verdicts.number(100 * gate.power()),
            Verdicts.number(gate.alpha()),
            judged.stream().filter(of -> !gate.rules().get(of.rule()).hasOwnAlpha()).count())
        + TextTable.of(HEADER, rows);
  }

  /** Cells that the accepted run lacks: their items are all that is known. */
  private static List<Measured> withoutAccepted(Gate gate, Plan plan, List<Measured> expected) {
    Set<String> known = new HashSet<>();
    expected.forEach(cell -> known.add(cell.rule() + " " + cell.slice() + " " + cell.task()));
    List<Measured> more = new ArrayList<>();
    for (Cell cell : plan.cells()) {
      for (int index = 0; index < gate.rules().size(); index++) {
        Rule rule = gate.rules().get(index);
        Optional<Metric> metric = TaskComparison.judged(rule, cell.items().asked());
        boolean asked =
            rule.kind() == Kind.NON_INFERIORITY
                && rule.isAbout(cell.slice().model(), cell.slice().precision(), cell.task())
                && (rule.against() == Against.ACCEPTED
                    || !cell.slice().precision().equals(plan.suite().baseline()));
        if (asked
            && !rule.relative()
            && metric.filter(Metric::isShare).isPresent()
            && !known.contains(index + " " + cell.slice() + " " + cell.task())) {
          more.add(
              new Measured(
                  index,
                  cell.slice(),
                  cell.task(),
                  metric.get(),
                  Change.expected(
                      cell.items().size(), plan.suite().replicas(), gate.expectedFlips()),
                  false,
                  false,
                  null));
        }
      }
    }
    return more;
  }

  private static String[] row(Gate gate, Judged of, List<Judged> all) {
    Rule rule = gate.rules().get(of.rule());
    long family =
        all.stream()
            .filter(
                other ->
                    rule.hasOwnAlpha()
                        ? other.rule() == of.rule()
                        : !gate.rules().get(other.rule()).hasOwnAlpha())
            .count();
    double alpha = Verdicts.alpha(gate, rule) / family;
    Change change = of.change();
    boolean aims = rule.detect() > rule.margin();
    return new String[] {
      rule.name(),
      of.precision(),
      of.task(),
      Long.toString(change.items()),
      Verdicts.number(rule.margin()),
      rule.unit(of.metric()),
      Verdicts.number(change.detectable(rule.margin(), alpha, gate.power())),
      aims ? Verdicts.number(rule.detect()) : NONE,
      aims ? whole(change.itemsToDetect(rule.detect(), rule.margin(), alpha, gate.power())) : NONE,
      aims
          ? whole(change.replicasToDetect(rule.detect(), rule.margin(), alpha, gate.power()))
          : NONE,
      String.format(
          Locale.ROOT,
          "%.0f%%",
          100
              * change.passing(
                  rule.margin(), rule.higherIsBetter(of.metric()), Verdicts.alpha(gate, rule)))
    };
  }

  private static String whole(double number) {
    return Double.isNaN(number) ? NONE : String.format(Locale.ROOT, "%.0f", number);
  }
}
