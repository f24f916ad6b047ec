package org.cliffwatch.quantizer.train;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.TokenizerFiles;
import org.cliffwatch.quantizer.tokenizer.Tokenizer;

/**
 * Trains one recipe, in mixed precision (Micikevicius et al. 2018): float32 master weights, and a
 * model whose weights, activations and gradients are rounded to the half type. Or in {@linkplain
 * FlexpointTensors Flexpoint}, without master weights. With a {@linkplain Recipe#quantization
 * quantization} the model's linear layers are what that makes of the master weights, and the
 * latter's gradient is the former's (straight-through, Bengio et al. 2013).
 *
 * <p>With {@linkplain Recipe#components components} each is trained by itself ({@link Component}),
 * on a thread of this process or wherever {@link #runComponent} is called. The first collects what
 * the others have at a checkpoint, and writes it.
 *
 * <p>The bits of the result depend on recipe, text and processor, not on the number of threads nor
 * on where a run was interrupted, nor on where components are trained.
 */
public final class Training {
  /**
   * What happened in a step.
   *
   * @param gradientNorm of a component that steps by itself: its own
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

  /** Told of every step, on the thread of the last component. */
  public interface Progress {
    void step(Recipe recipe, Step step);
  }

  /**
   * @param steps done by this call; fewer than the recipe's when it resumed
   * @param loss mean over the last {@value #FINAL_LOSS_STEPS} steps, nats a token; NaN if none were
   *     done
   * @param seconds this call took in steps
   * @param utilisation share of the time that components would have been at work, each on a
   *     processor of its own ({@link Clock}); NaN without components
   */
  public record Result(
      int steps, double loss, double seconds, double tokensPerSecond, double utilisation)
      implements Serializable {
    @Override
    public String toString() {
      String all =
          String.format(
              Locale.ROOT,
              "%d steps, loss %.4f, %.1f s, %.0f tokens/s",
              steps,
              loss,
              seconds,
              tokensPerSecond);
      return Double.isNaN(utilisation)
          ? all
          : all + String.format(Locale.ROOT, ", utilisation %.2f", utilisation);
    }
  }

  static final int FINAL_LOSS_STEPS = 50;
  private static final String TEXT = "training.jsonl";
  private static final String LOG = "log.jsonl";
  private static final String UTILISATION = "utilisation.jsonl";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Recipe recipe;
  private final Path data;
  private final Path output;
  private final Tokenizer tokenizer;
  private final TrainingText text;
  private final ModelShape shape;
  private final List<Component> components;

  /** What a state must belong to. */
  private final String run;

  private Training(Recipe recipe, Path data, Path output) {
    this.recipe = recipe;
    this.data = data;
    this.output = output;
    tokenizer = Tokenizer.open(TokenizerFiles.read(data));
    text = TrainingText.read(textFile(data), tokenizer, recipe.sequenceLength());
    shape = recipe.shape(tokenizer.vocabularySize());
    components = Component.cut(shape, recipe.components(), recipe.nwise());
    run = recipe.json() + " text sha256 " + text.identity();
  }

  private static Path textFile(Path data) {
    Path zipped = data.resolve(TEXT + ".gz");
    return Files.exists(zipped) ? zipped : data.resolve(TEXT);
  }

  /**
   * Trains, or goes on from the last state under {@code output}; what is done already is not done
   * again. Writes {@code step{N}/} (Hugging Face folders), {@code log.jsonl} (a line a step),
   * {@code state-{N}/}, and of components {@code utilisation.jsonl} (a line a checkpoint).
   *
   * @param data folder with {@code training.jsonl} or {@code training.jsonl.gz}, {@code
   *     tokenizer.json} and {@code tokenizer_config.json}
   * @param output the model's own folder
   * @param threads that work at a time where there are no components, each of which has one; does
   *     not change the result
   */
  public static Result run(Recipe recipe, Path data, Path output, int threads, Progress progress) {
    Training training = new Training(recipe, data, output);
    TrainingState start = training.start();
    if (training.components.size() > 1) {
      return training.onThreads(start, progress);
    }
    Component whole = training.components.get(0);
    return training.train(whole, start, new Link.Neighbours(null, null), threads, progress);
  }

