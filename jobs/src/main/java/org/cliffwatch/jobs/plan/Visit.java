package org.cliffwatch.jobs.plan;

import java.io.Serializable;
import java.util.List;
import org.cliffwatch.quantizer.scheme.Precision;

/** What is scored of a checkpoint at one precision while its model is there. */
public record Visit(FingerprintedCheckpoint checkpoint, Precision precision, List<Piece> pieces)
    implements Serializable {
  private static final long serialVersionUID = 1L;
}
