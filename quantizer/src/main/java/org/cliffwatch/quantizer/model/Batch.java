package org.cliffwatch.quantizer.model;

import org.cliffwatch.quantizer.kernel.TokenRuns;

/**
 * Rows that go through the decoder's layers together.
 *
 * @param tokens (rows) token ids
 * @param runs how the rows continue one another
 * @param scoredRows rows whose next token is wanted, ascending
 */
public record Batch(int[] tokens, TokenRuns runs, int[] scoredRows) {}
