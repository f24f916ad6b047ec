package org.cliffwatch.quantizer.train;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import org.cliffwatch.quantizer.train.DecoderGradient.Result;

/**
 * Causal attention of whole sequences with rotary positions: softmax(q kᵀ / √width) v for each
 * head. A row of {@code qkv} is laid out as gpt_neox does: for each head its query, key and value.
 */
final class CausalAttention {
  private final ModelShape shape;
  private final Rounding rounding;
  private final int length;
  private final float[] cos;
  private final float[] sin;
  // One head of one sequence, (length, head width) or (length, length).
  private final float[] q;
  private final float[] k;
  private final float[] v;
  private final float[] o;
  private final float[] dq;
  private final float[] dk;
  private final float[] dv;
  private final float[] p;
  private final float[] ds;

  CausalAttention(ModelShape shape, Rounding rounding, int length) {
    this.shape = shape;
    this.rounding = rounding;
    this.length = length;
    int half = shape.rotated() / 2;
    cos = new float[length * half];
    sin = new float[length * half];
    for (int t = 0; t < length; t++) {
      for (int i = 0; i < half; i++) {
        double angle = t * Math.pow(ModelShape.ROTARY_BASE, -2.0 * i / shape.rotated());
        cos[t * half + i] = (float) Math.cos(angle);
        sin[t * half + i] = (float) Math.sin(angle);
      }
    }
    int size = length * shape.headWidth();
    q = new float[size];
    k = new float[size];
    v = new float[size];
    o = new float[size];
    dq = new float[size];
    dk = new float[size];
    dv = new float[size];
    p = new float[length * length];
    ds = new float[length * length];
  }

  private float scale() {
    return (float) (1 / Math.sqrt(shape.headWidth()));
  }

  /**
   * Attends within each sequence.
   *
   * @param layer whose results these are
   * @param qkv (sequences · length, 3 · hidden); queries and keys are rotated in place
   * @param probabilities (sequences, heads, length, length), kept for the gradient
   * @param y (sequences · length, hidden), overwritten
   */
  void forward(int layer, float[] qkv, int sequences, float[] probabilities, float[] y) {
    rotate(qkv, sequences, 1);
    round(layer, Result.ROTATED, qkv, sequences * length * 3 * shape.hidden());
    int width = shape.headWidth();
    for (int s = 0; s < sequences; s++) {
      for (int h = 0; h < shape.heads(); h++) {
        gather(qkv, s, h);
        Products.timesTransposed(scale(), q, k, length, length, width, p);
        for (int t = 0; t < length; t++) {
          Softmax.inPlace(p, t * length, t + 1);
          Arrays.fill(p, t * length + t + 1, (t + 1) * length, 0f);
        }
        round(layer, Result.PROBABILITIES, p, p.length);
        System.arraycopy(p, 0, probabilities, (s * shape.heads() + h) * p.length, p.length);
        Products.times(1, p, v, length, width, length, o);
        scatter(o, y, s, h * width, shape.hidden());
      }
    }
    round(layer, Result.ATTENDED, y, sequences * length * shape.hidden());
  }

  private void round(int layer, Result result, float[] x, int n) {
    rounding.round(DecoderGradient.use(layer, result), x, n);
  }

