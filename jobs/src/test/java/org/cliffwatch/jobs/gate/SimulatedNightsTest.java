package org.cliffwatch.jobs.gate;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.cliffwatch.jobs.gate.Gate.Against;
import org.cliffwatch.jobs.gate.Gate.Kind;
import org.cliffwatch.jobs.gate.Gate.Rule;
import org.cliffwatch.jobs.gate.Gate.Undecided;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.jobs.table.VerdictRow;
import org.cliffwatch.tasks.metric.Metric;
import org.junit.jupiter.api.Test;

/**
 * Nights of int8 runs whose answers rounding decides in part, judged by the gate's own code, and
 * beside it by what others do: one run, and a fixed margin of a point.
 *
 * <p>An item is right with a chance of its own; every replica of every night draws anew. The
 * chances are such that two draws of a run differ at 17 % of the items, as SmolLM2's do on
 * WinoGrande (216 of 1 267).
 */
class SimulatedNightsTest {
  private static final int SUITES = 2000;

  /** Three standard errors of a rate of 5 % over that many suites. */
  private static final double RATE_ERROR = 3 * Math.sqrt(0.05 * 0.95 / SUITES);

  /** Of a rate near a half, and for what the computed one neglects. */
  private static final double POWER_ERROR = 3 * Math.sqrt(0.25 / SUITES) + 0.02;

  private static final double TURNED_BY_ROUNDING = 0.17;
  private static final double FIXED_MARGIN = 1;
  private static final double TRUE_DROP = 2;
  private static final double ALPHA = 0.05;
  private static final double POWER = 0.8;

  private static final int WINOGRANDE = 1267;
  private static final int HELLASWAG = 10_042;

  /** The other tasks of the suite, in which nothing changes. */
  private static final int[] OTHERS = {200, 500, 1838};

  private final SplittableRandom random = new SplittableRandom(1);

  private static Rule rule(Kind kind, boolean mean, double margin, double ownAlpha) {
    return new Rule(
        kind + " " + mean,
        kind,
        Metric.ACC,
        Against.ACCEPTED,
        mean,
        false,
        margin,
        2 * margin,
        ownAlpha,
        30,
        0,
        true,
        Undecided.PASS,
        false,
        Set.of(),
        Set.of(),
        Set.of());
  }

  /** A task and the mean, as conf/gates/default.yaml has them. */
  private static Gate gate(double margin) {
    return new Gate(
        "simulated",
        "test",
        ALPHA,
        POWER,
        0.02,
        List.of(
            rule(Kind.NON_INFERIORITY, false, margin, Double.NaN),
            rule(Kind.NON_INFERIORITY, true, margin, Double.NaN)));
  }

  /** Items that rounding does not touch, right or wrong, and items that it decides by a coin. */
  private static double[] chances(int items) {
    double[] chances = new double[items];
    // Two draws of a chance p differ with 2 p (1 − p): a half where it is a half.
    int undecided = (int) Math.round(items * TURNED_BY_ROUNDING / 0.5);
    for (int i = 0; i < items; i++) {
      chances[i] = i < undecided ? 0.5 : i % 2;
    }
    return chances;
  }

  /**
   * The same, after answers turned for good from right to wrong: each that is surely right with the
   * same chance, so that the questions are a sample of those that there are.
   *
   * @param luck of each item, uniform
   * @param points that are lost of all questions there are
   */
  private static double[] worse(double[] chances, double[] luck, double points) {
    double[] worse = chances.clone();
    double right = Arrays.stream(chances).filter(chance -> chance == 1).count();
    double turned = points / 100 * chances.length / right;
    for (int i = 0; i < worse.length; i++) {
      if (worse[i] == 1 && luck[i] < turned) {
        worse[i] = 0;
      }
    }
    return worse;
  }

  private double[] luck(int items) {
    return random.doubles(items).toArray();
  }

  private Contributions night(double[] chances, int replicas) {
    double[][] values = new double[replicas][chances.length];
    for (double[] replica : values) {
      for (int i = 0; i < replica.length; i++) {
        replica[i] = random.nextDouble() < chances[i] ? 1 : 0;
      }
    }
    double[] weights = new double[chances.length];
    Arrays.fill(weights, 1);
    return new Contributions(Metric.ACC, values, weights);
  }

  private static List<Measured> measured(int task, Change change) {
    Slice slice = new Slice("model", "w8a8", 0);
    return IntStream.range(0, 2)
        .mapToObj(
            rule ->
                new Measured(rule, slice, "task" + task, Metric.ACC, change, false, false, null))
        .toList();
  }

  private static double accuracy(double[] right) {
    return 100 * Arrays.stream(right).average().orElseThrow();
  }

  /** What became of many nights' suites. */
  private record Nights(double failed, double failedFirst, double computed, double flapped) {}

  /**
   * @param drop points that the first task loses
   */
  private Nights nights(int items, int replicas, double margin, double drop) {
    int[] sizes = IntStream.concat(IntStream.of(items), Arrays.stream(OTHERS)).toArray();
    Gate gate = gate(margin);
    int failed = 0;
    int failedFirst = 0;
    int flapped = 0;
    double computed = 0;
    for (int suite = 0; suite < SUITES; suite++) {
      List<Measured> measured = new ArrayList<>();
      boolean fixed = false;
      for (int task = 0; task < sizes.length; task++) {
        double[] chances = chances(sizes[task]);
        Contributions accepted = night(chances, replicas);
        Contributions now =
            night(task == 0 ? worse(chances, luck(chances.length), drop) : chances, replicas);
        measured.addAll(measured(task, Change.difference(accepted, now)));
        fixed |= accuracy(now.values()[0]) < accuracy(accepted.values()[0]) - FIXED_MARGIN;
        if (task == 0) {
          // From the accepted run alone; the answers that are lost turn, and one run does not tell
          // how many rounding turns.
          computed +=
              Change.expected(
                          accepted, drop / 100 + (replicas == 1 ? TURNED_BY_ROUNDING : 0), false)
                      .power(drop, margin, ALPHA / (sizes.length + 1))
                  / SUITES;
        }
      }
      List<VerdictRow> rows = Verdicts.of(gate, "run", "accepted", measured, List.of()).rows();
      failed += rows.stream().anyMatch(row -> row.is(VerdictRow.FAIL)) ? 1 : 0;
      failedFirst +=
          rows.stream().anyMatch(row -> row.is(VerdictRow.FAIL) && row.task().equals("task0"))
              ? 1
              : 0;
      flapped += fixed ? 1 : 0;
    }
    return new Nights(
        (double) failed / SUITES,
        (double) failedFirst / SUITES,
        computed,
        (double) flapped / SUITES);
  }

