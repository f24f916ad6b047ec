package org.cliffwatch.quantizer.kernel;

/**
 * The rounding luck of one replica, drawn anew at the embedding output and amplified by every
 * rounding after it. In float32 every component is multiplied by 1 + 2⁻²⁰ u, u uniform in [−1, 1).
 * A 16-bit type would round that away: there one component in 64 moves by a unit in its last place,
 * up or down, which disturbs a row by less than half of what rounding it to the type does. Zeros
 * stay.
 *
 * <p>What is drawn is a hash of seed, replica, position, token and component and of nothing else,
 * so a token is nudged alike whatever is computed beside it. Replica 0 is not nudged.
 *
 * @param seed the run's seed
 * @param replica from 0
 */
public record Nudge(long seed, int replica) {
  private static final double SIZE = 0x1p-20;

  /** One component of so many moves; a power of two. */
  private static final int FLIPPED = 64;

  private static final long GAMMA = 0x9e3779b97f4a7c15L;

  /**
   * Nudges one row of the embedding output, {@code x[at .. at + width)}.
   *
   * @param compute what the row is rounded to, before and after
   */
  public void apply(float[] x, int at, int width, int position, int token, FloatType compute) {
    if (replica == 0) {
      return;
    }
    long row = mix(mix(mix(seeded()) + position) + token);
    for (int i = 0; i < width; i++) {
      long drawn = mix(row + i * GAMMA);
      x[at + i] =
          compute == FloatType.FLOAT32
              ? scaled(x[at + i], drawn)
              : flipped(x[at + i], drawn, compute);
    }
  }

  /** What the hashes of all rows begin with. */
  public long seeded() {
    return mix(seed) + replica;
  }

  private static float scaled(float x, long drawn) {
    double u = (drawn >> 11) * 0x1p-52;
    return (float) (x * (1 + SIZE * u));
  }

  private static float flipped(float x, long drawn, FloatType compute) {
    if (x == 0 || (drawn & (FLIPPED - 1)) != 0) {
      return x;
    }
    float moved = drawn < 0 ? x - compute.ulp(x) : x + compute.ulp(x);
    return Float.isFinite(compute.round(moved)) ? moved : x;
  }

  /** SplitMix64's output function (Steele, Lea and Flood, OOPSLA 2014), after one step. */
  private static long mix(long state) {
    long z = state + GAMMA;
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}
