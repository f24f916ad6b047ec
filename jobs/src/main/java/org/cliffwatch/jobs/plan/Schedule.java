package org.cliffwatch.jobs.plan;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;

/**
 * Cuts a run's work into the units that Spark's tasks do, longest first: a free slot takes the next
 * (Graham's list scheduling), so that the small ones at the end fill the gaps.
 *
 * <p>Checkpoints are laid out by falling cost. One that costs more than a cut allows becomes that
 * many equal units, along its precisions, then its tasks, then its items, so that each packs as few
 * precisions as can be; small ones are bundled. How coarse the cut is, is tried: every unit of a
 * checkpoint reads it again, and too coarse a cut leaves slots idle, so the coarsest is taken that
 * is within {@link #SLACK} of the shortest of all, by the same costs. O(pieces + units log slots)
 * for each cut tried.
 */
public final class Schedule {
  /** Cuts tried: a unit's largest cost, as a share of what a slot has to do. */
  private static final double[] CUTS = {1.1, 1.08, 1.06, 1, 0.8, 0.6, 0.45, 0.3, 0.2, 0.125, 0.08};

  /**
   * In one process no unit reads again what another has read. Whole checkpoints where they balance,
   * whose cells need not be put together from parts; else units so small that they do.
   */
  private static final double[] CUTS_IN_ONE_PROCESS = {0.3, 0.05};

  /** Small checkpoints are bundled up to this share of what a slot has to do. */
  private static final double BUNDLE = 0.03;

  private static final double SLACK = 1.1;
  private static final double SLACK_IN_ONE_PROCESS = 1.02;

  private final Costs costs;
  private final boolean oneProcess;
  private final List<Whole> checkpoints;
  private final double share;

  /** A cut, and when the last of its units would end. */
  private record Tried(List<Unit> units, double makespan) {}

  /** All that is to be done of a checkpoint. */
  private record Whole(List<Visit> visits, double cost) {}

  private Schedule(List<Visit> visits, Costs costs, int slots, boolean oneProcess) {
    this.costs = costs;
    this.oneProcess = oneProcess;
    Map<FingerprintedCheckpoint, List<Visit>> byCheckpoint = new LinkedHashMap<>();
    for (Visit visit : visits) {
      byCheckpoint.computeIfAbsent(visit.checkpoint(), c -> new ArrayList<>()).add(visit);
    }
    this.checkpoints =
        byCheckpoint.values().stream()
            .map(of -> new Whole(of, cost(of, new HashSet<>())))
            .sorted(Comparator.comparingDouble(Whole::cost).reversed())
            .toList();
    this.share = checkpoints.stream().mapToDouble(Whole::cost).sum() / slots;
  }

  /**
   * The units, longest first.
   *
   * @param visits each checkpoint and precision once
   * @param slots how many units run at once
   * @param oneProcess whether all slots share what one of them has read
   */
  public static List<Unit> of(List<Visit> visits, Costs costs, int slots, boolean oneProcess) {
    if (visits.isEmpty()) {
      return List.of();
    }
    Schedule schedule = new Schedule(visits, costs, slots, oneProcess);
    List<Tried> tried = new ArrayList<>();
    for (double cut : oneProcess ? CUTS_IN_ONE_PROCESS : CUTS) {
      List<Unit> units = schedule.cut(cut * schedule.share);
      tried.add(new Tried(units, makespan(units, slots)));
    }
    double shortest = tried.stream().mapToDouble(Tried::makespan).min().orElseThrow();
    double most = (oneProcess ? SLACK_IN_ONE_PROCESS : SLACK) * shortest;
    return tried.stream().filter(cut -> cut.makespan() <= most).findFirst().orElseThrow().units();
  }

  /** When the last of the units ends, each given to the slot that is free first. */
  public static double makespan(List<Unit> units, int slots) {
    PriorityQueue<Double> free = new PriorityQueue<>();
    for (int slot = 0; slot < slots; slot++) {
      free.add(0.0);
    }
    double last = 0;
    for (Unit unit : units) {
      double end = free.remove() + unit.cost();
      last = Math.max(last, end);
      free.add(end);
    }
    return last;
  }

