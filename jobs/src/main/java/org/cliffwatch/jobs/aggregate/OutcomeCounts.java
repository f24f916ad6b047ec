package org.cliffwatch.jobs.aggregate;

import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * What became of the same questions' answers at two precisions. A resample of items is a
 * multinomial draw of these four numbers, which costs nothing for an item.
 *
 * @param kept right at both
 * @param gained right now, wrong in the baseline
 * @param lost wrong now, right in the baseline
 * @param wrong wrong at both
 */
record OutcomeCounts(long kept, long gained, long lost, long wrong) {
  OutcomeCounts plus(OutcomeCounts other) {
    return new OutcomeCounts(
        kept + other.kept, gained + other.gained, lost + other.lost, wrong + other.wrong);
  }

  long items() {
    return kept + gained + lost + wrong;
  }

  /**
   * The bootstrap of the relative change of the share of right answers, paired: as {@link
   * PairedComparison#relativeResamples}, in distribution.
   *
   * @return {@link PairedComparison#RESAMPLES} values in drawing order; NaN where a resample's
   *     baseline is 0
   */
  double[] relativeResamples(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int n = Math.toIntExact(items());
    double turned = (double) (gained + lost) / n;
    double up = gained + lost == 0 ? 0 : (double) gained / (gained + lost);
    double right = kept + wrong == 0 ? 0 : (double) kept / (kept + wrong);
    Map<Integer, Binomial> turns = new HashMap<>();
    Map<Integer, Binomial> stays = new HashMap<>();
    Binomial changes = new Binomial(n, turned);
    double[] resamples = new double[PairedComparison.RESAMPLES];
    for (int r = 0; r < resamples.length; r++) {
      int changed = changes.draw(random);
      int gains = turns.computeIfAbsent(changed, c -> new Binomial(c, up)).draw(random);
      int keeps = stays.computeIfAbsent(n - changed, c -> new Binomial(c, right)).draw(random);
      resamples[r] =
          PairedComparison.relativePercent(
              (double) (keeps + changed - gains) / n, (double) (keeps + gains) / n);
    }
    return resamples;
  }

  /**
   * Draws from a binomial distribution by its inverse, tabulated over all that has a share above
   * 1e-18 of the mode's. (Commons Math searches the inverse anew for every draw, through the
   * incomplete beta function: 100 times as long.)
   */
  static final class Binomial {
    private static final double NEGLIGIBLE = 1e-18;

    private final int first;
    private final double[] cumulative;

    Binomial(int n, double p) {
      if (p <= 0 || p >= 1 || n == 0) {
        first = p >= 1 ? n : 0;
        cumulative = new double[] {1};
        return;
      }
      int mode = Math.min(n, (int) ((n + 1) * p));
      double odds = p / (1 - p);
      int low = mode;
      for (double share = 1; low > 0 && share > NEGLIGIBLE; low--) {
        share *= low / ((n - low + 1) * odds);
      }
      int high = mode;
      for (double share = 1; high < n && share > NEGLIGIBLE; high++) {
        share *= (n - high) * odds / (high + 1);
      }
      first = low;
      cumulative = new double[high - low + 1];
      double share = 1;
      for (int k = mode; k >= low; k--) {
        cumulative[k - low] = share;
        share *= k / ((n - k + 1) * odds);
      }
      share = 1;
      for (int k = mode; k <= high; k++) {
        cumulative[k - low] = share;
        share *= (n - k) * odds / (k + 1);
      }
      double sum = 0;
      for (int i = 0; i < cumulative.length; i++) {
        sum += cumulative[i];
        cumulative[i] = sum;
      }
      for (int i = 0; i < cumulative.length; i++) {
        cumulative[i] /= sum;
      }
    }

    int draw(SplittableRandom random) {
      int at = java.util.Arrays.binarySearch(cumulative, random.nextDouble());
      return first + Math.min(at < 0 ? -at - 1 : at + 1, cumulative.length - 1);
    }
  }
}
