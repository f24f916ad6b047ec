package org.cliffwatch.quantizer.outliers;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SortedSet;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.CheckpointRewrite;
import org.cliffwatch.quantizer.checkpoint.StoredTensor;
import org.cliffwatch.quantizer.model.Inventory;

/**
 * Gives a checkpoint outlier channels without changing its function: some channels of every norm
 * that feeds linear layers are multiplied by a power of two, and what those layers multiply them by
 * is divided by it. Products stay what they were to the bit, and so does everything in float32;
 * activations quantized with a scale a row lose everything but the outliers.
 *
 * <p>As in large models (Dettmers et al. 2022, LLM.int8(), arXiv 2208.07339, §4), the channels are
 * the same ones in all layers.
 *
 * @param channels how many of them
 * @param factor a power of two
 * @param seed of the choice of channels
 */
public record OutlierPlanting(int channels, int factor, long seed) {
  /** Where safetensors files say what was planted in them. */
  public static final String METADATA = "planted_outliers";

  /**
   * What was planted.
   *
   * @param channels ascending
   * @param width how many channels there are
   * @param norms whose channels were multiplied
   * @param matrices tensors whose columns were divided
   * @param widened tensors that are F32 now, since their type did not hold what became of them
   */
  public record Planted(
      List<Integer> channels,
      int width,
      int layers,
      int norms,
      int matrices,
      SortedSet<String> widened) {}

  /**
   * @throws InvalidInputException if there is no channel, or the factor is no power of two
   */
  public OutlierPlanting {
    if (channels < 1) {
      throw new InvalidInputException("channels: found " + channels + ", expected at least 1");
    }
    if (factor < 1 || Integer.bitCount(factor) != 1) {
      throw new InvalidInputException(
          "factor: found "
              + factor
              + ", expected a power of two (2, 4, 8, …), which float32 multiplies by exactly");
    }
  }

  /**
   * Writes a checkpoint with outliers.
   *
   * @param from a Hugging Face folder, not quantized
   * @param to a new folder
   * @param progress is told, in words, what is done
   * @throws InvalidInputException if it cannot be done without changing the function, naming field,
   *     family, or tensor and element; and as {@link CheckpointRewrite#write}
   */
  public Planted plant(Checkpoint from, Path to, Consumer<String> progress) {
    Inventory inventory = Inventory.of(from);
    inventory
        .quantization()
        .ifPresent(
            found -> {
              throw from.config()
                  .error(
                      "quantization_config",
                      "found " + found + ", expected a checkpoint that is not quantized");
            });
    List<Inventory.FoldableNorm> norms = inventory.foldableNorms();
    int width = inventory.architecture().hidden();
    if (norms.isEmpty()) {
      throw new InvalidInputException(
          from.path()
              + ": found blocks ("
              + inventory.architecture().family()
              + ") without a norm that has weights and feeds linear layers alone; expected some:"
              + " elsewhere a channel cannot be scaled without changing the function");
    }
    List<Integer> chosen = choose(width);
    boolean[] isPlanted = new boolean[width];
    chosen.forEach(channel -> isPlanted[channel] = true);
    Map<String, ChannelScaling> changes = new LinkedHashMap<>();
    for (Inventory.FoldableNorm norm : norms) {
      add(changes, ChannelScaling.of(from, norm.gain(), 0, isPlanted, multiplied(norm.offset())));
      if (norm.bias() != null) {
        add(changes, ChannelScaling.of(from, norm.bias(), 0, isPlanted, multiplied(0)));
      }
      for (Inventory.Consumer consumer : norm.consumers()) {
        int axis = consumer.inputAxis();
        add(changes, ChannelScaling.of(from, consumer.tensor(), axis, isPlanted, this::divided));
      }
    }
    String record =
        "{\"channels\": " + chosen + ", \"factor\": " + factor + ", \"seed\": " + seed + "}";
    SortedSet<String> widened =
        CheckpointRewrite.write(from, to, changes, Map.of(METADATA, record), progress);
    int layers = (int) norms.stream().mapToInt(Inventory.FoldableNorm::layer).distinct().count();
    int matrices = norms.stream().mapToInt(norm -> norm.consumers().size()).sum();
    return new Planted(chosen, width, layers, norms.size(), matrices, widened);
  }

  private static void add(Map<String, ChannelScaling> changes, ChannelScaling change) {
    if (changes.put(change.tensor().name(), change) != null) {
      throw new IllegalStateException(change.tensor().where() + ": in two roles");
    }
  }

  private List<Integer> choose(int width) {
    if (channels > width) {
      throw new InvalidInputException(
          "channels: found " + channels + ", expected at most the " + width + " there are");
    }
    List<Integer> all = new ArrayList<>(IntStream.range(0, width).boxed().toList());
    Random random = new Random(seed);
    for (int i = 0; i < channels; i++) {
      int other = i + random.nextInt(width - i);
      all.set(other, all.set(i, all.get(other)));
    }
    return all.subList(0, channels).stream().sorted().toList();
  }

  /** Of values that {@code offset} is added to before they multiply. */
  private Scaling multiplied(float offset) {
    return value -> {
      // −0 + 0 would lose the sign.
      float wanted = (offset == 0 ? value : value + offset) * factor;
      float scaled = (float) ((double) wanted - offset);
      return Float.isFinite(wanted) && scaled + offset == wanted ? scaled : Float.NaN;
    };
  }

  private float divided(float value) {
    float scaled = value / factor;
    return scaled * factor == value ? scaled : Float.NaN;
  }

  /** What becomes of an element; NaN where no float32 is exactly that. */
  private interface Scaling {
    float of(float value);
  }

  /**
   * Scales a tensor in the planted channels.
   *
   * @param stride from an element to that of the next channel
   */
  private record ChannelScaling(
      StoredTensor tensor, long stride, boolean[] isPlanted, Scaling scaling)
      implements CheckpointRewrite.Change {

    /**
     * @param axis of the tensor that the channels are on
     */
    static ChannelScaling of(
        Checkpoint checkpoint, String name, int axis, boolean[] isPlanted, Scaling scaling) {
      StoredTensor tensor = checkpoint.tensor(name);
      long stride = 1;
      for (int i = axis + 1; i < tensor.shape().length; i++) {
        stride *= tensor.shape()[i];
      }
      return new ChannelScaling(tensor, stride, isPlanted, scaling);
    }

    @Override
    public void apply(long first, float[] values, int count) {
      int channel = (int) (first / stride % isPlanted.length);
      long within = first % stride;
      for (int i = 0; i < count; i++) {
        if (isPlanted[channel]) {
          float scaled = scaling.of(values[i]);
          if (Float.isNaN(scaled)) {
            throw new InvalidInputException(
                tensor.where()
                    + ": element "
                    + (first + i)
                    + ": found "
                    + values[i]
                    + ", expected a value that float32 still holds exactly when it is scaled;"
                    + " take a smaller factor");
          }
          values[i] = scaled;
        }
        if (++within == stride) {
          within = 0;
          channel = (channel + 1) % isPlanted.length;
        }
      }
    }
  }
}
