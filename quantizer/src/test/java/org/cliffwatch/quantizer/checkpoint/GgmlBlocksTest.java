package org.cliffwatch.quantizer.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Random blocks against the reference dequantizer's bits: golden/ggml/make.py. */
class GgmlBlocksTest {
  private static final int BLOCKS = 512;

  @ParameterizedTest
  @EnumSource(
      value = StorageType.class,
      mode = EnumSource.Mode.EXCLUDE,
      names = {
        "F32", "F64", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL", "F8_E4M3",
        "F8_E5M2"
      })
  void bitsEqualTheReferenceDequantizer(StorageType type)
      throws IOException, NoSuchAlgorithmException {
    byte[] bytes = new byte[BLOCKS * type.blockBytes()];
    long x = 1;
    for (int i = 0; i < bytes.length; i++) {
      x = x * 6364136223846793005L + 1442695040888963407L;
      bytes[i] = (byte) (x >>> 56);
    }
    float[] values = new float[BLOCKS * type.blockElements()];
    type.widen(bytes, values, 0, BLOCKS);
    ByteBuffer bits = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : values) {
      bits.putInt(Float.floatToIntBits(value)); // every NaN as 0x7fc00000
    }
    assertThat(HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bits.array())))
        .isEqualTo(golden().get(type.name()).textValue());
  }

  private static JsonNode golden() throws IOException {
    try (InputStream in = GgmlBlocksTest.class.getResourceAsStream("/golden/ggml/widened.json")) {
      return new ObjectMapper().readTree(in);
    }
  }
}
