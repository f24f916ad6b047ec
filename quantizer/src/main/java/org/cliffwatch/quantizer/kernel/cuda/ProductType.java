package org.cliffwatch.quantizer.kernel.cuda;

/** The products there are: types of inputs and weights, of the sums, and of the result. */
enum ProductType {
  /** Signed bytes, summed exactly in int32; no bias. */
  INT8(1, 4, false),
  FLOAT32(4, 4, true),
  /** Summed in float32, the bias added there, rounded once. */
  BFLOAT16(2, 2, true),
  /** As {@link #BFLOAT16}. */
  FLOAT16(2, 2, true),
  /** Inputs in 16 bits, the result as it was summed; no bias. */
  BFLOAT16_TO_FLOAT32(2, 4, false),
  /** As {@link #BFLOAT16_TO_FLOAT32}. */
  FLOAT16_TO_FLOAT32(2, 4, false);

  private final int inputBytes;
  private final int outputBytes;
  private final boolean biased;

  ProductType(int inputBytes, int outputBytes, boolean biased) {
    this.inputBytes = inputBytes;
    this.outputBytes = outputBytes;
    this.biased = biased;
  }

  /** Of one input or weight. */
  int inputBytes() {
    return inputBytes;
  }

  /** Of one result. */
  int outputBytes() {
    return outputBytes;
  }

  /** Whether it can add a bias. */
  boolean biased() {
    return biased;
  }
}
