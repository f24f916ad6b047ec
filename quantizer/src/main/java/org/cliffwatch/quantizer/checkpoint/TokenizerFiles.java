package org.cliffwatch.quantizer.checkpoint;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.cliffwatch.quantizer.InvalidInputException;

/**
 * A checkpoint's tokenizer, as Hugging Face keeps it.
 *
 * @param origin the file it comes from, for messages
 * @param json {@code tokenizer.json}, UTF-8
 * @param config {@code tokenizer_config.json}; without fields where there is none
 * @param specialTokens {@code special_tokens_map.json}; without fields where there is none
 */
public record TokenizerFiles(
    String origin, byte[] json, ConfigFields config, ConfigFields specialTokens) {
  /**
   * The files of a folder that holds a tokenizer, with or without a model.
   *
   * @throws InvalidInputException if there is no {@code tokenizer.json}
   */
  public static TokenizerFiles read(Path folder) {
    HuggingFaceFolder opened = new HuggingFaceFolder(folder);
    TokenizerFiles files = opened.files().consistently(opened::tokenizer);
    if (files == null) {
      throw new InvalidInputException(folder.resolve("tokenizer.json") + ": not found");
    }
    return files;
  }

  /** {@link #json} as text. */
  public String text() {
    return new String(json, StandardCharsets.UTF_8);
  }
}