  @Test
  void falseAlarmsAreAsRareAsTheGateSays() {
    StringBuilder report = new StringBuilder();
    for (int items : new int[] {WINOGRANDE, HELLASWAG}) {
      for (int replicas : new int[] {1, 8}) {
        Nights nights = nights(items, replicas, 0, 0);
        report.append(
            String.format(
                Locale.ROOT,
                "no change, %d items and 3 other tasks, %d replicas, margin 0: %.1f %% of %d nights"
                    + " fail; fixed margin of 1 point on single runs: %.1f %%%n",
                items,
                replicas,
                100 * nights.failed(),
                SUITES,
                100 * nights.flapped()));
        // A margin of 0 is the hardest: nothing is worse than it, and nothing further from it.
        assertThat(nights.failed()).isLessThanOrEqualTo(ALPHA + RATE_ERROR);
        assertThat(nights.flapped()).isGreaterThan(5 * ALPHA);
      }
    }
    System.out.print(report);
  }

  /** Each night a tenth of a point is lost: no night is near its margin, the month is beyond. */
  @Test
  void theTrendFindsWhatNoNightDoes() {
    int runs = 30;
    int replicas = 4;
    double aNight = 0.1;
    double margin = 1;
    double alpha = 0.01;
    int suites = 200;
    int failedNight = 0;
    int failedTrend = 0;
    int falseTrend = 0;
    double computed = 0;
    double[] chances = chances(WINOGRANDE);
    Gate single = gate(margin);
    Gate trend =
        new Gate("trend", "test", ALPHA, POWER, 0.02, List.of(rule(Kind.TREND, false, 0, alpha)));
    Gate trendAndMargin =
        new Gate(
            "trend", "test", ALPHA, POWER, 0.02, List.of(rule(Kind.TREND, false, margin, alpha)));
    for (int suite = 0; suite < suites; suite++) {
      List<Contributions> still = new ArrayList<>();
      List<Contributions> drifting = new ArrayList<>();
      double[] luck = luck(WINOGRANDE);
      for (int t = 0; t < runs; t++) {
        still.add(night(chances, replicas));
        drifting.add(night(worse(chances, luck, t * aNight), replicas));
      }
      Change lastNight = Change.difference(drifting.get(runs - 2), drifting.get(runs - 1));
      failedNight += fails(single, lastNight) ? 1 : 0;
      failedTrend += fails(trendAndMargin, Change.drift(drifting)) ? 1 : 0;
      computed += Change.drift(drifting).power((runs - 1) * aNight, margin, alpha) / suites;
      falseTrend += fails(trend, Change.drift(still)) ? 1 : 0;
    }
    System.out.printf(
        Locale.ROOT,
        "0.1 points lost a night over %d nights of %d items: the last night fails in %.1f %% of %d"
            + " months, the trend in %.1f %% (computed %.1f %%); without drift the trend fails in"
            + " %.1f %%%n",
        runs,
        WINOGRANDE,
        100.0 * failedNight / suites,
        suites,
        100.0 * failedTrend / suites,
        100 * computed,
        100.0 * falseTrend / suites);
    assertThat(failedNight).isZero();
    double error = 3 * Math.sqrt(0.25 / suites);
    assertThat((double) failedTrend / suites).isBetween(computed - error, computed + error);
    assertThat(failedTrend).isGreaterThan(suites / 2);
    assertThat((double) falseTrend / suites)
        .isLessThanOrEqualTo(alpha + 3 * Math.sqrt(alpha * (1 - alpha) / suites));
  }

  private static boolean fails(Gate gate, Change change) {
    return Verdicts.of(gate, "run", "accepted", measured(0, change).subList(0, 1), List.of())
        .rows()
        .stream()
        .anyMatch(row -> row.is(VerdictRow.FAIL));
  }

  @Test
  void aDropIsFoundAsOftenAsComputedBeforehand() {
    StringBuilder report = new StringBuilder();
    for (int items : new int[] {WINOGRANDE, HELLASWAG}) {
      for (int replicas : new int[] {1, 8}) {
        for (double margin : new double[] {0, 1}) {
          Nights nights = nights(items, replicas, margin, TRUE_DROP);
          report.append(
              String.format(
                  Locale.ROOT,
                  "2 points lost of %d items, %d replicas, margin %.0f: found in %.1f %% of %d"
                      + " nights, computed %.1f %%; fixed margin: %.1f %%%n",
                  items,
                  replicas,
                  margin,
                  100 * nights.failedFirst(),
                  SUITES,
                  100 * nights.computed(),
                  100 * nights.flapped()));
          assertThat(nights.failedFirst())
              .as("%d items, %d replicas, margin %f", items, replicas, margin)
              .isBetween(nights.computed() - POWER_ERROR, nights.computed() + POWER_ERROR);
        }
      }
    }
    System.out.print(report);
  }
}
