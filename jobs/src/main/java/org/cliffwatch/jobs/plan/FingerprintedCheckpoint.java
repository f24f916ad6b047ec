package org.cliffwatch.jobs.plan;

import java.io.Serializable;
import java.util.List;
import org.cliffwatch.jobs.table.CheckpointRow;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.cliffwatch.quantizer.score.Scorer;

/**
 * A checkpoint whose content is known, or that cannot be read.
 *
 * @param row what reading it told; null if it cannot be read
 * @param refusal why nothing can be scored with it, naming the file; null where it can
 * @param ignoredFields of its configuration, where it was read now
 */
public record FingerprintedCheckpoint(
    CheckpointAt checkpoint, CheckpointRow row, String refusal, List<String> ignoredFields)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  /** So many that scales of whole rows vanish. */
  private static final int MANY_COLUMNS = Integer.MAX_VALUE;

  static FingerprintedCheckpoint refused(CheckpointAt checkpoint, String refusal) {
    return new FingerprintedCheckpoint(checkpoint, null, refusal, List.of());
  }

  /** Content hash; of one that cannot be read, none that any other has. */
  public String identity() {
    return row == null ? "unreadable " + checkpoint.uri() : row.identity();
  }

  public long parameters() {
    return row == null ? 0 : row.parameters();
  }

  CheckpointSize size() {
    boolean isStated = row != null && row.context() != null;
    return new CheckpointSize(parameters(), isStated ? row.context() : Scorer.DEFAULT_WINDOW);
  }

  /** Size of its weights as stored. */
  long bytes() {
    return row == null ? 0 : row.bytes();
  }

  /**
   * Bytes of its weights packed for a precision, about: padding and scales of whole rows are not
   * counted.
   */
  long packedBytes(Precision precision) {
    if (row == null) {
      return 0;
    }
    if (precision.isStored()) {
      return row.bytes();
    }
    int width = precision.compute() == FloatType.FLOAT32 ? Float.BYTES : Short.BYTES;
    double bits = Schemes.of(precision).packedBits(MANY_COLUMNS, precision);
    return (long) (row.quantizedParameters() * bits / Byte.SIZE) + row.keptParameters() * width;
  }

  public boolean addsBos() {
    return row != null && row.addsBos();
  }
}
