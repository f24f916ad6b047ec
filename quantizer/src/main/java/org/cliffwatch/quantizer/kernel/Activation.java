package org.cliffwatch.quantizer.kernel;

/** Activation functions by the names transformers' configs use. */
public enum Activation {
  /** x · Φ(x), with erf. */
  GELU,
  /** 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))): gelu_new, gelu_pytorch_tanh, gelu_fast. */
  GELU_TANH,
  RELU,
  /** x · sigmoid(x). */
  SILU,
  /** x · sigmoid(1.702 x). */
  QUICK_GELU
}
