/**
 * What in a checkpoint may go with degradation: quantities of weights, norms and activations, by
 * layer (Ahmadian et al. 2023, "Intriguing Properties of Quantization at Scale", section 5), and
 * the loss around its weights ({@link org.cliffwatch.quantizer.analysis.LossLandscape}).
 */
package org.cliffwatch.quantizer.analysis;
