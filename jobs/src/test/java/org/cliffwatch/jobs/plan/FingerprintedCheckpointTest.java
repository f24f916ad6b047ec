package org.cliffwatch.jobs.plan;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.cliffwatch.jobs.table.CheckpointRow;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FingerprintedCheckpointTest {
  private static final long QUANTIZED = 12_000_000_000L;
  private static final long KEPT = 500_000_000;
  private static final long FILE = 25_000_000_000L;

  /** In memory: mantissas of 16 bits are held as float32. */
  @ParameterizedTest
  @CsvSource({
    "fp32, 50000",
    "bf16, 25000",
    "w8, 14000",
    "w4, 8000",
    "w4-bf16, 7000",
    "flex8, 14000",
    "flex16, 50000",
    "w4-g128, 8375",
    "stored, 25000"
  })
  void packedBytesAreThoseInMemory(String precision, long megabytes) {
    CheckpointRow row =
        new CheckpointRow(
            1,
            "uri",
            "id",
            "llama",
            QUANTIZED + KEPT,
            QUANTIZED,
            KEPT,
            null,
            FILE,
            2048,
            false,
            "tokenizer",
            List.of(),
            0);
    FingerprintedCheckpoint checkpoint =
        new FingerprintedCheckpoint(new CheckpointAt("m", 1, "uri"), row, null, List.of());
    long found = checkpoint.packedBytes(Precisions.packaged().named(precision));
    assertThat(found / 1_000_000).isEqualTo(megabytes);
  }
}
