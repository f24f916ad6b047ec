package org.cliffwatch.tasks.metric;

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
    int y = state[at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return y ^ (y >>> 18);
  }

  /** {@code random()}: 53 random bits in [0, 1). */
  public double nextDouble() {
    int high = nextInt() >>> 5;
    int low = nextInt() >>> 6;
    return (high * 67108864.0 + low) * (1.0 / 9007199254740992.0);
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
