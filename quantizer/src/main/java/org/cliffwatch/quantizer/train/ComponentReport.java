package org.cliffwatch.quantizer.train;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.List;

/**
 * What a component tells the first at a checkpoint.
 *
 * @param losses of the steps since the last, NaN where it has none
 * @param gradientNorms of the same steps
 * @param time of its {@link Clock}, nanoseconds
 * @param busy of these, not waiting
 * @param state its weights and moments
 */
record ComponentReport(
    double[] losses, double[] gradientNorms, long time, long busy, TrainingState state) {

  static ComponentReport of(List<Training.Step> steps, Clock clock, TrainingState state) {
    return new ComponentReport(
        steps.stream().mapToDouble(Training.Step::loss).toArray(),
        steps.stream().mapToDouble(Training.Step::gradientNorm).toArray(),
        clock.time(),
        clock.busy(),
        state);
  }

  /**
   * Size as a message.
   *
   * @param steps since the last report
   */
  static int length(int steps, Parameters weights) {
    long values = 3L * weights.count();
    long length = steps * 2L * Double.BYTES + 2L * Long.BYTES + Integer.BYTES;
    return Math.toIntExact(length + values * Float.BYTES);
  }

  /** As a message. */
  byte[] encoded(Component component) {
    ByteBuffer message = ByteBuffer.allocate(length(losses.length, state.weights));
    for (int step = 0; step < losses.length; step++) {
      message.putDouble(losses[step]).putDouble(gradientNorms[step]);
    }
    message.putLong(time).putLong(busy).putInt(state.updates[component.index()]);
    FloatBuffer values = message.asFloatBuffer();
    for (Parameters parameters : state.parameters()) {
      parameters.tensors().forEach(tensor -> values.put(tensor.values()));
    }
    return message.array();
  }

  /**
   * Reads a message.
   *
   * @param steps since the last report
   * @param into gets the component's weights, moments and count of updates
   */
  static ComponentReport decoded(
      byte[] encoded, int steps, Component component, TrainingState into) {
    ByteBuffer message = ByteBuffer.wrap(encoded);
    double[] losses = new double[steps];
    double[] norms = new double[steps];
    for (int step = 0; step < steps; step++) {
      losses[step] = message.getDouble();
      norms[step] = message.getDouble();
    }
    long time = message.getLong();
    long busy = message.getLong();
    into.updates[component.index()] = message.getInt();
    FloatBuffer values = message.asFloatBuffer();
    for (Parameters parameters : into.parameters()) {
      parameters.of(component).tensors().forEach(tensor -> values.get(tensor.values()));
    }
    return new ComponentReport(losses, norms, time, busy, into);
  }
}
