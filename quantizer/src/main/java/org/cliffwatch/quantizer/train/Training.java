package org.cliffwatch.quantizer.train;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
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
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.TokenizerFiles;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Flexpoint;
import org.cliffwatch.quantizer.tokenizer.Tokenizer;
import org.cliffwatch.quantizer.train.FlexpointTensors.Stored;

/**
 * Trains one recipe, in mixed precision (Micikevicius et al. 2018): float32 master weights, and a
 * model whose weights, activations and gradients are rounded to the half type. Or in {@linkplain
 * FlexpointTensors Flexpoint}, without master weights. With a {@linkplain Recipe#quantization
 * quantization} the model's linear layers are what that makes of the master weights, and the
 * latter's gradient is the former's (straight-through, Bengio et al. 2013).
 *
 * <p>The bits of the result depend on recipe, text and processor, not on the number of threads nor
 * on where a run was interrupted.
 */
public final class Training implements AutoCloseable {
  /**
   * What happened in a step.
   *
   * @param exponents how far those of Flexpoint fitted; else null
   */
  public record Step(
      int step,
      double loss,
      double gradientNorm,
      float learningRate,
      float lossScale,
      Exponents exponents) {}

  /**
   * How the exponents that Autoflex predicted fitted a step.
   *
   * @param overflows tensors and uses whose largest mantissa may have been cut off
   * @param unusedBits at b the number of tensors and uses whose scale was 2^b times the least that
   *     would have held them
   */
  public record Exponents(int overflows, List<Integer> unusedBits) {}

  /** Told of every step, on the thread that called {@link #run}. */
  public interface Progress {
    void step(Recipe recipe, Step step);
  }

  /**
   * @param steps done by this call; fewer than the recipe's when it resumed
   * @param loss mean over the last {@value #FINAL_LOSS_STEPS} steps, nats a token; NaN if none were
   *     done
   * @param seconds this call took in steps
   */
  public record Result(int steps, double loss, double seconds, double tokensPerSecond)
      implements Serializable {}

  static final int FINAL_LOSS_STEPS = 50;
  private static final String TEXT = "training.jsonl";
  private static final String LOG = "log.jsonl";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Recipe recipe;
  private final TrainingText text;
  private final ModelShape shape;
  private final FloatType type;
  private final AdamW optimizer;
  private final TrainingState state;
  private final FlexpointTensors flexpoint;
  private final StraightThrough straightThrough;
  private final Parameters rounded;
  private final Set<Parameters.Tensor> linear = Collections.newSetFromMap(new IdentityHashMap<>());
  private final Parameters gradient;
  private final List<DecoderGradient> slices = new ArrayList<>();
  private final ExecutorService workers;
  private final int threads;

  Training(Recipe recipe, TrainingText text, ModelShape shape, TrainingState state, int threads) {
    this.recipe = recipe;
    this.text = text;
    this.shape = shape;
    this.type = recipe.halfPrecision().type();
    this.optimizer = new AdamW(recipe);
    this.state = state;
    this.rounded = new Parameters(shape);
    this.gradient = new Parameters(shape);
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
    state.weights.blocks.forEach(block -> linear.addAll(block.matrices()));
    for (int slice = 0; slice < Recipe.SLICES; slice++) {
      slices.add(
          new DecoderGradient(
              shape,
              flexpoint == null ? Rounding.to(type) : flexpoint.slice(slice),
              straightThrough == null ? null : straightThrough.inputs(),
              recipe.dropout(),
              recipe.batchSize() / Recipe.SLICES,
              recipe.sequenceLength()));
    }
    this.threads = threads;
    this.workers =
        Executors.newFixedThreadPool(
            threads,
            task -> {
              Thread thread = new Thread(task, "training-" + recipe.name());
              thread.setDaemon(true);
              return thread;
            });
  }

  /**
   * Trains, or goes on from the last state under {@code output}; what is done already is not done
   * again. Writes {@code step{N}/} (Hugging Face folders), {@code log.jsonl} (a line a step) and
   * {@code state-{N}/}.
   *
   * @param data folder with {@code training.jsonl} or {@code training.jsonl.gz}, {@code
   *     tokenizer.json} and {@code tokenizer_config.json}
   * @param output the model's own folder
   * @param threads that work at a time; does not change the result
   */
  public static Result run(Recipe recipe, Path data, Path output, int threads, Progress progress) {
    Tokenizer tokenizer = Tokenizer.open(TokenizerFiles.read(data));
    TrainingText text = TrainingText.read(textFile(data), tokenizer, recipe.sequenceLength());
    ModelShape shape = recipe.shape(tokenizer.vocabularySize());
    String run = recipe.json() + " text sha256 " + text.identity();
    TrainingState state =
        TrainingState.last(output, shape, recipe.scalesLoss(), run)
            .orElseGet(
                () -> TrainingState.initial(shape, initial(recipe, shape), recipe.scalesLoss()));
    try (Training training = new Training(recipe, text, shape, state, threads)) {
      Files.createDirectories(output);
      List<String> log = training.logUpToState(output.resolve(LOG));
      double lossSum = 0;
      int losses = 0;
      int first = state.step;
      long nanos = 0;
      while (state.step < recipe.steps()) {
        long started = System.nanoTime();
        Step step = training.step();
        nanos += System.nanoTime() - started;
        if (step.step() > recipe.steps() - FINAL_LOSS_STEPS) {
          lossSum += step.loss();
          losses++;
        }
        log.add(line(step));
        progress.step(recipe, step);
        if (recipe.checkpoints().contains(step.step())) {
          CheckpointFolder.write(
              output.resolve("step" + step.step()),
              recipe,
              state.weights,
              data,
              tokenizer.eos().getAsInt());
          Files.write(output.resolve(LOG), log);
          state.flexpoint = training.flexpoint == null ? null : training.flexpoint.json();
          state.write(output, run);
        }
      }
      int steps = state.step - first;
      double seconds = nanos / 1e9;
      return new Result(
          steps,
          losses == 0 ? Double.NaN : lossSum / losses,
          seconds,
          steps * (double) recipe.batchSize() * recipe.sequenceLength() / seconds);
    } catch (IOException e) {
      throw new UncheckedIOException(output + ": cannot be written", e);
    }
  }

