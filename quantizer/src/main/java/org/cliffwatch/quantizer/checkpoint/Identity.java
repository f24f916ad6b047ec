package org.cliffwatch.quantizer.checkpoint;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import org.cliffwatch.quantizer.InvalidInputException;

/**
 * A checkpoint's content hash: sha256 over its configuration, every tensor (in name order: name,
 * type, shape, stored bytes) and its tokenizer's files. File names, sharding, the order of tensors
 * and JSON's layout do not count.
 */
final class Identity {
  private static final ObjectMapper CANONICAL =
      JsonMapper.builder().enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS).build();

  private static final Map<Set<OpenedFiles.State>, String> KNOWN = new ConcurrentHashMap<>();

  private final MessageDigest digest;

  private Identity() {
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * Reads all of the checkpoint, unless its files are known already.
   *
   * @param files all that it is made of, as they were when it was opened
   * @throws InvalidInputException if a file has changed since, of a known checkpoint too
   */
  static String of(Checkpoint checkpoint, Set<OpenedFiles.State> files) {
    String known = KNOWN.get(files);
    String identity = checkpoint.consistently(() -> known == null ? of(checkpoint) : known);
    KNOWN.put(files, identity);
    return identity;
  }

  private static String of(Checkpoint checkpoint) {
    Identity identity = new Identity();
    identity.add("config", checkpoint.config());
    for (String name : new TreeSet<>(checkpoint.tensorNames())) {
      StoredTensor tensor = checkpoint.tensor(name);
      identity.add("tensor", name + " " + tensor.type() + Arrays.toString(tensor.shape()));
      tensor.digest(identity.digest);
    }
    Optional<TokenizerFiles> tokenizer = checkpoint.tokenizerFiles();
    if (tokenizer.isPresent()) {
      identity.add("tokenizer", tokenizer.get().text());
      identity.add("tokenizer config", tokenizer.get().config());
      identity.add("special tokens", tokenizer.get().specialTokens());
    }
    return HexFormat.of().formatHex(identity.digest.digest());
  }

  private void add(String part, ConfigFields fields) {
    try {
      // A tree is written in its own order; a map in that of its keys.
      Object map = CANONICAL.treeToValue((JsonNode) fields.node(), Object.class);
      add(part, CANONICAL.writeValueAsString(map));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Lengths keep parts from running together. */
  private void add(String part, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    digest.update((part + " " + bytes.length + "\n").getBytes(StandardCharsets.UTF_8));
    digest.update(bytes);
  }
}
