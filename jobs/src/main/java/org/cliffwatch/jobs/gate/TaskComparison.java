package org.cliffwatch.jobs.gate;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.cliffwatch.jobs.gate.Change.Term;
import org.cliffwatch.jobs.gate.Gate.Against;
import org.cliffwatch.jobs.gate.Gate.Kind;
import org.cliffwatch.jobs.gate.Gate.Rule;
import org.cliffwatch.jobs.plan.AskedTask;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.tasks.metric.Metric;

/**
 * Runs on an executor: a model's cells of one task → what each rule has of each. Holds the scores
 * of two steps, and of the trend's runs of one cell.
 */
final class TaskComparison implements FlatMapFunction<TaskComparison.Unit, Measured> {
  private static final long serialVersionUID = 1L;

  /** Accepted runs, with the present one, below which a trend is two points and a line. */
  static final int FEWEST_RUNS = 3;

  /**
   * One model and task.
   *
   * @param sites by step, then precision
   */
  record Unit(AskedTask task, List<Site> sites) implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  /**
   * One cell, now and before.
   *
   * @param now null where this run has none
   * @param accepted null where the accepted run has none
   * @param history the cell in the accepted runs before, oldest first
   */
  record Site(Slice slice, RecordedCell now, RecordedCell accepted, List<RecordedCell> history)
      implements Serializable {
    private static final long serialVersionUID = 1L;

    String task() {
      return (now == null ? accepted : now).task();
    }
  }

  private final Gate gate;
  private final String baseline;
  private final boolean hasAccepted;
  private final boolean isForecast;
  private final Broadcast<SerializableConfiguration> hadoop;

  /**
   * @param baseline the suite's baseline precision
   * @param hasAccepted whether there is an accepted run to compare with
   * @param isForecast whether {@code now} is the accepted run too, and what is asked is how sure a
   *     night of no change will be
   */
  TaskComparison(
      Gate gate,
      String baseline,
      boolean hasAccepted,
      boolean isForecast,
      Broadcast<SerializableConfiguration> hadoop) {
    this.gate = gate;
    this.baseline = baseline;
    this.hasAccepted = hasAccepted;
    this.isForecast = isForecast;
    this.hadoop = hadoop;
  }

  @Override
  public Iterator<Measured> call(Unit unit) {
    return new Comparison(unit).measured().iterator();
  }

  /** The metric a rule judges of a task: of a task without acc its first share, as means do. */
  static Optional<Metric> judged(Rule rule, AskedTask task) {
    List<Metric> metrics = task.metrics();
    if (rule.kind() == Kind.KL) {
      return Optional.of(Metric.KL);
    }
    if (rule.metric() == Metric.ACC && rule.kind() != Kind.FLIPS && !metrics.contains(Metric.ACC)) {
      return metrics.stream().filter(Metric::isShare).findFirst();
    }
    return Optional.ofNullable(rule.metric()).filter(metrics::contains);
  }

  /** A change, or why there is none. */
  private record Result(Change change, String problem) {
    static Result of(Optional<String> problem, java.util.function.Supplier<Change> change) {
      return problem.isPresent() ? new Result(null, problem.get()) : new Result(change.get(), null);
    }
  }

  /** One unit. */
  private final class Comparison {
    private final Unit unit;
    private final Map<Long, Map<String, Site>> steps;
    private final Map<RecordedCell, CellScores> read = new HashMap<>();
    private final List<Measured> measured = new ArrayList<>();

    Comparison(Unit unit) {
      this.unit = unit;
      this.steps =
          unit.sites().stream()
              .collect(
                  Collectors.groupingBy(
                      site -> site.slice().step(),
                      java.util.TreeMap::new,
                      Collectors.toMap(
                          site -> site.slice().precision(), Function.identity(), (a, b) -> a)));
    }

    List<Measured> measured() {
      Map<String, Site> before = Map.of();
      for (Map<String, Site> step : steps.values()) {
        for (Site site : step.values()) {
          for (int rule = 0; rule < gate.rules().size(); rule++) {
            measure(rule, site, step, before);
          }
        }
        Map<String, Site> last = step;
        read.keySet().removeIf(cell -> last.values().stream().noneMatch(s -> cell.equals(s.now())));
        before = last;
      }
      return measured;
    }

    private CellScores scores(RecordedCell cell) {
      Configuration configuration = hadoop.value().value();
      return read.computeIfAbsent(
          cell, c -> CellScores.read(c, unit.task().outputType(), configuration));
    }