  /**
   * Gradient at the rows before rotation.
   *
   * @param qkv as {@link #forward} left it
   * @param dy (sequences · length, hidden) gradient at the output
   * @param dqkv (sequences · length, 3 · hidden), overwritten
   */
  void backward(
      int layer, float[] qkv, int sequences, float[] probabilities, float[] dy, float[] dqkv) {
    int width = shape.headWidth();
    int stride = 3 * shape.hidden();
    for (int s = 0; s < sequences; s++) {
      for (int h = 0; h < shape.heads(); h++) {
        gather(qkv, s, h);
        copy(dy, s, h * width, shape.hidden(), o);
        System.arraycopy(probabilities, (s * shape.heads() + h) * p.length, p, 0, p.length);
        Products.transposedTimes(1, p, o, length, width, length, dv);
        Products.timesTransposed(1, o, v, length, length, width, ds);
        round(layer, Result.D_PROBABILITIES, ds, ds.length);
        softmaxGradient();
        round(layer, Result.D_SCORES, ds, ds.length);
        Products.times(scale(), ds, k, length, width, length, dq);
        Products.transposedTimes(scale(), ds, q, length, width, length, dk);
        scatter(dq, dqkv, s, h * 3 * width, stride);
        scatter(dk, dqkv, s, h * 3 * width + width, stride);
        scatter(dv, dqkv, s, h * 3 * width + 2 * width, stride);
      }
    }
    round(layer, Result.D_ROTATED, dqkv, sequences * length * stride);
    rotate(dqkv, sequences, -1);
    round(layer, Result.D_QUERY_KEY_VALUE, dqkv, sequences * length * stride);
  }

  /** ds[t] = p[t] ⊙ (ds[t] − p[t]·ds[t]); zero where p is masked. */
  private void softmaxGradient() {
    for (int t = 0; t < length; t++) {
      int at = t * length;
      int body = length - length % Lanes.WIDTH;
      FloatVector lanes = FloatVector.zero(Lanes.SPECIES);
      for (int i = 0; i < body; i += Lanes.WIDTH) {
        lanes =
            FloatVector.fromArray(Lanes.SPECIES, p, at + i)
                .fma(FloatVector.fromArray(Lanes.SPECIES, ds, at + i), lanes);
      }
      float dot = Lanes.sum(lanes);
      for (int i = body; i < length; i++) {
        dot += p[at + i] * ds[at + i];
      }
      for (int i = 0; i < body; i += Lanes.WIDTH) {
        FloatVector.fromArray(Lanes.SPECIES, ds, at + i)
            .sub(dot)
            .mul(FloatVector.fromArray(Lanes.SPECIES, p, at + i))
            .intoArray(ds, at + i);
      }
      for (int i = body; i < length; i++) {
        ds[at + i] = (ds[at + i] - dot) * p[at + i];
      }
    }
  }

  private void gather(float[] qkv, int s, int h) {
    int width = shape.headWidth();
    int stride = 3 * shape.hidden();
    copy(qkv, s, h * 3 * width, stride, q);
    copy(qkv, s, h * 3 * width + width, stride, k);
    copy(qkv, s, h * 3 * width + 2 * width, stride, v);
  }

  private void copy(float[] rows, int s, int column, int stride, float[] out) {
    int width = shape.headWidth();
    for (int t = 0; t < length; t++) {
      System.arraycopy(rows, (s * length + t) * stride + column, out, t * width, width);
    }
  }

  private void scatter(float[] in, float[] rows, int s, int column, int stride) {
    int width = shape.headWidth();
    for (int t = 0; t < length; t++) {
      System.arraycopy(in, t * width, rows, (s * length + t) * stride + column, width);
    }
  }

  /** Turns pairs (i, i + rotated/2) of queries and keys by their position; −1 turns them back. */
  private void rotate(float[] qkv, int sequences, float direction) {
    int half = shape.rotated() / 2;
    int width = shape.headWidth();
    for (int row = 0; row < sequences * length; row++) {
      int angle = row % length * half;
      for (int h = 0; h < shape.heads(); h++) {
        for (int part = 0; part < 2; part++) {
          int at = row * 3 * shape.hidden() + (h * 3 + part) * width;
          for (int i = 0; i < half; i++) {
            float c = cos[angle + i];
            float s = sin[angle + i] * direction;
            float a = qkv[at + i];
            float b = qkv[at + half + i];
            qkv[at + i] = a * c - b * s;
            qkv[at + half + i] = b * c + a * s;
          }
        }
      }
    }
  }
}
