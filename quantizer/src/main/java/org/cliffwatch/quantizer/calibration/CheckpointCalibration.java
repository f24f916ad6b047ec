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
import org.cliffwatch.quantizer.scheme.QuantizedBefore;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.cliffwatch.quantizer.scheme.Statistic;

/** Text → what precisions of a checkpoint are made with. */
public final class CheckpointCalibration {
  /**
   * Raised by every change after which equal inputs may be found to be others: cutting text, the
   * schemes' arithmetic.
   */
  public static final int VERSION = 2;

  private CheckpointCalibration() {}

  /**
   * Calibrates precisions with one text.
   *
   * @param precisions that ask for equal {@link Calibration}s
   * @param backend one of the host's
   * @param threads that share the work, without changing what is found
   * @param progress receives shares of the work as they are done; they sum to 1
   * @throws InvalidInputException if there is too little text, or the checkpoint cannot be run,
   *     naming what is at fault
   */
  public static Map<Precision, Findings> find(
      Checkpoint checkpoint,
      List<Precision> precisions,
      CalibrationText text,
      Backend backend,
      int threads,
      DoubleConsumer progress) {
    requireHost(backend, precisions);
    return with(
        checkpoint,
        precisions,
        text,
        new Part(0, 1),
        backend,
        threads,
        progress,
        Map.of(),
        calibrator -> calibrator.find(precisions));
  }

  /**
   * The samples whose number is from {@code n · number / of} to below {@code n · (number + 1) /
   * of}.
   */
  public record Part(int number, int of) implements Serializable {
    private static final long serialVersionUID = 1L;

    private List<int[]> from(List<int[]> samples) {
      long n = samples.size();
      return samples.subList((int) (n * number / of), (int) (n * (number + 1) / of));
    }
  }

  /**
   * Whether what precisions look for can be found in parts of a text, each with the checkpoint
   * alone: the largest magnitudes of its own inputs.
   */
  public static boolean isDivisible(List<Precision> precisions) {
    return precisions.stream()
        .allMatch(
            each ->
                Schemes.of(each).quantizedBefore(each) == QuantizedBefore.NOTHING
                    && Schemes.of(each).statistics(each).equals(Set.of(Statistic.LARGEST)));
  }

  /**
   * Looks at a part of a text, for precisions that are {@linkplain #isDivisible divisible}.
   *
   * @return what to give {@link #find(Checkpoint, List, CalibrationText, List, Backend)}, empty
   *     where there are fewer samples than parts
   * @throws InvalidInputException as {@link #find}
   */
  public static SortedMap<String, InputStatistics> look(
      Checkpoint checkpoint,
      List<Precision> precisions,
      CalibrationText text,
      Part part,
      Backend backend,
      int threads,
      DoubleConsumer progress) {
    requireHost(backend, precisions);
    return with(
        checkpoint,
        precisions,
        text,
        part,
        backend,
        threads,
        progress,
        new TreeMap<>(),
        Calibrator::largest);
  }

  /**
   * Calibrates precisions with what was seen in all parts of a text: finds what {@link #find} does
   * with the whole, to the bit.
   *
   * @param parts in their order
   * @throws InvalidInputException as {@link #find}
   */
  public static Map<Precision, Findings> find(
      Checkpoint checkpoint,
      List<Precision> precisions,
      CalibrationText text,
      List<SortedMap<String, InputStatistics>> parts,
      Backend backend) {
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
        checkpoint,
        precisions,
        text,
        new Part(0, 1),
        backend,
        1,
        share -> {},
        Map.of(),
        calibrator -> calibrator.find(precisions, all));
  }

  private static void requireHost(Backend backend, List<Precision> precisions) {
    if (backend.name().equals("cuda")) {
      throw new InvalidInputException(
          "precision %s: found backend cuda, expected onednn or reference: it is calibrated there"
              .formatted(precisions.get(0).name()));
    }
  }

  /**
   * @param none the result where the part has no samples
   */
  private static <T> T with(
      Checkpoint checkpoint,
      List<Precision> precisions,
      CalibrationText text,
      Part part,
      Backend backend,
      int threads,
      DoubleConsumer progress,
      T none,
      Function<Calibrator, T> work) {
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
