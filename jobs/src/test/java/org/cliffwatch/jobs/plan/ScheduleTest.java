package org.cliffwatch.jobs.plan;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.cliffwatch.jobs.table.CheckpointRow;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A training programme's schedule, simulated: Pythia's sizes at 54 steps, six precisions, 15 tasks.
 */
class ScheduleTest {
  private static final double[] SIZES = {0.07e9, 0.16e9, 0.41e9, 1e9, 1.4e9, 2.8e9, 6.9e9, 12e9};
  private static final int STEPS = 54;
  private static final List<String> PRECISIONS =
      List.of("fp32", "bf16", "w8", "w4", "w8a8", "w8a8-bf16");

  /** Items and tokens an item, about those of the benchmarks. */
  private static final int[] ITEMS = {
    10042, 1838, 5153, 1267, 100, 273, 1871, 1511, 2376, 1172, 3270, 500, 1000, 651, 62
  };

  private static final double[] TOKENS = {
    170, 60, 85, 35, 30, 45, 90, 90, 60, 65, 180, 45, 110, 300, 4000
  };

  private static final double MAKESPAN = 1.15;
  private static final double READS = 1.3;

  /** What the old order was cut into. */
  private static final int SHARD = 64;

  private final Costs costs = new Costs(TOKENS, TOKENS, 1, null, Map.of());

  private static List<Visit> programme() {
    List<Visit> visits = new ArrayList<>();
    for (double size : SIZES) {
      for (int step = 1; step <= STEPS; step++) {
        visits.addAll(visits("pythia-" + (long) (size / 1e6) + "m", step, (long) size));
      }
    }
    return visits;
  }

  private static List<Visit> visits(String model, int step, long parameters) {
    CheckpointAt at = new CheckpointAt(model, step, "/models/" + model + "/step" + step);
    CheckpointRow row =
        new CheckpointRow(
            step,
            at.uri(),
            model + step,
            "gpt_neox",
            parameters,
            parameters,
            0,
            null,
            2 * parameters,
            2048,
            false,
            "tokenizer",
            List.of(),
            0);
    FingerprintedCheckpoint checkpoint = new FingerprintedCheckpoint(at, row, null, List.of());
    List<Visit> visits = new ArrayList<>();
    for (String name : PRECISIONS) {
      Precision precision = Precisions.packaged().named(name);
      List<Piece> pieces = new ArrayList<>();
      for (int task = 0; task < ITEMS.length; task++) {
        StoredCell cell = new StoredCell(new Slice(model, name, step), "task" + task, "id");
        pieces.add(new Piece(cell, task, 0, ITEMS[task], ITEMS[task], List.of()));
      }
      visits.add(new Visit(checkpoint, precision, pieces));
    }
    return visits;
  }

  /**
   * What a simulated cluster makes of units, whose costs are not those expected.
   *
   * @param reads (slot, checkpoint) pairs that met
   */
  private record Simulated(double makespan, int reads) {}

  private Simulated simulate(List<Unit> units, int slots, double spread) {
    Random random = new Random(7);
    PriorityQueue<double[]> free = new PriorityQueue<>(Comparator.comparingDouble(s -> s[0]));
    for (int slot = 0; slot < slots; slot++) {
      free.add(new double[] {0, slot});
    }
    Set<String> met = new HashSet<>();
    double last = 0;
    for (Unit unit : units) {
      double[] slot = free.remove();
      for (Visit visit : unit.visits()) {
        met.add((int) slot[1] + " " + visit.checkpoint().identity());
      }
      slot[0] += unit.cost() * Math.exp(spread * random.nextGaussian());
      last = Math.max(last, slot[0]);
      free.add(slot);
    }
    return new Simulated(last, met.size());
  }

  /** What the whole costs where nothing is read twice, by checkpoint. */
  private Map<String, Double> least(List<Visit> visits) {
    Map<String, Double> cost = new LinkedHashMap<>();
    for (Visit visit : visits) {
      double of = costs.packing(visit.checkpoint(), visit.precision());
      for (Piece piece : visit.pieces()) {
        of += costs.piece(visit.checkpoint(), visit.precision(), piece);
      }
      cost.merge(visit.checkpoint().identity(), of, Double::sum);
      cost.computeIfPresent(
          visit.checkpoint().identity(),
          (id, sum) ->
              visit.precision().name().equals(PRECISIONS.get(0))
                  ? sum + costs.reading(visit.checkpoint())
                  : sum);
    }
    return cost;
  }