  /**
   * Trains one component as {@link #run} does all; its neighbours are trained elsewhere.
   *
   * @param output seen by all of them
   * @param component its index, from 0
   * @return the first component's is the run's
   */
  public static Result runComponent(
      Recipe recipe,
      Path data,
      Path output,
      int component,
      Link.Neighbours neighbours,
      Progress progress) {
    Training training = new Training(recipe, data, output);
    Component own = training.components.get(component);
    return training.train(own, training.start().of(own), neighbours, 1, progress);
  }

  private TrainingState start() {
    return TrainingState.last(output, shape, components, recipe.scalesLoss(), run)
        .orElseGet(() -> TrainingState.initial(shape, components, initial(), recipe.scalesLoss()));
  }

  private Parameters initial() {
    Parameters drawn = Parameters.initial(shape, components, recipe.seed());
    if (recipe.initial() == null) {
      return drawn;
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
      List<Parameters.Tensor> model = drawn.model();
      for (int t = 0; t < model.size(); t++) {
        float[] values = read.weights().tensors().get(t).values();
        System.arraycopy(values, 0, model.get(t).values(), 0, values.length);
      }
      return drawn;
    }
  }

  private Result onThreads(TrainingState start, Progress progress) {
    ExecutorService threads =
        Executors.newFixedThreadPool(
            components.size(),
            task -> {
              Thread thread = new Thread(task, "component-" + recipe.name());
              thread.setDaemon(true);
              return thread;
            });
    ExecutorCompletionService<Result> ended = new ExecutorCompletionService<>(threads);
    try {
      List<Link.Neighbours> links = Link.betweenThreads(components.size());
      List<Future<Result>> results = new ArrayList<>();
      for (Component component : components) {
        Link.Neighbours neighbours = links.get(component.index());
        results.add(
            ended.submit(() -> train(component, start.of(component), neighbours, 1, progress)));
      }
      for (int i = 0; i < components.size(); i++) {
        ended.take().get();
      }
      return results.get(0).get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("recipe " + recipe.name() + ": interrupted", e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException failure) {
        throw failure;
      }
      throw new IllegalStateException("recipe " + recipe.name() + ": " + e.getCause(), e);
    } finally {
      stop(threads);
    }
  }

