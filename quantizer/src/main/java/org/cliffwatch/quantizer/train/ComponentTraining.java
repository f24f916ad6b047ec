package org.cliffwatch.quantizer.train;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Flexpoint;
import org.cliffwatch.quantizer.train.FlexpointTensors.Stored;

/**
 * Steps of a {@link Component}: forward, backward and the update of its own weights, clipped by
 * themselves. It hears and tells its neighbours activations and gradients, a message a slice (and a
 * loss, for gradients), and waits for nothing else: with N = 1 it is as far ahead as messages
 * allow, with more it waits for the component N − 1 farther on. A decoder that is not cut has no
 * neighbours.
 */
final class ComponentTraining implements AutoCloseable {
  /** What predicts what: the tokens of a slice of a step, (sequences, length + 1). */
  interface Batches {
    int[] slice(int step, int slice);
  }

  private static final int HEADER = Integer.BYTES + Long.BYTES;

  private final Recipe recipe;
  private final Component component;
  private final TrainingState state;
  private final Batches batches;
  private final Link previous;
  private final Link next;
  private final int values;
  private final FloatType type;
  private final AdamW optimizer;
  private final FlexpointTensors flexpoint;
  private final StraightThrough straightThrough;
  private final Parameters rounded;
  private final Set<Parameters.Tensor> linear = Collections.newSetFromMap(new IdentityHashMap<>());
  private final Parameters gradient;
  private final List<DecoderGradient> slices = new ArrayList<>();
  private final ExecutorService workers;
  private final int threads;
  private final Clock clock = new Clock();

  /**
   * On the thread that will do the steps.
   *
   * @param state the component's; changes with every step
   * @param threads that work at a time; does not change the result; 1 where there are neighbours
   */
  ComponentTraining(
      Recipe recipe,
      ModelShape shape,
      Component component,
      TrainingState state,
      Batches batches,
      Link.Neighbours neighbours,
      int threads) {
    this.recipe = recipe;
    this.component = component;
    this.state = state;
    this.batches = batches;
    previous = neighbours.previous();
    next = neighbours.next();
    this.threads = threads;
    int sequences = recipe.batchSize() / Recipe.SLICES;
    values = sequences * recipe.sequenceLength() * shape.hidden();
    type = recipe.halfPrecision().type();
    optimizer = new AdamW(recipe);
    rounded = new Parameters(shape, component);
    gradient = new Parameters(shape, component);
    int tensors = gradient.tensors().size();
    Flexpoint format = recipe.halfPrecision().flexpoint();
    flexpoint = format == null ? null : new FlexpointTensors(format, shape, tensors);
    if (flexpoint != null && state.flexpoint != null) {
      flexpoint.restore(state.flexpoint);
    } else if (flexpoint != null) {
      for (int t = 0; t < tensors; t++) {
        flexpoint.store(Stored.WEIGHT, t, state.weights.tensors().get(t).values());
      }
    }
    straightThrough =
        recipe.quantization() == null ? null : new StraightThrough(recipe.quantization());
    linear.addAll(state.weights.matrices());
    for (int slice = 0; slice < Recipe.SLICES; slice++) {
      slices.add(
          new DecoderGradient(
              shape,
              component,
              flexpoint == null ? Rounding.to(type) : flexpoint.slice(slice),
              straightThrough == null ? null : straightThrough.inputs(),
              recipe.dropout(),
              sequences,
              recipe.sequenceLength()));
    }
    workers =
        Executors.newFixedThreadPool(
            threads,
            task -> {
              Thread thread = new Thread(task, "training-" + recipe.name());
              thread.setDaemon(true);
              return thread;
            });
  }

  /** Time, and time at work, of the component so far. */
  Clock clock() {
    return clock;
  }

  /** Of the last step, over the batch, before clipping where nothing clips. */
  Parameters gradient() {
    return gradient;
  }

  /** Exponents for {@link TrainingState#flexpoint}; null outside Flexpoint. */
  String flexpoint() {
    return flexpoint == null ? null : flexpoint.json();
  }

  /** One optimizer step on the next batch. */
  Training.Step step() {
    int step = state.step + 1;
    float scale = state.lossScale.scale();
    forEachTensor(this::round);
    if (flexpoint != null && !flexpoint.isInitialized()) {
      forwardAndBackward(step, scale, 1);
      flexpoint.initialized();
    }
    double loss = forwardAndBackward(step, scale, threads);

    double[] squares = new double[gradient.tensors().size()];
    forEachTensor(t -> squares[t] = isTrained(t) ? reduce(t, 1 / scale) : 0);
    double square = 0;
    for (double sum : squares) {
      square += sum;
    }
    double norm = Math.sqrt(square);
    float learningRate = recipe.learningRate(step);
    boolean finite = Double.isFinite(norm);
    if (finite) {
      int update = ++state.updates[component.index()];
      float clip = clipping(norm);
      forEachTensor(
          t -> {
            if (isTrained(t)) {
              update(t, clip, update, learningRate);
            }
          });
    }
    state.lossScale.update(finite);
    state.step = step;
    Training.Exponents exponents = flexpoint == null ? null : flexpoint.endStep();
    return new Training.Step(step, loss, norm, learningRate, scale, exponents);
  }

