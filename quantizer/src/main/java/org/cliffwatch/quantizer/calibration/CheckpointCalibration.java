package org.cliffwatch.quantizer.calibration;

import java.io.Serializable;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.DoubleConsumer;
import java.util.function.Function;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.model.Calibrator;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.scheme.Calibration;
import org.cliffwatch.quantizer.scheme.Findings;
import org.cliffwatch.quantizer.scheme.InputStatistics;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.cliffwatch.quantizer.scheme.Statistic;

/**
 * Text → what precisions of a checkpoint are made with.
 *
 * @param checkpoint to be open as long as this is used
 * @param precisions that ask for equal {@link Calibration}s
 * @param backend one of the host's
 */
public record CheckpointCalibration(
    Checkpoint checkpoint, List<Precision> precisions, CalibrationText text, Backend backend) {
  /**
   * Raised by every change after which equal inputs may be found to be others: cutting text, the
   * schemes' arithmetic.
   */
  public static final int VERSION = 2;

  /**
   * @throws InvalidInputException if it is a backend that does not calibrate
   */
  public CheckpointCalibration {
    if (backend.name().equals("cuda")) {
      throw new InvalidInputException(
          "precision %s: found backend cuda, expected onednn or reference: it is calibrated there"
              .formatted(precisions.get(0).name()));
    }
  }

  /**
   * Some of the samples: those whose number is from {@code n · number / of} to below {@code n ·
   * (number + 1) / of}.
   */
  public record TextPart(int number, int of) implements Serializable {
    private static final long serialVersionUID = 1L;

    private static final TextPart WHOLE = new TextPart(0, 1);

    private List<int[]> from(List<int[]> samples) {
      long n = samples.size();
      return samples.subList((int) (n * number / of), (int) (n * (number + 1) / of));
    }
  }

  /**
   * Calibrates the precisions.
   *
   * @param threads that share the work, without changing what is found
   * @param progress receives shares of the work as they are done; they sum to 1
   * @throws InvalidInputException if there is too little text, or the checkpoint cannot be run,
   *     naming what is at fault
   */
  public Map<Precision, Findings> find(int threads, DoubleConsumer progress) {
    return with(
        TextPart.WHOLE, threads, progress, Map.of(), calibrator -> calibrator.find(precisions));
  }

  /**
   * Whether what precisions look for can be found in parts of a text, each with the checkpoint
   * alone: the largest magnitudes of its own inputs.
   */
  public static boolean isDivisible(List<Precision> precisions) {
    return precisions.stream()
        .allMatch(
            each ->
                Schemes.sharesPass(each)
                    && Schemes.of(each).statistics(each).equals(Set.of(Statistic.LARGEST)));
  }

  /**
   * Looks at a part of the text, where this {@linkplain #isDivisible is divisible}.
   *
   * @return what to give {@link #join}, empty where there are fewer samples than parts
   * @throws InvalidInputException as {@link #find}
   */
  public SortedMap<String, InputStatistics> look(
      TextPart part, int threads, DoubleConsumer progress) {
    return with(part, threads, progress, new TreeMap<>(), Calibrator::largest);
  }

  /**
   * Finds with what was seen in all parts of the text what {@link #find} does with the whole, to
   * the bit.
   *
   * @param parts in their order
   * @throws InvalidInputException as {@link #find}
   */
  public Map<Precision, Findings> join(List<SortedMap<String, InputStatistics>> parts) {
    Map<String, InputStatistics> all = new TreeMap<>();
    for (Map<String, InputStatistics> part : parts) {
      part.forEach(
          (layer, inputs) -> {
            InputStatistics earlier = all.putIfAbsent(layer, inputs);
            if (earlier != null) {
              earlier.join(inputs);
            }
          });
    }
    return with(
        TextPart.WHOLE, 1, share -> {}, Map.of(), calibrator -> calibrator.find(precisions, all));
  }

  /**
   * @param none the result where the part has no samples
   */
  private <T> T with(
      TextPart part, int threads, DoubleConsumer progress, T none, Function<Calibrator, T> work) {
    Calibration calibration = Calibration.of(precisions.get(0));
    return checkpoint.consistently(
        () -> {
          Inventory inventory = Inventory.of(checkpoint);
          List<int[]> samples = part.from(text.samples(calibration, checkpoint, inventory));
          if (samples.isEmpty()) {
            return none;
          }
          try (Calibrator calibrator =
              new Calibrator(inventory, backend, samples, threads, progress)) {
            return work.apply(calibrator);
          }
        });
  }
}
