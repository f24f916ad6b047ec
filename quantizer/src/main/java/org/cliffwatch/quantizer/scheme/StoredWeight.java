package org.cliffwatch.quantizer.scheme;

import java.util.function.Supplier;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.SelectedRows;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * A linear layer's weight that a checkpoint holds quantized: read as rows it is dequantized, for
 * any precision; {@link #form} is what the file says, for the precision {@code stored}.
 */
public interface StoredWeight extends WeightRows {
  /** Unpacked; reads all of it. */
  CodedWeight coded();

  /** How the layer's inputs are quantized; null: they are not. */
  RowQuantizer inputs();

  /** Bits of the file that a weight takes, scales and zero points included. */
  double bits();

  /** What precision {@code stored} does with inputs, in words. */
  default String computes() {
    return inputs() == null ? "inputs as they are" : "inputs " + inputs().describe();
  }

  /** What is multiplied by, as the file has it; in {@code type} where that is no integer. */
  default LinearForm form(FloatType type) {
    CodedWeight coded = coded();
    if (inputs() != null && inputs().isInteger()) {
      var integers = coded.integers();
      if (integers.isPresent()) {
        return new LinearForm.IntegerProduct(integers.get(), inputs());
      }
    }
    return new LinearForm.Coded(coded, inputs(), type);
  }

  /** Rows {@code source[0]}, {@code source[1]}, … of it. */
  @Override
  default WeightRows select(int[] source) {
    return new Selected(this, source);
  }

  /** Some rows of a weight: one of query, key and value where they are stored as one. */
  final class Selected extends SelectedRows implements StoredWeight {
    private final StoredWeight whole;
    private final int[] source;

    private Selected(StoredWeight whole, int[] source) {
      super(whole, source);
      this.whole = whole;
      this.source = source;
    }

    @Override
    public CodedWeight coded() {
      return whole.coded().select(source);
    }

    @Override
    public RowQuantizer inputs() {
      return whole.inputs();
    }

    @Override
    public double bits() {
      return whole.bits();
    }
  }

  /** Unpacked codes of some rows. */
  interface Codes {
    /**
     * @param codes unsigned, (count, columns), written
     */
    void read(int first, int count, byte[] codes);
  }

  /**
   * A weight in a file, read in bands of rows.
   *
   * @param values as {@link CodedWeight} has them
   * @param scales read when they are needed
   */
  static StoredWeight of(
      String name,
      int rows,
      int columns,
      float[] values,
      Codes codes,
      Supplier<CodedWeight.Scales> scales,
      RowQuantizer inputs,
      double bits) {
    return new FileWeight(name, rows, columns, values, codes, scales, inputs, bits);
  }
}
