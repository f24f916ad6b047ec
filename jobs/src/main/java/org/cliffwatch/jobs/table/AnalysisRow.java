package org.cliffwatch.jobs.table;

import java.io.Serializable;

/**
 * A row of {@code analysis}: a quantity of a checkpoint. Partitioned by model and step.
 *
 * @param layer of the decoder, from 0; null: of the whole model
 * @param projection linear layers that share an input, one of them, or a norm; {@code all}: all
 *     linear layers inside blocks
 * @param quantity as {@link org.cliffwatch.quantizer.analysis.CheckpointAnalysis} and {@link
 *     org.cliffwatch.quantizer.analysis.LossLandscape} list them
 * @param precision that it is of; null: of the checkpoint in float32
 * @param identity of the checkpoint, as in {@code checkpoints}
 * @param calibration sha256 of the text that went through it
 * @param kernel that it went through
 * @param seed of power iterations and random directions
 */
public record AnalysisRow(
    Integer layer,
    String projection,
    String quantity,
    String precision,
    double value,
    String identity,
    String calibration,
    String kernel,
    long seed)
    implements Serializable {
  private static final long serialVersionUID = 1L;
}