  private List<Unit> cut(double most) {
    List<Unit> units = new ArrayList<>();
    List<Visit> bundle = new ArrayList<>();
    double bundled = 0;
    double bundleMost = Math.min(most, BUNDLE * share);
    for (Whole checkpoint : checkpoints) {
      if (checkpoint.cost() > most) {
        split(checkpoint, (int) Math.ceil(checkpoint.cost() / most), units);
        continue;
      }
      if (!bundle.isEmpty() && bundled + checkpoint.cost() > bundleMost) {
        units.add(new Unit(List.copyOf(bundle), bundled));
        bundle.clear();
        bundled = 0;
      }
      bundle.addAll(checkpoint.visits());
      bundled += checkpoint.cost();
    }
    if (!bundle.isEmpty()) {
      units.add(new Unit(List.copyOf(bundle), bundled));
    }
    // Stable: a checkpoint's units stay beside each other, and meet its models in their caches.
    units.sort(Comparator.comparingDouble(Unit::cost).reversed());
    return units;
  }

  /** Cuts one checkpoint's pieces into about equal units, in their order. */
  private void split(Whole checkpoint, int parts, List<Unit> units) {
    double scoring = 0;
    for (Visit visit : checkpoint.visits()) {
      for (Piece piece : visit.pieces()) {
        scoring += costs.piece(visit.checkpoint(), visit.precision(), piece);
      }
    }
    double most = scoring / parts;
    Set<Object> held = new HashSet<>();
    List<Visit> unit = new ArrayList<>();
    double filled = 0;
    int cuts = 0;
    for (Visit visit : checkpoint.visits()) {
      List<Piece> pieces = new ArrayList<>();
      for (Piece whole : visit.pieces()) {
        Piece rest = whole;
        double cost = costs.piece(visit.checkpoint(), visit.precision(), rest);
        // The last takes what is left, rather than leave a sliver that reads the checkpoint again.
        while (cuts < parts - 1 && filled + cost > most && rest.items() > 1) {
          int fit = (int) Math.round(rest.items() * (most - filled) / cost);
          fit = Math.max(filled == 0 ? 1 : 0, Math.min(fit, rest.items() - 1));
          if (fit > 0) {
            pieces.add(rest.part(0, fit));
            rest = rest.part(fit, rest.items() - fit);
          }
          addVisit(unit, visit, pieces);
          addUnit(units, unit, held);
          cuts++;
          filled = 0;
          cost = costs.piece(visit.checkpoint(), visit.precision(), rest);
        }
        pieces.add(rest);
        filled += cost;
      }
      addVisit(unit, visit, pieces);
    }
    addUnit(units, unit, held);
  }

  private static void addVisit(List<Visit> unit, Visit visit, List<Piece> pieces) {
    if (!pieces.isEmpty()) {
      unit.add(new Visit(visit.checkpoint(), visit.precision(), List.copyOf(pieces)));
      pieces.clear();
    }
  }

  private void addUnit(List<Unit> units, List<Visit> visits, Set<Object> held) {
    if (!visits.isEmpty()) {
      units.add(new Unit(List.copyOf(visits), cost(visits, held)));
      visits.clear();
    }
  }

  /**
   * Of visits to one checkpoint.
   *
   * @param held what units before have read and packed: free where they share a process
   */
  private double cost(List<Visit> visits, Set<Object> held) {
    FingerprintedCheckpoint read = visits.get(0).checkpoint();
    double cost = held.add(read) || !oneProcess ? costs.reading(read) : 0;
    for (Visit visit : visits) {
      if (held.add(visit.precision()) || !oneProcess) {
        cost += costs.packing(visit.checkpoint(), visit.precision());
      }
      for (Piece piece : visit.pieces()) {
        cost += costs.piece(visit.checkpoint(), visit.precision(), piece);
      }
    }
    return cost;
  }
}
