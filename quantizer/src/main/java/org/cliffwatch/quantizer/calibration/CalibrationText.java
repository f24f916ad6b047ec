package org.cliffwatch.quantizer.calibration;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.BufferedReader;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.scheme.Calibration;
import org.cliffwatch.quantizer.tokenizer.Tokenizer;

/**
 * Documents to calibrate with. A file whose name ends in {@code .jsonl} or {@code .json} has a JSON
 * object a line, its document the field {@code text}; any other a document a line; with {@code .gz}
 * after that it is compressed. Blank documents are left out.
 *
 * <p>Documents are tokenized each for itself, with the special tokens that the tokenizer adds, and
 * joined; samples are cut from the start, one after another, as llm-awq does ({@code
 * utils/calib_data.py}). All documents are in memory at once.
 */
public final class CalibrationText {
  private static final String COMPRESSED = ".gz";
  private static final JsonMapper JSON = new JsonMapper();

  private final String origin;
  private final List<String> documents;

  private CalibrationText(String origin, List<String> documents) {
    this.origin = origin;
    this.documents = documents;
  }

  /**
   * Reads a file.
   *
   * @param origin its name, for messages
   * @param in UTF-8, compressed where the name says so
   * @throws InvalidInputException naming a line that is no document
   */
  public static CalibrationText read(String origin, InputStream in) throws IOException {
    boolean isCompressed = origin.endsWith(COMPRESSED);
    String name =
        isCompressed ? origin.substring(0, origin.length() - COMPRESSED.length()) : origin;
    boolean isJson = name.endsWith(".jsonl") || name.endsWith(".json");
    List<String> documents = new ArrayList<>();
    int number = 0;
    try (InputStream text = isCompressed ? new GZIPInputStream(in) : in;
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(text, StandardCharsets.UTF_8.newDecoder()))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        number++;
        if (!line.isBlank()) {
          String document = isJson ? text(origin, number, line) : line;
          if (!document.isBlank()) {
            documents.add(document);
          }
        }
      }
    } catch (CharacterCodingException e) {
      throw new InvalidInputException(
          origin + ": after line " + number + ": found bytes that are not UTF-8", e);
    } catch (ZipException | EOFException e) {
      throw new InvalidInputException(
          origin + ": after line " + number + ": not a whole gzip file: " + e.getMessage(), e);
    }
    return new CalibrationText(origin, documents);
  }

  private static String text(String origin, int number, String line) {
    try {
      JsonNode text = JSON.readTree(line).path("text");
      if (text.isTextual()) {
        return text.asText();
      }
      throw new InvalidInputException(
          "%s: line %s: found %s, expected an object with a \"text\""
              .formatted(origin, number, line.length() > 60 ? line.substring(0, 60) + "…" : line));
    } catch (JsonProcessingException e) {
      throw new InvalidInputException(
          "%s: line %s: %s".formatted(origin, number, e.getOriginalMessage()), e);
    }
  }

  /**
   * As {@link #samples(Calibration, Tokenizer, int)}, by a checkpoint's own tokenizer and window.
   *
   * @param inventory of the checkpoint
   * @throws InvalidInputException also where its tokenizer cannot be read or has tokens that it
   *     does not embed
   */
  public List<int[]> samples(Calibration calibration, Checkpoint checkpoint, Inventory inventory) {
    Tokenizer tokenizer = Tokenizer.open(checkpoint);
    tokenizer.requireFits(checkpoint.tensor(inventory.embedding().name()));
    int window = inventory.architecture().contextLength().orElse(Integer.MAX_VALUE);
    return samples(calibration, tokenizer, window);
  }

  /**
   * The samples that a precision asks for.
   *
   * @param window the most tokens of a sample
   * @throws InvalidInputException where there is too little text
   */
  public List<int[]> samples(Calibration calibration, Tokenizer tokenizer, int window) {
    List<String> order = documents;
    if (calibration.seed() != null) {
      order = new ArrayList<>(documents);
      Collections.shuffle(order, new Random(calibration.seed()));
    }
    int length = Math.min(window, calibration.length());
    if (calibration.endsDocuments() && tokenizer.eos().isEmpty()) {
      throw new InvalidInputException(
          origin + ": calibration_eos: found a tokenizer without eos_token, expected one");
    }
    boolean isExact = calibration.samples() != null;
    int most = isExact ? calibration.samples() : Calibration.MOST;
    List<int[]> samples = new ArrayList<>();
    int[] sample = new int[length];
    int filled = 0;
    for (String document : order) {
      int[] tokens = tokenizer.encode(document, true);
      if (calibration.endsDocuments()) {
        tokens = Arrays.copyOf(tokens, tokens.length + 1);
        tokens[tokens.length - 1] = tokenizer.eos().getAsInt();
      }
      for (int at = 0; at < tokens.length && samples.size() < most; ) {
        int step = Math.min(tokens.length - at, length - filled);
        System.arraycopy(tokens, at, sample, filled, step);
        at += step;
        filled += step;
        if (filled == length) {
          samples.add(sample);
          sample = new int[length];
          filled = 0;
        }
      }
      if (samples.size() == most) {
        return samples;
      }
    }
    if (!isExact && !samples.isEmpty()) {
      return samples;
    }
    throw new InvalidInputException(
        ("%s: found text for %s samples of %s tokens, expected %s: give more, or ask for fewer or"
                + " shorter ones (a precision's calibration_samples, calibration_length)")
            .formatted(origin, samples.size(), length, isExact ? most : "1 or more"));
  }
}