  @ParameterizedTest
  @CsvSource({"64, 0", "1000, 0", "64, 0.1", "1000, 0.02"})
  void aProgrammeIsBalancedAndReadLittleMoreThanItMustBe(int slots, double spread) {
    List<Visit> visits = programme();
    Map<String, Double> least = least(visits);
    double bound = least.values().stream().mapToDouble(Double::doubleValue).sum() / slots;
    // Within the makespan allowed, a checkpoint of that cost cannot be read by fewer slots.
    long reads =
        least.values().stream().mapToLong(c -> (long) Math.ceil(c / (MAKESPAN * bound))).sum();
    List<Unit> units = Schedule.of(visits, costs, slots, false);
    Simulated simulated = simulate(units, slots, spread);
    Simulated before = old(visits, slots);
    System.err.printf(
        "%d slots, costs off by %.0f %%: makespan %.3f of the bound, %d reads for %d; %d units."
            + " The old order: %.2f and %d%n",
        slots,
        100 * spread,
        simulated.makespan() / bound,
        simulated.reads(),
        reads,
        units.size(),
        before.makespan() / bound,
        before.reads());
    assertThat(simulated.makespan()).isLessThanOrEqualTo(MAKESPAN * bound);
    assertThat(simulated.reads()).isLessThanOrEqualTo((int) (READS * reads));
    assertThat(simulated.makespan()).isLessThan(before.makespan());
    assertThat(simulated.reads()).isLessThan(before.reads());
  }

  /** Two cells at once in the suite's order, each a barrier of shards. */
  private Simulated old(List<Visit> visits, int slots) {
    double[] free = new double[slots];
    Set<String> met = new HashSet<>();
    double[] ended = new double[2];
    int cell = 0;
    for (Visit visit : visits) {
      for (Piece piece : visit.pieces()) {
        double start = Math.min(ended[0], ended[1]);
        double end = start;
        int shards = (piece.items() + SHARD - 1) / SHARD;
        double cost = costs.piece(visit.checkpoint(), visit.precision(), piece) / shards;
        Integer[] order = new Integer[slots];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, Comparator.comparingDouble(i -> free[i]));
        for (int shard = 0; shard < shards; shard++) {
          int slot = order[shard % slots];
          boolean first = met.add(slot + " " + visit.checkpoint().identity());
          free[slot] =
              Math.max(free[slot], start)
                  + cost
                  + (first
                      ? costs.reading(visit.checkpoint())
                          + costs.packing(visit.checkpoint(), visit.precision())
                      : 0);
          end = Math.max(end, free[slot]);
        }
        ended[ended[0] <= ended[1] ? 0 : 1] = end;
        cell++;
      }
    }
    assertThat(cell).isEqualTo(SIZES.length * STEPS * PRECISIONS.size() * ITEMS.length);
    return new Simulated(Math.max(ended[0], ended[1]), met.size());
  }

  /** Every item of every cell once, whatever the slots. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 7, 64, 5000})
  void nothingIsLostOrDoubled(int slots) {
    List<Visit> visits = new ArrayList<>();
    visits.addAll(visits("big", 1, 2_000_000_000L));
    visits.addAll(visits("big", 2, 2_000_000_000L));
    visits.addAll(visits("small", 1, 10_000_000L));
    Map<String, boolean[]> seen = new TreeMap<>();
    for (boolean oneProcess : new boolean[] {false, true}) {
      seen.clear();
      double longest = Double.MAX_VALUE;
      for (Unit unit : Schedule.of(visits, costs, slots, oneProcess)) {
        assertThat(unit.cost()).as("longest first").isLessThanOrEqualTo(longest);
        longest = unit.cost();
        for (Visit visit : unit.visits()) {
          for (Piece piece : visit.pieces()) {
            assertThat(piece.cell().slice().precision()).isEqualTo(visit.precision().name());
            boolean[] items =
                seen.computeIfAbsent(piece.cell().toString(), c -> new boolean[piece.cellItems()]);
            for (int i = piece.first(); i < piece.first() + piece.items(); i++) {
              assertThat(items[i]).isFalse();
              items[i] = true;
            }
          }
        }
      }
      assertThat(seen).hasSize(3 * PRECISIONS.size() * ITEMS.length);
      for (boolean[] items : seen.values()) {
        assertThat(items).doesNotContain(false);
      }
    }
  }

  /** One cell on two threads, as a first try has it: neither waits long for the other. */
  @Test
  void oneCellKeepsAllThreadsOfAProcessBusy() {
    Visit visit = visits("smollm2", 1, 135_000_000L).get(0);
    List<Visit> one =
        List.of(new Visit(visit.checkpoint(), visit.precision(), List.of(visit.pieces().get(0))));
    List<Unit> units = Schedule.of(one, costs, 2, true);
    double scoring = costs.piece(visit.checkpoint(), visit.precision(), visit.pieces().get(0));
    double whole =
        costs.reading(visit.checkpoint())
            + costs.packing(visit.checkpoint(), visit.precision())
            + scoring;
    assertThat(units.stream().mapToDouble(Unit::cost).sum())
        .as("read and packed once")
        .isBetween(whole, 1.01 * whole);
    assertThat(simulate(units, 2, 0.1).makespan()).isLessThanOrEqualTo(1.05 * whole / 2);
  }

  @Test
  void cellsWithNothingLeftToScoreKeepTheirPlace() {
    Visit whole = visits("tiny", 1, 1_000_000).get(0);
    Piece waiting = new Piece(whole.pieces().get(0).cell(), 0, 0, 0, ITEMS[0], List.of());
    List<Unit> units =
        Schedule.of(
            List.of(new Visit(whole.checkpoint(), whole.precision(), List.of(waiting))),
            costs,
            1000,
            false);
    assertThat(units).hasSize(1);
    assertThat(units.get(0).visits().get(0).pieces()).containsExactly(waiting);
  }
}
