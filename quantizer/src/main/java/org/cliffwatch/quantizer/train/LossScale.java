package org.cliffwatch.quantizer.train;

/**
 * Dynamic loss scaling (Micikevicius et al. 2018) with the rules of PyTorch's GradScaler: halve and
 * skip the step when a gradient is not finite, double after {@link #GROWTH_INTERVAL} good steps.
 * Only float16 needs it; where it is not dynamic the scale is 1 and stays.
 */
final class LossScale {
  static final int GROWTH_INTERVAL = 200;
  private static final float INITIAL = 65_536;
  private static final float SMALLEST = 1;

  private final boolean dynamic;
  private float scale;
  private int goodSteps;

  LossScale(boolean dynamic) {
    this(dynamic, dynamic ? INITIAL : 1, 0);
  }

  LossScale(boolean dynamic, float scale, int goodSteps) {
    this.dynamic = dynamic;
    this.scale = scale;
    this.goodSteps = goodSteps;
  }

  float scale() {
    return scale;
  }

  /** Steps since the scale last changed. */
  int goodSteps() {
    return goodSteps;
  }

  void update(boolean finite) {
    if (!dynamic) {
      return;
    }
    if (!finite) {
      scale = Math.max(SMALLEST, scale / 2);
      goodSteps = 0;
    } else if (++goodSteps == GROWTH_INTERVAL) {
      scale *= 2;
      goodSteps = 0;
    }
  }
}
