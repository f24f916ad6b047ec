/**
 * Checkpoints that are quantized already: what a {@code quantization_config} says, and where the
 * codes, scales and zero points of a linear layer lie. {@code quantizer/README.md} has the table.
 */
package org.cliffwatch.quantizer.stored;
