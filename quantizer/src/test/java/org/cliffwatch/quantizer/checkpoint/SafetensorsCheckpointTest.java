package org.cliffwatch.quantizer.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.Half;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsCheckpointTest {
  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 7, 8, 15, 16, 17, 31, 33, 63, 65, 4098, 40_001})
  void floatsAreReadBackExactly(int count) throws IOException {
    float[] values = new float[count];
    Random random = new Random(count);
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    ByteBuffer bytes = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    write(Map.of("w", new TestTensor("F32", new long[] {count}, bytes.array())));
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensor("w").read()).containsExactly(values);
      if (count > 3) {
        float[] part = new float[count];
        checkpoint.tensor("w").read(2, part, 1, count - 3);
        assertThat(part[0]).isZero();
        assertThat(part[1]).isEqualTo(values[2]);
        assertThat(part[count - 3]).isEqualTo(values[count - 2]);
        assertThat(part[count - 1]).isZero();
      }
    }
  }

  /** Every one of the 65 536 bit patterns, against the definition of binary16. */
  @Test
  void halvesAreWidenedExactly() {
    for (int bits = 0; bits <= 0xffff; bits++) {
      int exponent = bits >> 10 & 31;
      int fraction = bits & 1023;
      double magnitude =
          exponent == 0
              ? fraction * 0x1p-24
              : exponent == 31
                  ? (fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN)
                  : (1024 + fraction) * Math.scalb(1.0, exponent - 25);
      float expected = (float) (bits >> 15 == 0 ? magnitude : -magnitude);
      assertThat(Float.compare(Half.widen((short) bits), expected)).as("0x%04x", bits).isZero();
    }
  }

  @Test
  void transposeGivesColumnsAsRows() throws IOException {
    int rows = 130;
    int columns = 67;
    ByteBuffer bytes = ByteBuffer.allocate(2 * rows * columns).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < rows * columns; i++) {
      bytes.putShort((short) (Float.floatToIntBits(i % 128) >>> 16));
    }
    write(Map.of("w", new TestTensor("BF16", new long[] {rows, columns}, bytes.array())));
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      WeightRows transposed = checkpoint.tensor("w").columns();
      assertThat(transposed.rows()).isEqualTo(columns);
      assertThat(transposed.columns()).isEqualTo(rows);
      float[] row = new float[rows];
      for (int r = 0; r < columns; r++) {
        transposed.row(r, row);
        for (int c = 0; c < rows; c++) {
          assertThat(row[c]).isEqualTo((float) ((c * columns + r) % 128));
        }
      }
    }
  }

  @Test
  void weightsThatAreNotFiniteAreRefusedWhenRead() throws IOException {
    byte[] bytes = {0, 0x3c, 0, 0x7c};
    write(Map.of("w", new TestTensor("F16", new long[] {2}, bytes)));
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThatThrownBy(() -> checkpoint.tensor("w").read())
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("model.safetensors: tensor w: element 1 is Infinity");
    }
  }

  private void write(Map<String, TestTensor> tensors) throws IOException {
    Files.writeString(folder.resolve("config.json"), "{\"model_type\": \"llama\"}");
    TestTensor.write(folder.resolve("model.safetensors"), tensors);
  }
}
