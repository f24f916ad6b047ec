package org.cliffwatch.quantizer.kernel.cuda;

import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Constants;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.HostOperations;
import org.cliffwatch.quantizer.kernel.Normalization;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.kernel.TokenRuns;

/**
 * The device's float32 kernels on Java arrays, copied there and back: for the digest and for tests.
 */
final class DeviceOperations implements HostOperations {
  private final DeviceBackend backend;

  DeviceOperations(DeviceBackend backend) {
    this.backend = backend;
  }

  /** What a session does with rows that have been copied to the device. */
  private interface Work {
    void on(DeviceSession session, DeviceRows x);
  }

  /** Copies x to the device, works on it in place, and copies it to y. */
  private void inPlace(float[] x, int rows, int width, float[] y, Work work) {
    if (rows == 0 || width == 0) {
      return;
    }
    try (DeviceSession session = backend.session(FloatType.FLOAT32);
        DeviceRows on = session.rows(rows, width)) {
      session.upload(x, rows, on);
      session.begin(rows);
      work.on(session, on);
      session.download(on, rows, y);
    }
  }

  @Override
  public void rmsNorm(float[] x, int rows, int width, float[] weight, float epsilon, float[] y) {
    normalize(Normalization.RMS, x, rows, width, weight, null, epsilon, y);
  }

  @Override
  public void layerNorm(
      float[] x, int rows, int width, float[] weight, float[] bias, float epsilon, float[] y) {
    normalize(Normalization.LAYER, x, rows, width, weight, bias, epsilon, y);
  }

  private void normalize(
      Normalization kind,
      float[] x,
      int rows,
      int width,
      float[] weight,
      float[] bias,
      float epsilon,
      float[] y) {
    try (Constants gains = backend.constants(weight);
        Constants biases = bias == null ? null : backend.constants(bias)) {
      inPlace(
          x,
          rows,
          width,
          y,
          (session, on) -> session.normalize(kind, epsilon, gains, biases, on, 1, on));
    }
  }

  @Override
  public void activate(Activation f, float[] x, int n) {
    inPlace(x, 1, n, x, (session, on) -> session.kernels().activate(f, on, 1));
  }

  @Override
  public void activateGated(Activation f, float[] gate, float[] up, int n) {
    inPlace(
        gate,
        1,
        n,
        gate,
        (session, on) -> {
          try (DeviceRows factor = session.rows(1, n)) {
            session.upload(up, 1, factor);
            session.kernels().activateGated(f, on, factor, 1);
          }
        });
  }

  @Override
  public void scale(float[] x, float factor, int n) {
    inPlace(x, 1, n, x, (session, on) -> session.kernels().scale(on, factor, 1));
  }

  @Override
  public void add(float[] x, float[] y, int n) {
    inPlace(
        x,
        1,
        n,
        x,
        (session, on) -> {
          try (DeviceRows addend = session.rows(1, n)) {
            session.upload(y, 1, addend);
            session.kernels().add(on, addend.address(), 1);
          }
        });
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
    try (DeviceConstants cosines = backend.constants(cos);
        DeviceConstants sines = backend.constants(sin)) {
      inPlace(
          x,
          rows,
          heads * headSize,
          x,
          (session, on) ->
              session
                  .kernels()
                  .rotate(
                      on,
                      rows,
                      heads,
                      headSize,
                      rotated,
                      session.upload(Scratch.Use.POSITIONS, positions),
                      DeviceConstants.address(cosines),
                      DeviceConstants.address(sines),
                      interleaved));
    }
  }

  @Override
  public void attention(
      float[] q, float[] k, float[] v, TokenRuns runs, AttentionShape shape, float[] y) {
    int rows = runs.rows();
    int queries = shape.heads() * shape.headSize();
    int keys = shape.keyHeads() * shape.headSize();
    try (DeviceSession session = backend.session(FloatType.FLOAT32);
        Constants alibi = shape.alibi() == null ? null : backend.constants(shape.alibi());
        DeviceRows query = session.rows(rows, queries);
        DeviceRows key = session.rows(rows, keys);
        DeviceRows value = session.rows(rows, keys);
        DeviceRows attended = session.rows(rows, queries)) {
      session.upload(q, rows, query);
      session.upload(k, rows, key);
      session.upload(v, rows, value);
      session.begin(new int[rows], runs, new Stopwatch());
      session.attend(query, key, value, shape, alibi, attended);
      session.download(attended, rows, y);
    }
  }

  @Override
  public void round(FloatType type, float[] x, int n) {
    for (int i = 0; i < n; i++) {
      x[i] = type.round(x[i]);
    }
  }
}
