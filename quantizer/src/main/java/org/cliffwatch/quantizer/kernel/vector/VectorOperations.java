package org.cliffwatch.quantizer.kernel.vector;

import static org.cliffwatch.quantizer.kernel.vector.VectorMath.LANES;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.load;

import jdk.incubator.vector.FloatVector;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.HostOperations;
import org.cliffwatch.quantizer.kernel.TokenRuns;

/** {@link HostOperations} on the Vector API. */
public final class VectorOperations implements HostOperations {
  private final VectorAttention attention = new VectorAttention();

  @Override
  public void rmsNorm(float[] x, int rows, int width, float[] weight, float epsilon, float[] y) {
    int whole = width - width % LANES;
    for (int r = 0; r < rows; r++) {
      int at = r * width;
      float mean = VectorMath.squares(x, at, width, 0) / width;
      float scale = VectorMath.inverseRoot(mean, epsilon);
      for (int i = 0; i < whole; i += LANES) {
        load(x, at + i).mul(scale).mul(load(weight, i)).intoArray(y, at + i);
      }
      for (int i = whole; i < width; i++) {
        y[at + i] = x[at + i] * scale * weight[i];
      }
    }
  }

  @Override
  public void layerNorm(
      float[] x, int rows, int width, float[] weight, float[] bias, float epsilon, float[] y) {
    int whole = width - width % LANES;
    for (int r = 0; r < rows; r++) {
      int at = r * width;
      float mean = VectorMath.sum(x, at, width) / width;
      float variance = VectorMath.squares(x, at, width, mean) / width;
      float scale = VectorMath.inverseRoot(variance, epsilon);
      for (int i = 0; i < whole; i += LANES) {
        FloatVector normed = load(x, at + i).sub(mean).mul(scale).mul(load(weight, i));
        (bias == null ? normed : normed.add(load(bias, i))).intoArray(y, at + i);
      }
      for (int i = whole; i < width; i++) {
        float normed = (x[at + i] - mean) * scale * weight[i];
        y[at + i] = bias == null ? normed : normed + bias[i];
      }
    }
  }

  @Override
  public void activate(Activation f, float[] x, int n) {
    int whole = n - n % LANES;
    switch (f) {
      case GELU -> gelus(x, whole);
      case GELU_TANH -> geluTanhs(x, whole);
      case RELU -> relus(x, whole);
      case SILU -> silus(x, whole);
      case QUICK_GELU -> quickGelus(x, whole);
    }
    if (whole < n) {
      float[] last = new float[LANES];
      System.arraycopy(x, whole, last, 0, n - whole);
      activate(f, last, LANES);
      System.arraycopy(last, 0, x, whole, n - whole);
    }
  }

  private static void gelus(float[] x, int n) {
    for (int i = 0; i < n; i += LANES) {
      VectorMath.gelu(load(x, i)).intoArray(x, i);
    }
  }

  private static void geluTanhs(float[] x, int n) {
    for (int i = 0; i < n; i += LANES) {
      VectorMath.geluTanh(load(x, i)).intoArray(x, i);
    }
  }

  private static void relus(float[] x, int n) {
    for (int i = 0; i < n; i += LANES) {
      load(x, i).max(0f).intoArray(x, i);
    }
  }

  private static void silus(float[] x, int n) {
    for (int i = 0; i < n; i += LANES) {
      VectorMath.silu(load(x, i)).intoArray(x, i);
    }
  }

  private static void quickGelus(float[] x, int n) {
    for (int i = 0; i < n; i += LANES) {
      VectorMath.quickGelu(load(x, i)).intoArray(x, i);
    }
  }

  @Override
  public void activateGated(Activation f, float[] gate, float[] up, int n) {
    if (f == Activation.SILU) {
      gatedSilu(gate, up, n);
      return;
    }
    activate(f, gate, n);
    int whole = n - n % LANES;
    for (int i = 0; i < whole; i += LANES) {
      load(gate, i).mul(load(up, i)).intoArray(gate, i);
    }
    for (int i = whole; i < n; i++) {
      gate[i] *= up[i];
    }
  }

  private static void gatedSilu(float[] gate, float[] up, int n) {
    int whole = n - n % LANES;
    for (int i = 0; i < whole; i += LANES) {
      VectorMath.silu(load(gate, i)).mul(load(up, i)).intoArray(gate, i);
    }
    if (whole < n) {
      float[] lastGate = new float[LANES];
      float[] lastUp = new float[LANES];
      System.arraycopy(gate, whole, lastGate, 0, n - whole);
      System.arraycopy(up, whole, lastUp, 0, n - whole);
      gatedSilu(lastGate, lastUp, LANES);
      System.arraycopy(lastGate, 0, gate, whole, n - whole);
    }
  }

  @Override
  public void scale(float[] x, float factor, int n) {
    int whole = n - n % LANES;
    for (int i = 0; i < whole; i += LANES) {
      load(x, i).mul(factor).intoArray(x, i);
    }
    for (int i = whole; i < n; i++) {
      x[i] *= factor;
    }
  }

  @Override
  public void add(float[] x, float[] y, int n) {
    int whole = n - n % LANES;
    for (int i = 0; i < whole; i += LANES) {
      load(x, i).add(load(y, i)).intoArray(x, i);
    }
    for (int i = whole; i < n; i++) {
      x[i] += y[i];
    }
  }

  @Override
  public void rotate(
      float[] x,
      int rows,
      int heads,
      int headSize,
      int rotated,
      int[] positions,
      float[] cos,
      float[] sin,
      boolean interleaved) {
    int half = rotated / 2;
    for (int r = 0; r < rows; r++) {
      int angle = positions[r] * half;
      for (int h = 0; h < heads; h++) {
        int head = (r * heads + h) * headSize;
        if (interleaved) {
          rotatePairs(x, head, half, cos, sin, angle);
        } else {
          rotateHalves(x, head, half, cos, sin, angle);
        }
      }
    }
  }

  private static void rotateHalves(
      float[] x, int head, int half, float[] cos, float[] sin, int angle) {
    int whole = half - half % LANES;
    for (int i = 0; i < whole; i += LANES) {
      FloatVector c = load(cos, angle + i);
      FloatVector s = load(sin, angle + i);
      FloatVector a = load(x, head + i);
      FloatVector b = load(x, head + half + i);
      a.mul(c).sub(b.mul(s)).intoArray(x, head + i);
      b.mul(c).add(a.mul(s)).intoArray(x, head + half + i);
    }
    for (int i = whole; i < half; i++) {
      float c = cos[angle + i];
      float s = sin[angle + i];
      float a = x[head + i];
      float b = x[head + half + i];
      x[head + i] = a * c - b * s;
      x[head + half + i] = b * c + a * s;
    }
  }

  private static void rotatePairs(
      float[] x, int head, int half, float[] cos, float[] sin, int angle) {
    for (int i = 0; i < half; i++) {
      float c = cos[angle + i];
      float s = sin[angle + i];
      float a = x[head + 2 * i];
      float b = x[head + 2 * i + 1];
      x[head + 2 * i] = a * c - b * s;
      x[head + 2 * i + 1] = b * c + a * s;
    }
  }

  @Override
  public void attention(
      float[] q, float[] k, float[] v, TokenRuns runs, AttentionShape shape, float[] y) {
    attention.apply(q, k, v, runs, shape, y);
  }

  @Override
  public void round(FloatType type, float[] x, int n) {
    VectorRounding.round(type, x, 0, n);
  }
}
