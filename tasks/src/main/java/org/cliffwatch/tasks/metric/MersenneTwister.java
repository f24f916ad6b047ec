package org.cliffwatch.tasks.metric;

import java.util.HashSet;
import java.util.Set;

/**
 * CPython's {@code random.Random}: MT19937 (Matsumoto and Nishimura 1998) seeded by {@code
 * init_by_array} with the seed's 32-bit words, as {@code Modules/_randommodule.c} does for an int.
 * Other libraries' Mersenne twisters seed otherwise.
 */
public final class MersenneTwister {
  private static final int SIZE = 624;
  private static final int SHIFT = 397;
  private static final int UPPER_MASK = 0x80000000;
  private static final int LOWER_MASK = 0x7fffffff;
  private static final int MATRIX = 0x9908b0df;
  private static final int HIGH_BITS = 27;
  private static final int LOW_BITS = 26;

  private final int[] state = new int[SIZE];
  private int at = SIZE;

  /** {@code random.Random(seed)} for a non-negative seed below 2³². */
  public MersenneTwister(int seed) {
    seedBy(19650218);
    int i = 1;
    for (int k = 0; k < SIZE; k++) {
      state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >>> 30)) * 1664525)) + seed;
      i = next(i);
    }
    for (int k = 0; k < SIZE - 1; k++) {
      state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >>> 30)) * 1566083941)) - i;
      i = next(i);
    }
    state[0] = UPPER_MASK;
  }

  /** {@code genrand_uint32()}: 32 random bits. */
  public int nextInt() {
    if (at == SIZE) {
      generate();
      at = 0;
    }
    return tempered(state[at++]);
  }

  private static int tempered(int word) {
    int y = word ^ (word >>> 11);
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return y ^ (y >>> 18);
  }

  /** {@code random()}: 53 random bits in [0, 1). */
  public double nextDouble() {
    int high = nextInt() >>> 5;
    int low = nextInt() >>> 6;
    return uniform(high, low);
  }

  private static double uniform(int high, int low) {
    return (high * 67108864.0 + low) * (1.0 / 9007199254740992.0);
  }

  /**
   * {@code choices(range(population), k=picked.length)}: for each a {@code random()}, times the
   * population, rounded down. The 27 high bits of one say which it is, but for one in 2²⁷ /
   * population, where the 26 low bits are asked.
   *
   * @param population 1 to 2²⁶
   */
  public void choices(int population, int[] picked) {
    if (population < 1 || population > 1 << LOW_BITS) {
      throw new IllegalArgumentException("found a population of " + population);
    }
    int k = 0;
    while (k < picked.length) {
      if (at >= SIZE - 1) {
        picked[k++] = (int) (nextDouble() * population); // over the end of a block
        continue;
      }
      int pairs = Math.min((SIZE - at) / 2, picked.length - k);
      for (int pair = 0; pair < pairs; pair++, at += 2) {
        int high = tempered(state[at]) >>> 5;
        long product = (long) high * population;
        int fraction = (int) product & ((1 << HIGH_BITS) - 1);
        boolean isCertain = fraction + population < 1 << HIGH_BITS;
        picked[k++] =
            isCertain
                ? (int) (product >>> HIGH_BITS)
                : (int) (uniform(high, tempered(state[at + 1]) >>> 6) * population);
      }
    }
  }

  /** {@code getrandbits(bits)}: 1 to 31 random bits. */
  private int nextBits(int bits) {
    return nextInt() >>> (Integer.SIZE - bits);
  }

  /** {@code _randbelow(bound)}: one of 0 to bound − 1, bound at least 1. */
  private int nextBelow(int bound) {
    int bits = Integer.SIZE - Integer.numberOfLeadingZeros(bound);
    int drawn = nextBits(bits);
    while (drawn >= bound) {
      drawn = nextBits(bits);
    }
    return drawn;
  }

  /**
   * {@code sample(range(population), count)}: different positions, in the order they are drawn.
   * CPython's {@code Lib/random.py} of 3.11 to 3.14: from a list of what is left where the
   * population is small, else drawn again where a position was drawn before.
   *
   * @param count 0 to {@code population}
   */
  public int[] sample(int population, int count) {
    if (count < 0 || count > population) {
      throw new IllegalArgumentException("found " + count + " of " + population);
    }
    int[] drawn = new int[count];
    if (population <= listSize(count)) {
      int[] left = new int[population];
      for (int i = 0; i < population; i++) {
        left[i] = i;
      }
      for (int i = 0; i < count; i++) {
        int at = nextBelow(population - i);
        drawn[i] = left[at];
        left[at] = left[population - i - 1];
      }
      return drawn;
    }
    Set<Integer> seen = new HashSet<>();
    for (int i = 0; i < count; i++) {
      do {
        drawn[i] = nextBelow(population);
      } while (!seen.add(drawn[i]));
    }
    return drawn;
  }

  /** {@code setsize}: the population up to which a list is smaller than a set of the drawn. */
  private static long listSize(int count) {
    long size = 21;
    if (count > 5) {
      long table = 1;
      while (table < 3L * count) {
        table *= 4;
      }
      size += table;
    }
    return size;
  }

  private void seedBy(int seed) {
    state[0] = seed;
    for (int i = 1; i < SIZE; i++) {
      state[i] = 1812433253 * (state[i - 1] ^ (state[i - 1] >>> 30)) + i;
    }
  }

  private int next(int i) {
    if (i + 1 < SIZE) {
      return i + 1;
    }
    state[0] = state[SIZE - 1];
    return 1;
  }

  private void generate() {
    // Three loops instead of indices modulo SIZE, which take most of a bootstrap's time.
    for (int i = 0; i < SIZE - SHIFT; i++) {
      state[i] = state[i + SHIFT] ^ twist(state[i], state[i + 1]);
    }
    for (int i = SIZE - SHIFT; i < SIZE - 1; i++) {
      state[i] = state[i + SHIFT - SIZE] ^ twist(state[i], state[i + 1]);
    }
    state[SIZE - 1] = state[SHIFT - 1] ^ twist(state[SIZE - 1], state[0]);
  }

  private static int twist(int upper, int lower) {
    int y = (upper & UPPER_MASK) | (lower & LOWER_MASK);
    return (y >>> 1) ^ (-(y & 1) & MATRIX);
  }
}
