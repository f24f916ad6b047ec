package org.cliffwatch.jobs.plan;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Content hashes. */
public final class Sha256 {
  private Sha256() {}

  public static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The finished hash in hex. */
  public static String hex(MessageDigest digest) {
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Over {@code name=value} lines, so that no two lists of fields run together. */
  public static String of(String... namesAndValues) {
    return hex(over(namesAndValues));
  }

  /**
   * A random stream's seed, of its own for every list of fields: the first eight bytes of the hash
   * over {@code name=value} lines, big-endian.
   */
  public static long seed(String... namesAndValues) {
    return ByteBuffer.wrap(over(namesAndValues).digest()).getLong();
  }

  private static MessageDigest over(String... namesAndValues) {
    MessageDigest digest = digest();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      digest.update(
          (namesAndValues[i] + "=" + namesAndValues[i + 1] + "\n")
              .getBytes(StandardCharsets.UTF_8));
    }
    return digest;
  }
}
