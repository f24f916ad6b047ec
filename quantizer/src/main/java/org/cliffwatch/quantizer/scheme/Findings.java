package org.cliffwatch.quantizer.scheme;

import java.util.Collections;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What calibration finds for one precision of one checkpoint: numbers and codes by the name of a
 * layer and of what they are, {@code layers.3.query.input_factor}.
 */
public final class Findings {
  /** (inputs) what every column of a weight is multiplied by. */
  static final String INPUT_FACTOR = "input_factor";

  /** (outputs) what a norm's or a linear layer's outputs are divided by. */
  static final String OUTPUT_DIVISOR = "output_divisor";

  /** (1) the scale of all inputs. */
  static final String INPUT_SCALE = "input_scale";

  /** (outputs, groups) the largest magnitude that a group of a weight's columns keeps. */
  static final String CLIP = "clip";

  private final SortedMap<String, float[]> numbers = new TreeMap<>();
  private final SortedMap<String, byte[]> codes = new TreeMap<>();

  /** Adds numbers of a layer. */
  public void put(String layer, String what, float... values) {
    numbers.put(layer + "." + what, values);
  }

  /** Adds codes of a layer, unsigned. */
  public void put(String layer, String what, byte[] values) {
    codes.put(layer + "." + what, values);
  }

  /** Divides what a producer gives, and multiplies the columns of all that read it. */
  void fold(CalibrationBlock.Foldable foldable, float[] factor) {
    put(foldable.producer(), OUTPUT_DIVISOR, factor);
    for (CalibrationBlock.Layer consumer : foldable.consumers()) {
      put(consumer.name(), INPUT_FACTOR, factor);
    }
  }

  Optional<float[]> numbers(String layer, String what) {
    return Optional.ofNullable(numbers.get(layer + "." + what));
  }

  Optional<byte[]> codes(String layer, String what) {
    return Optional.ofNullable(codes.get(layer + "." + what));
  }

  /** What the outputs of a norm or of a linear layer are divided by. */
  public Optional<float[]> outputDivisor(String layer) {
    return numbers(layer, OUTPUT_DIVISOR);
  }

  /** All numbers by {@code layer.what}. */
  public SortedMap<String, float[]> numbers() {
    return Collections.unmodifiableSortedMap(numbers);
  }

  /** All codes by {@code layer.what}. */
  public SortedMap<String, byte[]> codes() {
    return Collections.unmodifiableSortedMap(codes);
  }
}
