package org.cliffwatch.quantizer.kernel.onednn;

import org.cliffwatch.quantizer.kernel.vector.RowPacker;
import org.cliffwatch.quantizer.scheme.Vectorwise;

/**
 * The kinds of product there are, by the types of input and weight; results are float32.
 *
 * <p>Tile heights were chosen by measurement (Zen 5, one thread, 576 to 3072 wide): of the bare
 * product's best rate, 16 rows reach 85–88 %, 32 rows 93–95 %, 64 rows 97–99 %. Integer layers as a
 * whole are fastest at 48 rows (of 32, 48, 64, 96 and 128), whose products are still in the cache
 * when they are read; without VNNI (Zen 3), 64 to 128 rows differ by less than the noise of 3 %.
 * Weights unpacked as they are multiplied are unpacked once a tile.
 */
enum Product {
  /** int8 · int8, summed exactly in int32. */
  INT8(ElementType.INT8, ElementType.INT8, 48, 32, 16),
  /**
   * The same integers where the processor has no VNNI, exact as well: float32 sums of so few
   * products each that none passes 2²⁴. Weights stay int8 and are widened as they are multiplied.
   */
  INT8_IN_FLOAT32(ElementType.FLOAT32, ElementType.INT8, 64, 32, 16),
  BFLOAT16(ElementType.BFLOAT16, ElementType.BFLOAT16, 32),
  FLOAT32(ElementType.FLOAT32, ElementType.FLOAT32, 32),
  /**
   * Weights widened, exactly, as they are multiplied. They stay (inputs, outputs): in the blocked
   * layout oneDNN 3.11 multiplies more than 512 inputs wrongly (avx512_core).
   */
  FLOAT32_BY_BFLOAT16(ElementType.FLOAT32, ElementType.BFLOAT16, 64),
  FLOAT32_BY_FLOAT16(ElementType.FLOAT32, ElementType.FLOAT16, 64),
  /** Weights unpacked to code · scale, in float32, as they are multiplied. */
  FLOAT32_BY_INT8(ElementType.FLOAT32, ElementType.INT8, 64),
  FLOAT32_BY_INT4(ElementType.FLOAT32, ElementType.INT4, 64);

  /** Outputs of the widest vector. */
  private static final int VECTOR = 16;

  private final ElementType input;
  private final ElementType weight;
  private final int[] heights;

  Product(ElementType input, ElementType weight, int... heights) {
    this.input = input;
    this.weight = weight;
    this.heights = heights;
  }

  ElementType input() {
    return input;
  }

  ElementType weight() {
    return weight;
  }

  /** Rows of the largest tile; of every tile, unless the product is exact. */
  int tileRows() {
    return heights[0];
  }

  /** Rows of the tiles there are, descending: more than one where a row may be in any company. */
  int[] heights() {
    return heights.clone();
  }

  /** Inputs are quantized, and products are of integers. */
  boolean integer() {
    return this == INT8 || this == INT8_IN_FLOAT32;
  }

  /** Weights carry scales that oneDNN multiplies by. */
  boolean scaled() {
    return this == FLOAT32_BY_INT8 || this == FLOAT32_BY_INT4;
  }

  /** Integer weights are widened to the inputs' type. */
  boolean unpacked() {
    return scaled() || this == INT8_IN_FLOAT32;
  }

  /** Weights are packed into oneDNN's blocked layout, else left (inputs, outputs). */
  boolean blocked() {
    return this != FLOAT32_BY_BFLOAT16 && this != FLOAT32_BY_FLOAT16 && this != FLOAT32_BY_INT4;
  }

  /** Parts of a row of inputs that are multiplied and summed each for itself. */
  int slices(int inputs) {
    return this == INT8_IN_FLOAT32
        ? (inputs + Vectorwise.FLOAT32_SUM - 1) / Vectorwise.FLOAT32_SUM
        : 1;
  }

  /** Width of a packed input row; what is beyond the inputs is zero. */
  int packedInputs(int inputs) {
    int slices = slices(inputs);
    return input.bits() == 32
        ? (inputs + slices - 1) / slices * slices
        : RowPacker.width(inputs, input.bits());
  }

  /**
   * Width of a product's row. Weights left (inputs, outputs) have whole vectors of them: two codes
   * of 4 bits share a byte, and on avx2 oneDNN widens no row whose end is part of a vector. Of a
   * single output of codes oneDNN 3.11 has but its reference implementation with AMX.
   */
  int packedOutputs(int outputs) {
    if (this == INT8) {
      return Math.max(VECTOR, outputs);
    }
    return blocked() ? outputs : (outputs + VECTOR - 1) / VECTOR * VECTOR;
  }

  /** Where an input column stands in a packed row. */
  int place(int column) {
    return input.bits() == 32 ? column : RowPacker.place(column, input.bits());
  }

  /** Bytes of a packed input row. */
  int rowBytes(int inputs) {
    return packedInputs(inputs) * input.bits() / Byte.SIZE;
  }
}