  private static Parameters initial(Recipe recipe, ModelShape shape) {
    if (recipe.initial() == null) {
      return Parameters.initial(shape, recipe.seed());
    }
    try (Checkpoint checkpoint = Checkpoint.open(Path.of(recipe.initial()))) {
      CheckpointFolder.Read read =
          CheckpointFolder.read(checkpoint)
              .filter(found -> found.shape().equals(shape))
              .orElse(null);
      if (read == null) {
        throw new InvalidInputException(
            "recipe %s: initial: found %s, expected a checkpoint that train.sh wrote, of %s"
                .formatted(recipe.name(), recipe.initial(), shape));
      }
      return read.weights();
    }
  }

  private static Path textFile(Path data) {
    Path zipped = data.resolve(TEXT + ".gz");
    return Files.exists(zipped) ? zipped : data.resolve(TEXT);
  }

  private List<String> logUpToState(Path file) throws IOException {
    try {
      List<String> lines = Files.readAllLines(file);
      return new ArrayList<>(lines.subList(0, Math.min(lines.size(), state.step)));
    } catch (NoSuchFileException e) {
      return new ArrayList<>();
    }
  }

  private static String line(Step step) {
    ObjectNode line = JSON.createObjectNode();
    line.put("step", step.step());
    line.put("loss", step.loss());
    line.put("gradient_norm", step.gradientNorm());
    line.put("learning_rate", step.learningRate());
    line.put("loss_scale", step.lossScale());
    if (step.exponents() != null) {
      line.put("overflows", step.exponents().overflows());
      step.exponents().unusedBits().forEach(line.putArray("unused_bits")::add);
    }
    return line.toString();
  }

  /** One optimizer step on the next batch. */
  Step step() {
    int step = state.step + 1;
    int sequences = recipe.batchSize() / Recipe.SLICES;
    int length = recipe.sequenceLength();
    float scale = state.lossScale.scale();
    forEachTensor(t -> round(t));
    double[] losses = new double[slices.size()];
    Work run =
        slice -> {
          int[] tokens = text.slice(recipe.seed(), step, slice, sequences, length);
          losses[slice] =
              slices
                  .get(slice)
                  .run(
                      rounded,
                      tokens,
                      scale / (recipe.batchSize() * length),
                      Dropout.key(recipe.seed(), step, slice));
        };
    if (flexpoint != null && !flexpoint.isInitialized()) {
      for (int slice = 0; slice < slices.size(); slice++) {
        run.at(slice);
      }
      flexpoint.initialized();
    }
    inParallel(slices.size(), run);
    double loss = 0;
    for (double sum : losses) {
      loss += sum;
    }
    loss /= recipe.batchSize() * length;

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
      state.updates++;
      float clip = clipping(norm);
      forEachTensor(
          t -> {
            if (isTrained(t)) {
              update(t, clip, learningRate);
            }
          });
    }
    state.lossScale.update(finite);
    state.step = step;
    Exponents exponents = flexpoint == null ? null : flexpoint.endStep();
    return new Step(step, loss, norm, learningRate, scale, exponents);
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

  private void update(int t, float clip, float learningRate) {
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
        state.updates,
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
    inParallel(gradient.tensors().size(), work);
  }

  /** Does all of it; which thread does what changes nothing, as no two share an output. */
  private void inParallel(int count, Work work) {
    AtomicInteger next = new AtomicInteger();
    Callable<Void> worker =
        () -> {
          for (int i = next.getAndIncrement(); i < count; i = next.getAndIncrement()) {
            work.at(i);
          }
          return null;
        };
    try {
      for (Future<Void> done : workers.invokeAll(java.util.Collections.nCopies(threads, worker))) {
        done.get();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("recipe " + recipe.name() + ": interrupted", e);
    } catch (ExecutionException e) {
      throw new IllegalStateException("recipe " + recipe.name() + ": " + e.getCause(), e);
    }
  }

  ModelShape shape() {
    return shape;
  }

  @Override
  public void close() {
    workers.shutdownNow();
  }
}
