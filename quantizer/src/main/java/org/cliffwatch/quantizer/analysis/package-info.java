/**
 * What in a checkpoint may go with degradation: quantities of weights, norms and activations, by
 * layer (Ahmadian et al. 2023, "Intriguing Properties of Quantization at Scale", section 5).
 */
package org.cliffwatch.quantizer.analysis;
