package org.cliffwatch.quantizer.train;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.checkpoint.WholeFolder;
import org.cliffwatch.quantizer.kernel.FloatType;

/**
 * Everything a run needs to go on from a step to the same bits: float32 master weights, AdamW's
 * moments and counters. Kept in folders {@code state-STEP}, which appear whole or not at all.
 */
final class TrainingState {
  private static final Pattern FOLDER = Pattern.compile("state-(\\d+)");
  private static final String MEAN = "mean.";
  private static final String SQUARE = "square.";

  final Parameters weights;
  final Parameters mean;
  final Parameters square;
  LossScale lossScale;

  /** Steps done. */
  int step;

  /** Steps done that changed a component's weights: those whose gradients were finite. */
  final int[] updates;

  /** {@link FlexpointTensors#json} of a run in Flexpoint; else null. */
  String flexpoint;

  private TrainingState(
      Parameters weights, Parameters mean, Parameters square, LossScale lossScale, int[] updates) {
    this.weights = weights;
    this.mean = mean;
    this.square = square;
    this.lossScale = lossScale;
    this.updates = updates;
  }

  /**
   * Before the first step.
   *
   * @param components that the decoder is cut into
   */
  static TrainingState initial(
      ModelShape shape, List<Component> components, Parameters weights, boolean scalesLoss) {
    return new TrainingState(
        weights,
        new Parameters(shape, components),
        new Parameters(shape, components),
        new LossScale(scalesLoss),
        new int[components.size()]);
  }

  /** Weights and moments, in a fixed order. */
  List<Parameters> parameters() {
    return List.of(weights, mean, square);
  }

  /** What a component has of it; weights and moments are the same arrays. */
  TrainingState of(Component component) {
    TrainingState part =
        new TrainingState(
            weights.of(component),
            mean.of(component),
            square.of(component),
            lossScale,
            updates.clone());
    part.step = step;
    return part;
  }

  /**
   * The last state written under {@code output}, if there is one.
   *
   * @param run what the state must belong to: recipe and text
   * @throws InvalidInputException if it belongs to something else
   */
  static Optional<TrainingState> last(
      Path output, ModelShape shape, List<Component> components, boolean scalesLoss, String run) {
    List<Path> folders = folders(output);
    if (folders.isEmpty()) {
      return Optional.empty();
    }
    Path folder = folders.get(folders.size() - 1);
    try (Checkpoint stored = Checkpoint.open(folder)) {
      ConfigFields fields = stored.config();
      String found = fields.text("run");
      if (!found.equals(run)) {
        throw new InvalidInputException(
            folder
                + ": state of another run: found "
                + found
                + ", expected "
                + run
                + "; choose another output folder or delete this one");
      }
      LossScale scale =
          new LossScale(
              scalesLoss,
              (float) fields.number("loss_scale"),
              fields.integer("loss_scale_good_steps"));
      TrainingState state =
          new TrainingState(
              new Parameters(shape, components),
              new Parameters(shape, components),
              new Parameters(shape, components),
              scale,
              fields.numbers("updates").stream().mapToInt(Double::intValue).toArray());
      state.step = fields.integer("step");
      state.flexpoint = fields.has("flexpoint") ? fields.text("flexpoint") : null;
      return stored.consistently(
          () -> {
            read(stored, "", state.weights);
            read(stored, MEAN, state.mean);
            read(stored, SQUARE, state.square);
            return Optional.of(state);
          });
    }
  }

  private static void read(Checkpoint stored, String prefix, Parameters into) {
    for (Parameters.Tensor tensor : into.tensors()) {
      float[] values = tensor.values();
      stored.tensor(prefix + tensor.name()).read(0, values, 0, values.length);
    }
  }

  /** Writes this state and removes older ones. */
  void write(Path output, String run) throws IOException {
    Map<String, Parameters.Tensor> tensors = new LinkedHashMap<>();
    add(tensors, "", weights);
    add(tensors, MEAN, mean);
    add(tensors, SQUARE, square);
    ObjectNode fields = JsonNodeFactory.instance.objectNode();
    fields.put("run", run);
    fields.put("step", step);
    Arrays.stream(updates).forEach(fields.putArray("updates")::add);
    fields.put("loss_scale", lossScale.scale());
    fields.put("loss_scale_good_steps", lossScale.goodSteps());
    if (flexpoint != null) {
      fields.put("flexpoint", flexpoint);
    }
    List<Path> older = folders(output);
    Path folder = output.resolve("state-" + step);
    if (!older.contains(folder)) {
      WholeFolder.replace(
          folder,
          unfinished -> {
            CheckpointFolder.writeJson(unfinished.resolve("config.json"), fields);
            TensorFile.write(unfinished.resolve("model.safetensors"), FloatType.FLOAT32, tensors);
          });
    }
    for (Path old : older) {
      if (!old.equals(folder)) {
        WholeFolder.delete(old);
      }
    }
  }

  private static void add(
      Map<String, Parameters.Tensor> tensors, String prefix, Parameters parameters) {
    for (Parameters.Tensor tensor : parameters.tensors()) {
      tensors.put(prefix + tensor.name(), tensor);
    }
  }

  /** State folders by step, ascending. */
  private static List<Path> folders(Path output) {
    if (!Files.isDirectory(output)) {
      return List.of();
    }
    try (Stream<Path> entries = Files.list(output)) {
      List<Path> folders = new ArrayList<>();
      entries.filter(entry -> step(entry) >= 0).forEach(folders::add);
      folders.sort(Comparator.comparingInt(TrainingState::step));
      return folders;
    } catch (IOException e) {
      throw new UncheckedIOException(output + ": cannot be listed", e);
    }
  }

  private static int step(Path folder) {
    Matcher name = FOLDER.matcher(folder.getFileName().toString());
    return name.matches() ? Integer.parseInt(name.group(1)) : -1;
  }
}