    private void measure(int index, Site site, Map<String, Site> step, Map<String, Site> before) {
      Rule rule = gate.rules().get(index);
      Slice slice = site.slice();
      if (!rule.isAbout(slice.model(), slice.precision(), unit.task().name())
          || (rule.needsAccepted() && !hasAccepted)) {
        return;
      }
      boolean isBaseline = slice.precision().equals(baseline);
      switch (rule.kind()) {
        case NON_INFERIORITY, FLIPS, KL, STEP_DRIFT, TREND ->
            judged(rule, unit.task())
                .ifPresent(metric -> test(index, rule, metric, site, isBaseline, step, before));
        case REPRODUCTION -> {
          if (!isForecast) {
            reproduction(index, site);
          }
        }
        case SPEED, MISSING -> {} // the driver's: they need no scores
      }
    }

    private void test(
        int index,
        Rule rule,
        Metric metric,
        Site site,
        boolean isBaseline,
        Map<String, Site> step,
        Map<String, Site> before) {
      RecordedCell now = site.now();
      if (rule.kind() == Kind.NON_INFERIORITY || rule.kind() == Kind.FLIPS) {
        if (rule.against() == Against.ACCEPTED) {
          if (isForecast) {
            expectAgain(index, rule, metric, site, now(step, baseline));
          } else {
            againstAccepted(index, rule, metric, site);
          }
          return;
        }
      }
      if (now == null) {
        return; // the rules that compare with what was accepted say so
      }
      switch (rule.kind()) {
        case NON_INFERIORITY, FLIPS -> {
          if (!isBaseline) {
            add(
                index,
                site,
                metric,
                inRun(
                    now,
                    now(step, baseline),
                    (a, b) -> change(rule, b.contributions(metric), a.contributions(metric))));
          }
        }
        case KL -> {
          if (!isBaseline) {
            add(
                index,
                site,
                metric,
                Result.of(
                    failure(now),
                    () -> Change.linear(List.of(new Term(1, scores(now).contributions(metric))))));
          }
        }
        case STEP_DRIFT -> stepDrift(index, metric, site, isBaseline, step, before);
        default -> trend(index, rule, metric, site);
      }
    }

    /**
     * A cell scored again after a harmless change. What rounding does to its answers, its replicas
     * tell; with one of them, and for metrics that are no shares, what the precision did to them.
     */
    private void expectAgain(
        int index, Rule rule, Metric metric, Site site, RecordedCell baselineCell) {
      RecordedCell cell = site.now();
      if (cell == null || cell.failed()) {
        return;
      }
      Contributions of = scores(cell).contributions(metric);
      boolean hasOther =
          baselineCell != null && !cell.equals(baselineCell) && alike(cell, baselineCell).isEmpty();
      if (metric.isShare() && rule.kind() != Kind.FLIPS) {
        double flips = gate.expectedFlips();
        if (hasOther && of.replicas() == 1) {
          Contributions other = scores(baselineCell).contributions(metric);
          flips =
              Math.max(
                  flips,
                  Change.linear(List.of(new Term(1, Contributions.flips(other, of)))).value()
                      / 100);
        }
        add(index, site, metric, new Result(Change.expected(of, flips, rule.relative()), null));
      } else if (hasOther) {
        add(
            index,
            site,
            metric,
            new Result(change(rule, scores(baselineCell).contributions(metric), of), null));
      }
    }

    private void add(int rule, Site site, Metric metric, Result result) {
      measured.add(
          new Measured(
              rule,
              site.slice(),
              unit.task().name(),
              metric,
              result.change(),
              false,
              false,
              result.problem()));
    }

    private void againstAccepted(int index, Rule rule, Metric metric, Site site) {
      RecordedCell now = site.now();
      RecordedCell accepted = site.accepted();
      String task = unit.task().name();
      if (now == null || accepted == null) {
        measured.add(
            new Measured(
                index,
                site.slice(),
                task,
                metric,
                null,
                now != null,
                false,
                now == null
                    ? "missing: the accepted run has this cell and this run has not"
                    : "new: the accepted run has no such cell"));
        return;
      }
      Optional<String> problem = now.unlike(accepted);
      if (problem.isEmpty()) {
        problem = scores(now).unlike(scores(accepted));
      }
      boolean same =
          problem.isEmpty()
              && now.cellId().equals(accepted.cellId())
              && scores(now).otherBits(scores(accepted)).isEmpty();
      Result result =
          Result.of(
              problem,
              () ->
                  same
                      ? Change.none(scores(now).items(), now.replicas())
                      : change(
                          rule,
                          scores(accepted).contributions(metric),
                          scores(now).contributions(metric)));
      measured.add(
          new Measured(
              index, site.slice(), task, metric, result.change(), false, same, result.problem()));
    }

