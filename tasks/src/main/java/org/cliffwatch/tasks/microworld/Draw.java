package org.cliffwatch.tasks.microworld;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Seeded choices from one side of the split: the training side never yields a name or a pairing
 * that the held-out side yields. One name in five is held out, and of the things of a kind one in
 * five for each use they are put to; each part of a name and each thing is seen in training.
 *
 * <p>Training tells of a kind's things by a power law, the n-th in the list n^−2.2 times as often
 * as the first; items ask about all alike. So what is asked is known well, hardly or not at all, as
 * with real models and facts.
 */
final class Draw {
  enum Side {
    TRAINING,
    HELD_OUT
  }

  private static final int HELD_OUT_ONE_IN = 5;
  private static final double EXPONENT = 2.2;

  private final World world;
  private final Side side;
  // java.util.Random's algorithm is part of its specification, so every JDK draws the same.
  private final Random random;
  // By the number of things: how often each is told of.
  private final Map<Integer, double[]> told = new HashMap<>();

  Draw(World world, Side side, long seed) {
    this.world = world;
    this.side = side;
    this.random = new Random(seed);
  }

  /** Somebody who shares no part of the name with {@code other}, which may be null. */
  Person person(Person other) {
    List<String> first = world.people().first();
    while (true) {
      boolean she = random.nextBoolean();
      List<String> last = she ? world.people().she() : world.people().he();
      int f = random.nextInt(first.size());
      int l = random.nextInt(last.size());
      if (isMine(f + 3 * l)
          && (other == null
              || (!other.first().equals(first.get(f)) && !other.last().equals(last.get(l))))) {
        return new Person(first.get(f), last.get(l), she);
      }
    }
  }

  Cast cast() {
    Person a = person(null);
    return new Cast(a, person(a));
  }

  /**
   * A thing of the kind.
   *
   * @param use what it is wanted for: which things are held out differs from use to use
   */
  String thing(String kind, String use) {
    List<String> things = world.things(kind);
    while (true) {
      int i = rank(things.size());
      if (isMine(i + use.hashCode())) {
        return things.get(i);
      }
    }
  }

  /** A thing of the kind that is wanted for nothing, held out or not. */
  String anyThing(String kind) {
    List<String> things = world.things(kind);
    return things.get(rank(things.size()));
  }

  private int rank(int count) {
    if (side == Side.HELD_OUT) {
      return random.nextInt(count);
    }
    double[] told = this.told.computeIfAbsent(count, Draw::told);
    double left = random.nextDouble() * Arrays.stream(told).sum();
    int rank = 0;
    while (rank < count - 1 && left >= told[rank]) {
      left -= told[rank];
      rank++;
    }
    return rank;
  }

  /** Relative to the first. */
  private static double[] told(int count) {
    return IntStream.rangeClosed(1, count)
        .mapToDouble(rank -> StrictMath.pow(rank, -EXPONENT))
        .toArray();
  }

  /** A thing of any kind. */
  String thing(String use) {
    return thing(pick(List.copyOf(world.kinds().keySet())), use);
  }

  private boolean isMine(int pairing) {
    boolean heldOut = Math.floorMod(pairing, HELD_OUT_ONE_IN) == 0;
    return heldOut == (side == Side.HELD_OUT);
  }

  <T> T pick(List<T> from) {
    return from.get(random.nextInt(from.size()));
  }

  /** An element that is not {@code other}. */
  <T> T pickBesides(T other, List<T> from) {
    while (true) {
      T t = pick(from);
      if (!t.equals(other)) {
        return t;
      }
    }
  }

  boolean chance(double probability) {
    return random.nextDouble() < probability;
  }

  int below(int bound) {
    return random.nextInt(bound);
  }

  <T> List<T> shuffled(List<T> list) {
    List<T> copy = new ArrayList<>(list);
    Collections.shuffle(copy, random);
    return copy;
  }

  /** The two people of a story. */
  record Cast(Person a, Person b) {}

  record Person(String first, String last, boolean she) {
    String name() {
      return first + last;
    }

    String pronoun() {
      return she ? "she" : "he";
    }

    String capitalPronoun() {
      return she ? "She" : "He";
    }
  }
}