  /** So that nothing is written after. */
  private static void stop(ExecutorService threads) {
    threads.shutdownNow();
    try {
      threads.awaitTermination(1, TimeUnit.MINUTES);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private Result train(
      Component component,
      TrainingState state,
      Link.Neighbours neighbours,
      int threads,
      Progress progress) {
    int sequences = recipe.batchSize() / Recipe.SLICES;
    ComponentTraining.Batches batches =
        (step, slice) -> text.slice(recipe.seed(), step, slice, sequences, recipe.sequenceLength());
    int first = state.step;
    try (ComponentTraining training =
        new ComponentTraining(recipe, shape, component, state, batches, neighbours, threads)) {
      Files.createDirectories(output);
      Checkpoints checkpoints = new Checkpoints(state.step);
      List<Step> steps = new ArrayList<>();
      long nanos = 0;
      while (state.step < recipe.steps()) {
        long started = System.nanoTime();
        Step step = training.step();
        nanos += System.nanoTime() - started;
        steps.add(step);
        if (component.isLast()) {
          progress.step(recipe, step);
        }
        if (recipe.checkpoints().contains(step.step())) {
          state.flexpoint = training.flexpoint();
          ComponentReport report = ComponentReport.of(steps, training.clock(), state);
          if (component.isFirst()) {
            checkpoints.write(steps, report, neighbours.next());
          } else {
            pass(component, report, neighbours);
          }
          steps.clear();
          training.clock().skip();
        }
      }
      return checkpoints.result(state.step - first, nanos / 1e9);
    } catch (IOException e) {
      throw new UncheckedIOException(output + ": cannot be written", e);
    }
  }

  /** Tells the component before what this one has, and what those after it told. */
  private void pass(Component component, ComponentReport report, Link.Neighbours neighbours) {
    Link previous = neighbours.previous();
    previous.send(report.encoded(component));
    for (Component after : components.subList(component.index() + 1, components.size())) {
      previous.send(neighbours.next().receive(length(after, report.losses().length)));
    }
  }

  private int length(Component component, int steps) {
    return ComponentReport.length(steps, new Parameters(shape, component));
  }

  /** What the first component writes. */
  private final class Checkpoints {
    private final List<String> log;
    private final long[] busy = new long[components.size()];
    private long time;
    private double lossSum;
    private int losses;

    /**
     * @param step that the run goes on from
     */
    Checkpoints(int step) throws IOException {
      log = logUpTo(step);
    }

    /**
     * Writes the model, the log and the state after {@code steps}.
     *
     * @param own of the first component
     * @param next from where the others' reports come
     */
    void write(List<Step> steps, ComponentReport own, Link next) throws IOException {
      TrainingState state = own.state();
      List<ComponentReport> reports = new ArrayList<>(List.of(own));
      if (components.size() > 1) {
        state = TrainingState.initial(shape, components, new Parameters(shape, components), false);
        state.step = own.state().step;
        reports.set(0, decoded(own.encoded(components.get(0)), 0, steps.size(), state));
        for (int k = 1; k < components.size(); k++) {
          byte[] message = next.receive(length(components.get(k), steps.size()));
          reports.add(decoded(message, k, steps.size(), state));
        }
      }
      for (int i = 0; i < steps.size(); i++) {
        log.add(line(steps.get(i), i, reports));
      }
      CheckpointFolder.write(
          output.resolve("step" + state.step),
          recipe,
          state.weights,
          data,
          tokenizer.eos().getAsInt());
      Files.write(output.resolve(LOG), log);
      state.write(output, run);
      if (components.size() > 1) {
        Files.writeString(
            output.resolve(UTILISATION),
            utilisation(state.step, reports) + "\n",
            StandardOpenOption.CREATE,
            StandardOpenOption.APPEND);
      }
    }

    private ComponentReport decoded(byte[] message, int component, int steps, TrainingState into) {
      return ComponentReport.decoded(message, steps, components.get(component), into);
    }

    private String line(Step step, int i, List<ComponentReport> reports) {
      double loss = reports.get(reports.size() - 1).losses()[i];
      if (step.step() > recipe.steps() - FINAL_LOSS_STEPS) {
        lossSum += loss;
        losses++;
      }
      ObjectNode line = JSON.createObjectNode();
      line.put("step", step.step());
      line.put("loss", loss);
      if (reports.size() > 1) {
        ArrayNode all = line.putArray("component_losses");
        for (ComponentReport report : reports) {
          double each = report.losses()[i];
          all.add(Double.isNaN(each) ? null : each);
        }
      }
      double square = 0;
      for (ComponentReport report : reports) {
        square += report.gradientNorms()[i] * report.gradientNorms()[i];
      }
      line.put("gradient_norm", reports.size() == 1 ? step.gradientNorm() : Math.sqrt(square));
      line.put("learning_rate", step.learningRate());
      line.put("loss_scale", step.lossScale());
      if (step.exponents() != null) {
        line.put("overflows", step.exponents().overflows());
        step.exponents().unusedBits().forEach(line.putArray("unused_bits")::add);
      }
      return line.toString();
    }

    /** Of the time since the last such line, how much each component worked. */
    private String utilisation(int step, List<ComponentReport> reports) {
      ObjectNode line = JSON.createObjectNode();
      line.put("step", step);
      long last = reports.stream().mapToLong(ComponentReport::time).max().orElseThrow();
      line.put("seconds", (last - time) / 1e9);
      time = last;
      ArrayNode all = line.putArray("busy_seconds");
      for (int k = 0; k < busy.length; k++) {
        all.add((reports.get(k).busy() - busy[k]) / 1e9);
        busy[k] = reports.get(k).busy();
      }
      return line.toString();
    }

    Result result(int steps, double seconds) {
      return new Result(
          steps,
          losses == 0 ? Double.NaN : lossSum / losses,
          seconds,
          steps * (double) recipe.batchSize() * recipe.sequenceLength() / seconds,
          time == 0 ? Double.NaN : LongStream.of(busy).sum() / ((double) busy.length * time));
    }
  }

  private List<String> logUpTo(int step) throws IOException {
    try {
      List<String> lines = Files.readAllLines(output.resolve(LOG));
      return new ArrayList<>(lines.subList(0, Math.min(lines.size(), step)));
    } catch (NoSuchFileException e) {
      return new ArrayList<>();
    }
  }
}
