package org.cliffwatch.quantizer.calibration;

import java.util.List;
import java.util.Map;
import java.util.function.DoubleConsumer;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.model.Calibrator;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.scheme.Calibration;
import org.cliffwatch.quantizer.scheme.Findings;
import org.cliffwatch.quantizer.scheme.Precision;

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
    if (backend.name().equals("cuda")) {
      throw new InvalidInputException(
          "precision %s: found backend cuda, expected onednn or reference: it is calibrated there"
              .formatted(precisions.get(0).name()));
    }
    Calibration calibration = Calibration.of(precisions.get(0));
    return checkpoint.consistently(
        () -> {
          Inventory inventory = Inventory.of(checkpoint);
          List<int[]> samples = text.samples(calibration, checkpoint, inventory);
          try (Calibrator calibrator =
              new Calibrator(inventory, backend, samples, threads, progress)) {
            return calibrator.find(precisions);
          }
        });
  }
}