    private Change change(Rule rule, Contributions before, Contributions after) {
      if (rule.kind() == Kind.FLIPS) {
        return Change.linear(List.of(new Term(1, Contributions.flips(before, after))));
      }
      return rule.relative() ? Change.relative(before, after) : Change.difference(before, after);
    }

    private interface Compared {
      Change of(CellScores now, CellScores other);
    }

    /** Two cells of this run. */
    private Result inRun(RecordedCell now, RecordedCell other, Compared compared) {
      Optional<String> problem = alike(now, other);
      return Result.of(problem, () -> compared.of(scores(now), scores(other)));
    }

    private Optional<String> alike(RecordedCell now, RecordedCell other) {
      if (other == null) {
        return Optional.of("this run has no cell of " + baseline + " to compare with");
      }
      return failure(now).or(() -> failure(other)).or(() -> scores(now).unlike(scores(other)));
    }

    private static Optional<String> failure(RecordedCell cell) {
      return cell.failed()
          ? Optional.of("failed: " + cell.slice().precision() + ": " + cell.error())
          : Optional.empty();
    }

    private static RecordedCell now(Map<String, Site> step, String precision) {
      Site site = step.get(precision);
      return site == null ? null : site.now();
    }

    /** What the precision costs at this step more than at the one before. */
    private void stepDrift(
        int index,
        Metric metric,
        Site site,
        boolean isBaseline,
        Map<String, Site> step,
        Map<String, Site> before) {
      String precision = site.slice().precision();
      RecordedCell now = site.now();
      RecordedCell last = now(before, precision);
      if (last == null) {
        return; // the first step
      }
      RecordedCell base = isBaseline ? now : now(step, baseline);
      RecordedCell lastBase = isBaseline ? last : now(before, baseline);
      Optional<String> problem =
          alike(now, base).or(() -> alike(now, last)).or(() -> alike(now, lastBase));
      add(
          index,
          site,
          metric,
          Result.of(
              problem,
              () -> {
                Term is = new Term(1, scores(now).contributions(metric));
                Term was = new Term(-1, scores(last).contributions(metric));
                return Change.linear(
                    isBaseline
                        ? List.of(is, was)
                        : List.of(
                            is,
                            new Term(-1, scores(base).contributions(metric)),
                            was,
                            new Term(1, scores(lastBase).contributions(metric))));
              }));
    }

    /** The drift over the accepted runs that this one may be compared with, and this one. */
    private void trend(int index, Rule rule, Metric metric, Site site) {
      RecordedCell now = site.now();
      List<RecordedCell> history = site.history();
      List<RecordedCell> runs =
          Stream.concat(
                  history.stream()
                      .skip(Math.max(0, history.size() - rule.runs()))
                      .filter(cell -> now.unlike(cell).isEmpty()),
                  isForecast ? Stream.<RecordedCell>empty() : Stream.of(now))
              .toList();
      if (now.failed() || runs.size() < FEWEST_RUNS) {
        return;
      }
      List<CellScores> scores = runs.stream().map(this::scores).toList();
      Optional<String> problem =
          scores.stream().flatMap(of -> of.unlike(scores.get(0)).stream()).findFirst();
      boolean same =
          !isForecast && runs.stream().allMatch(cell -> cell.cellId().equals(now.cellId()));
      Result result =
          Result.of(
              problem,
              () ->
                  same
                      ? Change.none(scores(now).items(), now.replicas())
                      : Change.drift(scores.stream().map(of -> of.contributions(metric)).toList()));
      measured.add(
          new Measured(
              index,
              site.slice(),
              unit.task().name(),
              metric,
              result.change(),
              false,
              same,
              result.problem()));
    }

    private void reproduction(int index, Site site) {
      RecordedCell now = site.now();
      RecordedCell accepted = site.accepted();
      if (now == null
          || accepted == null
          || now.failed()
          || accepted.failed()
          || !now.cellId().equals(accepted.cellId())) {
        return;
      }
      measured.add(
          new Measured(
              index,
              site.slice(),
              unit.task().name(),
              null,
              null,
              false,
              true,
              scores(now).otherBits(scores(accepted)).orElse(null)));
    }
  }
}