  /**
   * Leaves the slices' gradients with them.
   *
   * @return the component's loss, mean over the batch's tokens, nats; NaN if it has none
   */
  private double forwardAndBackward(int step, float scale, int threads) {
    int predicted = recipe.batchSize() * recipe.sequenceLength();
    double[] losses = new double[slices.size()];
    int[][] tokens = new int[slices.size()][];
    long[] dropoutKeys = new long[slices.size()];
    inParallel(
        threads,
        slices.size(),
        slice -> {
          tokens[slice] = batches.slice(step, slice);
          dropoutKeys[slice] = Dropout.key(recipe.seed(), step, slice);
          DecoderGradient decoder = slices.get(slice);
          float[] input = previous == null ? null : receive(previous, step);
          float[] output = decoder.forward(rounded, tokens[slice], input, dropoutKeys[slice]);
          if (next != null) {
            send(next, step, output);
          }
          losses[slice] =
              component.hasLoss()
                  ? decoder.loss(rounded, tokens[slice], scale / predicted)
                  : Double.NaN;
        });
    for (int l = component.index(); l <= component.learnsFrom(); l++) {
      int loss = l;
      if (component.carries(loss)) {
        inParallel(
            threads,
            slices.size(),
            slice -> {
              DecoderGradient decoder = slices.get(slice);
              boolean isOwn = loss == component.index();
              float[] dOutput = isOwn ? decoder.lossGradient() : receive(next, step);
              float[] dInput =
                  decoder.backward(
                      rounded,
                      tokens[slice],
                      dOutput,
                      loss == component.learnsFrom(),
                      dropoutKeys[slice]);
              if (component.sendsBack(loss)) {
                send(previous, step, dInput);
              }
            });
      }
    }
    double loss = 0;
    for (double sum : losses) {
      loss += sum;
    }
    return loss / predicted;
  }

  private void send(Link link, int step, float[] values) {
    ByteBuffer message = ByteBuffer.allocate(HEADER + values.length * Float.BYTES);
    message.putInt(step).putLong(clock.time());
    message.asFloatBuffer().put(values);
    link.send(message.array());
  }

  private float[] receive(Link link, int step) {
    clock.time();
    ByteBuffer message = ByteBuffer.wrap(link.receive(HEADER + values * Float.BYTES));
    int found = message.getInt();
    if (found != step) {
      throw new IllegalStateException(
          "recipe %s: component %s is at step %s, its neighbour at step %s"
              .formatted(recipe.name(), component.index(), step, found));
    }
    clock.received(message.getLong());
    float[] received = new float[values];
    message.asFloatBuffer().get(received);
    return received;
  }

  private boolean isTrained(int t) {
    return recipe.trainable() == Recipe.Trainable.ALL
        || linear.contains(state.weights.tensors().get(t));
  }

  /** Factor on the gradients: as PyTorch's clip_grad_norm_. */
  private float clipping(double norm) {
    if (recipe.gradientClipping() == null) {
      return 1;
    }
    return (float) Math.min(1, recipe.gradientClipping() / (norm + 1e-6));
  }

  private void round(int t) {
    Parameters.Tensor from = state.weights.tensors().get(t);
    float[] to = rounded.tensors().get(t).values();
    System.arraycopy(from.values(), 0, to, 0, to.length);
    if (straightThrough != null && linear.contains(from)) {
      straightThrough.weight(from, to);
    }
    Lanes.round(type, to, to.length);
  }

  /** Adds the slices' gradients, in order, and returns the sum of squares. */
  private double reduce(int t, float inverseScale) {
    float[] sum = gradient.tensors().get(t).values();
    float[] first = slices.get(0).gradients().tensors().get(t).values();
    System.arraycopy(first, 0, sum, 0, sum.length);
    for (DecoderGradient slice : slices.subList(1, slices.size())) {
      float[] more = slice.gradients().tensors().get(t).values();
      for (int i = 0; i < sum.length; i++) {
        sum[i] += more[i];
      }
    }
    for (int i = 0; i < sum.length; i++) {
      sum[i] *= inverseScale;
    }
    if (flexpoint != null) {
      flexpoint.store(Stored.GRADIENT, t, sum);
    }
    double squares = 0;
    for (float each : sum) {
      squares += (double) each * each;
    }
    return squares;
  }

  private void update(int t, float clip, int update, float learningRate) {
    float[] values = gradient.tensors().get(t).values();
    if (clip != 1) {
      for (int i = 0; i < values.length; i++) {
        values[i] *= clip;
      }
    }
    optimizer.update(
        state.weights.tensors().get(t),
        values,
        state.mean.tensors().get(t).values(),
        state.square.tensors().get(t).values(),
        update,
        learningRate);
    if (flexpoint != null) {
      flexpoint.store(Stored.WEIGHT, t, state.weights.tensors().get(t).values());
      flexpoint.store(Stored.MEAN, t, state.mean.tensors().get(t).values());
      flexpoint.storeRoot(t, state.square.tensors().get(t).values());
    }
  }

  private interface Work {
    void at(int index);
  }

  private void forEachTensor(Work work) {
    inParallel(threads, gradient.tensors().size(), work);
  }

  /** Does all of it; which thread does what changes nothing, as no two share an output. */
  private void inParallel(int threads, int count, Work work) {
    if (threads == 1) {
      for (int i = 0; i < count; i++) {
        work.at(i);
      }
      return;
    }
    AtomicInteger following = new AtomicInteger();
    Callable<Void> worker =
        () -> {
          for (int i = following.getAndIncrement(); i < count; i = following.getAndIncrement()) {
            work.at(i);
          }
          return null;
        };
    try {
      for (Future<Void> done : workers.invokeAll(Collections.nCopies(threads, worker))) {
        done.get();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("recipe " + recipe.name() + ": interrupted", e);
    } catch (ExecutionException e) {
      throw new IllegalStateException("recipe " + recipe.name() + ": " + e.getCause(), e);
    }
  }

  @Override
  public void close() {
    workers.shutdownNow();
  }
}
