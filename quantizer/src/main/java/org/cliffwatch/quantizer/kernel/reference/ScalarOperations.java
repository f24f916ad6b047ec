package org.cliffwatch.quantizer.kernel.reference;

import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.HostOperations;
import org.cliffwatch.quantizer.kernel.TokenRuns;

/** {@link HostOperations} as one would write them on paper: a value at a time, sums in float64. */
public final class ScalarOperations implements HostOperations {
  @Override
  public void rmsNorm(float[] x, int rows, int width, float[] weight, float epsilon, float[] y) {
    for (int r = 0; r < rows; r++) {
      double squares = 0;
      for (int i = 0; i < width; i++) {
        squares += (double) x[r * width + i] * x[r * width + i];
      }
      double scale = inverseRoot(squares / width, epsilon);
      for (int i = 0; i < width; i++) {
        y[r * width + i] = (float) (x[r * width + i] * scale * weight[i]);
      }
    }
  }

  @Override
  public void layerNorm(
      float[] x, int rows, int width, float[] weight, float[] bias, float epsilon, float[] y) {
    for (int r = 0; r < rows; r++) {
      double sum = 0;
      for (int i = 0; i < width; i++) {
        sum += x[r * width + i];
      }
      double mean = sum / width;
      double squares = 0;
      for (int i = 0; i < width; i++) {
        double centred = x[r * width + i] - mean;
        squares += centred * centred;
      }
      double scale = inverseRoot(squares / width, epsilon);
      for (int i = 0; i < width; i++) {
        double normed = (x[r * width + i] - mean) * scale * weight[i];
        y[r * width + i] = (float) (bias == null ? normed : normed + bias[i]);
      }
    }
  }

  /** 1 / √∞ would make zeros of a row. */
  private static double inverseRoot(double square, float epsilon) {
    return Double.isFinite(square) ? 1 / Math.sqrt(square + epsilon) : Double.NaN;
  }

  @Override
  public void activate(Activation f, float[] x, int n) {
    for (int i = 0; i < n; i++) {
      x[i] = (float) activate(f, x[i]);
    }
  }

  @Override
  public void activateGated(Activation f, float[] gate, float[] up, int n) {
    for (int i = 0; i < n; i++) {
      gate[i] = (float) (activate(f, gate[i]) * up[i]);
    }
  }

  private static double activate(Activation f, double x) {
    return switch (f) {
      case GELU -> 0.5 * x * (1 + erf(x * Math.sqrt(0.5)));
      case GELU_TANH ->
          0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
      case RELU -> Math.max(x, 0);
      case SILU -> x / (1 + Math.exp(-x));
      case QUICK_GELU -> x / (1 + Math.exp(-1.702 * x));
    };
  }

  /**
   * erf(x) = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1)): no term cancels another (Abramowitz
   * and Stegun 7.1.6).
   */
  static double erf(double x) {
    if (Math.abs(x) > 6) {
      return Math.signum(x);
    }
    double term = x;
    double sum = x;
    for (int n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
      term *= 2 * x * x / (2 * n + 1);
      sum += term;
    }
    return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
  }

  @Override
  public void scale(float[] x, float factor, int n) {
    for (int i = 0; i < n; i++) {
      x[i] *= factor;
    }
  }

  @Override
  public void add(float[] x, float[] y, int n) {
    for (int i = 0; i < n; i++) {
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
      for (int h = 0; h < heads; h++) {
        int head = (r * heads + h) * headSize;
        for (int i = 0; i < half; i++) {
          int first = head + (interleaved ? 2 * i : i);
          int second = head + (interleaved ? 2 * i + 1 : i + half);
          float c = cos[positions[r] * half + i];
          float s = sin[positions[r] * half + i];
          float a = x[first];
          float b = x[second];
          x[first] = a * c - b * s;
          x[second] = b * c + a * s;
        }
      }
    }
  }

  @Override
  public void attention(
      float[] q, float[] k, float[] v, TokenRuns runs, AttentionShape shape, float[] y) {
    int size = shape.headSize();
    int heads = shape.heads();
    int keyHeads = shape.keyHeads();
    for (int run = 0; run < runs.runs(); run++) {
      int[] keyRows = runs.keyRows(run);
      for (int row = runs.start()[run]; row < runs.start()[run + 1]; row++) {
        int position = runs.position()[run] + row - runs.start()[run];
        int first = shape.window() == 0 ? 0 : Math.max(0, position - shape.window() + 1);
        for (int h = 0; h < heads; h++) {
          int keyHead = h / (heads / keyHeads);
          double[] weight = new double[position + 1];
          double max = Double.NEGATIVE_INFINITY;
          for (int j = first; j <= position; j++) {
            double dot = 0;
            for (int i = 0; i < size; i++) {
              dot +=
                  (double) q[(row * heads + h) * size + i]
                      * k[(keyRows[j] * keyHeads + keyHead) * size + i];
            }
            weight[j] = score(dot * shape.scale(), shape, h, j - position);
            max = Math.max(max, weight[j]);
          }
          double sum = 0;
          for (int j = first; j <= position; j++) {
            weight[j] = Math.exp(weight[j] - max);
            sum += weight[j];
          }
          for (int i = 0; i < size; i++) {
            double mixed = 0;
            for (int j = first; j <= position; j++) {
              mixed += weight[j] * v[(keyRows[j] * keyHeads + keyHead) * size + i];
            }
            y[(row * heads + h) * size + i] = (float) (mixed / sum);
          }
        }
      }
    }
  }

  private static double score(double scaled, AttentionShape shape, int head, int distance) {
    if (!Double.isFinite(scaled)) {
      return Double.NaN;
    }
    double capped =
        shape.softCap() == 0 ? scaled : shape.softCap() * Math.tanh(scaled / shape.softCap());
    return shape.alibi() == null ? capped : capped + shape.alibi()[head] * distance;
  }

  @Override
  public void round(FloatType type, float[] x, int n) {
    for (int i = 0; i < n; i++) {
      x[i] = type.round(x[i]);
    }
  }
}
