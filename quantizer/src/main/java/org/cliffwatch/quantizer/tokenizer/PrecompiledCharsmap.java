package org.cliffwatch.quantizer.tokenizer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Base64;
import java.util.BitSet;
import java.util.Deque;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;

/**
 * SentencePiece's table of replacements, as {@code precompiled_charsmap} holds it: in Base64, the
 * length of a trie in bytes (uint32, little-endian), the trie as a double array of uint32 (Darts),
 * and UTF-8 texts that each end with a zero byte, to which the trie's leaves point. The tokenizers
 * library (spm_precompiled, {@code lib.rs}) follows it without looking where it leads, and panics
 * where it leads outside.
 */
final class PrecompiledCharsmap {
  private static final int ROOT = 0;
  private static final int ANY_BYTE = 0xff;

  private final ConfigFields fields;
  private final String name;
  private final int[] units;
  private final byte[] texts;

  private PrecompiledCharsmap(ConfigFields fields, String name) {
    this.fields = fields;
    this.name = name;
    ByteBuffer bytes;
    try {
      bytes =
          ByteBuffer.wrap(Base64.getDecoder().decode(fields.text(name)))
              .order(ByteOrder.LITTLE_ENDIAN);
    } catch (IllegalArgumentException e) {
      throw fields.error(name, "is not Base64: " + e.getMessage());
    }
    long trie = bytes.remaining() < Integer.BYTES ? 0 : Integer.toUnsignedLong(bytes.getInt());
    if (trie < Integer.BYTES || trie > bytes.remaining()) {
      throw fields.error(
          name,
          "found a trie of "
              + trie
              + " bytes, expected 4 to the "
              + bytes.remaining()
              + " there are");
    }
    units = new int[(int) trie / Integer.BYTES];
    bytes.asIntBuffer().get(units);
    bytes.position(bytes.position() + units.length * Integer.BYTES);
    texts = new byte[bytes.remaining()];
    bytes.get(texts);
    decoded(0, texts.length);
  }

  /**
   * Follows every path of the trie.
   *
   * @return characters of the longest replacement
   * @throws org.cliffwatch.quantizer.InvalidInputException if a path leads outside the trie or the
   *     texts
   */
  static int longestReplacement(ConfigFields fields, String name) {
    return new PrecompiledCharsmap(fields, name).follow();
  }

  private int follow() {
    int longest = 0;
    BitSet seen = new BitSet();
    Deque<Integer> nodes = new ArrayDeque<>();
    nodes.add(offset(units[ROOT]));
    while (!nodes.isEmpty()) {
      int node = nodes.remove();
      // Any byte may come next in a text.
      require((node | ANY_BYTE) < units.length, node);
      for (int c = 1; c <= ANY_BYTE; c++) {
        int at = node ^ c;
        int unit = units[at];
        if ((unit & (1 << 31 | ANY_BYTE)) != c || seen.get(at)) {
          continue;
        }
        seen.set(at);
        int next = at ^ offset(unit);
        require(next >= 0 && next < units.length, next);
        if ((unit >> 8 & 1) == 1) {
          longest = Math.max(longest, replacement(units[next] & Integer.MAX_VALUE));
        }
        nodes.add(next);
      }
    }
    return longest;
  }

  private static int offset(int unit) {
    return unit >>> 10 << ((unit & 1 << 9) >> 6);
  }

  private void require(boolean inside, int node) {
    if (!inside) {
      throw fields.error(
          name, "its trie leads to " + node + ", expected a node among its " + units.length);
    }
  }

  /** Characters of the text that begins at {@code from}. */
  private int replacement(int from) {
    if (from > texts.length || (from < texts.length && (texts[from] & 0xc0) == 0x80)) {
      throw fields.error(
          name,
          "its trie leads to text at "
              + from
              + ", expected the beginning of a character among "
              + texts.length
              + " bytes");
    }
    int to = from;
    while (to < texts.length && texts[to] != 0) {
      to++;
    }
    return (int) decoded(from, to).codePoints().count();
  }

  private String decoded(int from, int to) {
    try {
      CharBuffer text =
          StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(texts, from, to - from));
      return text.toString();
    } catch (CharacterCodingException e) {
      throw fields.error(name, "its texts are not UTF-8: " + e.getMessage());
    }
  }
}
