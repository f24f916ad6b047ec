package org.cliffwatch.quantizer.model;

import java.util.List;

/**
 * Batches and what is wanted of them.
 *
 * @param firstTarget (scored rows of all batches, one after another, + 1) offsets into {@code
 *     targets}
 * @param targets the wanted next tokens of each scored row; several where sequences part
 */
public record Batches(List<Batch> batches, int[] firstTarget, int[] targets) {}
