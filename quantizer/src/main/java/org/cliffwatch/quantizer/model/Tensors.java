package org.cliffwatch.quantizer.model;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.StoredTensor;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.stored.StoredFormat;
import org.cliffwatch.quantizer.stored.TensorSource;

/**
 * A checkpoint's tensors as a family asks for them: by name and shape. Remembers which were asked
 * for, so that one nobody knows is an error and not ignored.
 */
final class Tensors {
  /** How many names a message lists. */
  private static final int NAMED = 5;

  private final Checkpoint checkpoint;
  private final String prefix;
  private final Set<String> used = new HashSet<>();
  private final StoredFormat format;
  private final TensorSource source = new Source();

  /**
   * @param base what tensors of the decoder are called before the dot: {@code transformer}, {@code
   *     model}. Checkpoints saved without the head on top leave it out, as OpenAI's gpt2 does
   * @param format how linear layers are quantized, or null
   */
  Tensors(Checkpoint checkpoint, String base, StoredFormat format) {
    this.checkpoint = checkpoint;
    this.format = format;
    boolean stated = checkpoint.tensorNames().stream().anyMatch(n -> n.startsWith(base + "."));
    this.prefix = stated ? base + "." : "";
  }

  boolean has(String name) {
    return checkpoint.hasTensor(prefix + name);
  }

  float[] vector(String name, int size) {
    return stored(prefix + name, size).read();
  }

  /** A vector where {@code present}, else null. */
  float[] vectorIf(boolean present, String name, int size) {
    return present ? vector(name, size) : null;
  }

  /** A matrix stored as (outputs, inputs), to be read once. */
  WeightRows matrix(String name, int outputs, int inputs) {
    return stored(prefix + name, outputs, inputs).streamed().rows();
  }

  /** The token embedding, whose rows are looked up as they are needed. */
  WeightRows tokens(String name, int vocabulary, int width) {
    return stored(prefix + name, vocabulary, width).rows();
  }

  /** A linear layer {@code name.weight} (outputs, inputs) and, if it has one, {@code name.bias}. */
  Projection projection(String name, int outputs, int inputs, boolean bias) {
    WeightRows weight =
        quantized(prefix + name, outputs, inputs)
            .orElseGet(() -> matrix(name + ".weight", outputs, inputs));
    return new Projection(weight, vectorIf(bias, name + ".bias", outputs));
  }

  /** The weight of a linear layer that the checkpoint holds quantized. */
  private Optional<WeightRows> quantized(String module, int outputs, int inputs) {
    return format == null
        ? Optional.empty()
        : format.weight(source, module, outputs, inputs).map(WeightRows.class::cast);
  }

  private final class Source implements TensorSource {
    @Override
    public boolean has(String name) {
      return checkpoint.hasTensor(name);
    }

    @Override
    public StoredTensor take(String name) {
      used.add(name);
      return checkpoint.tensor(name);
    }
  }

  /** GPT-2's {@code Conv1D}: {@code name.weight} (inputs, outputs) and {@code name.bias}. */
  Projection transposed(String name, int outputs, int inputs) {
    WeightRows weight =
        quantized(prefix + name, outputs, inputs)
            .orElseGet(() -> stored(prefix + name + ".weight", inputs, outputs).columns());
    return new Projection(weight, vector(name + ".bias", outputs));
  }

  /** A LayerNorm {@code name.weight} and {@code name.bias}. */
  Weights.Norm layerNorm(String name, int width) {
    return new Weights.Norm(
        prefix + name, vector(name + ".weight", width), vector(name + ".bias", width));
  }

  /** An RMSNorm {@code name.weight}. */
  Weights.Norm rmsNorm(String name, int width) {
    return rmsNorm(name, width, 0);
  }

  /** An RMSNorm whose weights are {@code name.weight} + {@code offset}. */
  Weights.Norm rmsNorm(String name, int width, float offset) {
    return new Weights.Norm(prefix + name, vector(name + ".weight", width), null, offset);
  }

  /**
   * The vocabulary projection {@code name.weight}, outside the decoder's prefix; or, tied, the
   * token embedding, whose copy a checkpoint may hold under that name.
   */
  Projection head(String name, WeightRows tokens, boolean tied, boolean bias) {
    String weight = name + ".weight";
    boolean own = !tied || checkpoint.hasTensor(weight);
    Optional<WeightRows> quantized = quantized(name, tokens.rows(), tokens.columns());
    if (quantized.isPresent()) {
      return new Projection(
          quantized.get(), bias ? stored(name + ".bias", tokens.rows()).read() : null);
    }
    WeightRows head =
        stored(own ? weight : tokens.name(), tokens.rows(), tokens.columns()).streamed().rows();
    if (tied && own) {
      requireCopy(head, tokens);
    }
    return new Projection(head, bias ? stored(name + ".bias", tokens.rows()).read() : null);
  }

  private void requireCopy(WeightRows copy, WeightRows original) {
    float[] a = new float[original.columns()];
    float[] b = new float[original.columns()];
    for (int r = 0; r < original.rows(); r++) {
      copy.row(r, a);
      original.row(r, b);
      if (!Arrays.equals(a, b)) {
        throw new InvalidInputException(
            checkpoint.path()
                + ": tensor "
                + copy.name()
                + " differs from "
                + original.name()
                + " in row "
                + r
                + ", but the configuration ties them (tie_word_embeddings)");
      }
    }
  }

  /** Accepts tensors that hold no weights: masks and tables that older releases saved. */
  void ignore(String pattern) {
    Predicate<String> matches = Pattern.compile(pattern).asMatchPredicate();
    checkpoint.tensorNames().stream().filter(matches).forEach(used::add);
  }

  /** Refuses tensors that no role was found for. */
  void requireAllUsed(String family) {
    Set<String> unknown = new TreeSet<>(checkpoint.tensorNames());
    unknown.removeAll(used);
    if (!unknown.isEmpty()) {
      List<String> some = unknown.stream().limit(NAMED).collect(Collectors.toList());
      throw new InvalidInputException(
          checkpoint.path()
              + ": "
              + unknown.size()
              + " tensors that the "
              + family
              + " family has no place for: "
              + String.join(", ", some)
              + (unknown.size() > NAMED ? ", …" : ""));
    }
  }

  private StoredTensor stored(String name, long... shape) {
    return source.take(name).requireShape(shape).requireWeight();
  }

  /** Rows {@code from}, {@code from + 1}, … of a projection whose outputs lie one after another. */
  static Projection slice(Projection whole, int from, int count) {
    return select(whole, from, count, count, count);
  }

  /**
   * Groups of {@code count} rows, {@code stride} apart: one of query, key and value, where every
   * head has its three together (GPT-NeoX, BLOOM).
   *
   * @param rows how many in all
   */
  static Projection select(Projection whole, int from, int count, int stride, int rows) {
    int[] source = new int[rows];
    for (int r = 0; r < rows; r++) {
      source[r] = from + r / count * stride + r % count;
    }
    float[] bias = whole.bias();
    float[] chosen = null;
    if (bias != null) {
      chosen = new float[rows];
      for (int r = 0; r < rows; r++) {
        chosen[r] = bias[source[r]];
      }
    }
    return new Projection(whole.weight().select(source), chosen);
  }
}
