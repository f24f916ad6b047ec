package org.cliffwatch.quantizer.kernel;

import org.cliffwatch.quantizer.scheme.Vectorwise;

/**
 * One thread's operations on activations, which stay where they are made. In a 16-bit compute type
 * every operation's result is rounded to it; sums within an operation are float32 or wider.
 *
 * <p>Operations apply to the rows of the batch at hand: all that {@link #begin} was given, or those
 * {@link #keep} left. What a row becomes depends on that row, and for attention on those before it,
 * and on nothing else, bit for bit. What is not finite stays so, as {@link HostOperations} says.
 */
public interface Session extends AutoCloseable {
  /** Room for rows of zeros. */
  Rows rows(int capacity, int width);

  /**
   * Begins a batch.
   *
   * @param tokens (rows) token ids
   * @param runs how the rows continue one another
   * @param watch what the time of operations goes to
   */
  void begin(int[] tokens, TokenRuns runs, Stopwatch watch);

  /** y[r] = table[token of r], rounded and nudged. */
  void embed(Table table, Nudge nudge, Rows y);

  /** x[r] += table[position of r + offset]. */
  void addPositions(Table table, int offset, Rows x);

  /**
   * Normalizes parts of rows.
   *
   * @param parts equal parts that a row's normalized values are: 1, or its heads
   * @param weight of one part
   * @param bias of one part, or null
   * @param y may be {@code x}
   */
  void normalize(
      Normalization kind,
      float epsilon,
      Constants weight,
      Constants bias,
      Rows x,
      int parts,
      Rows y);

  /** A projection each: y = layer(x). */
  void multiply(Linear layer, Rows x, Rows... y);

  /** x *= factor. */
  void scale(Rows x, float factor);

  /** x = min(max(x, −bound), bound), of an infinity too; NaN stays. */
  void clamp(Rows x, float bound);

  /**
   * Every part of every row to codes of 8 bits and back, by {@link Vectorwise#quantize}: what an
   * int8 cache of keys and values gives back.
   *
   * @param parts of equal width of a row: heads
   */
  void requantize(Rows x, int parts);

  /** to += x. */
  void add(Rows x, Rows to);

  /** to += layer(x), both roundings made. */
  void addProduct(Linear layer, Rows x, Rows to);

  /**
   * y = out(f(in(x))), or out(f(gate(x)) · up(x)) where {@code in} has two projections.
   *
   * @param inner room for what is between, a projection of {@code in} each
   * @param y may be {@code x}
   */
  void feedForward(Linear in, Activation f, Linear out, Rows x, Rows[] inner, Rows y);

  /** to += what {@link #feedForward} gives, both roundings made. */
  void addFeedForward(Linear in, Activation f, Linear out, Rows x, Rows[] inner, Rows to);

  /**
   * {@link #feedForward} of some of the rows at hand.
   *
   * @param chosen which, at least one
   * @param gathered room for them
   * @param y written from row {@code at} on, as many as are chosen
   */
  void feedForwardOf(
      int[] chosen,
      Linear in,
      Activation f,
      Linear out,
      Rows x,
      Rows gathered,
      Rows[] inner,
      Rows y,
      int at);

  /**
   * y[r] = Σ weights[r, i] · parts[slots[r, i]], summed in float32 in the order of i.
   *
   * @param slots (rows at hand, any number) which parts a row has
   * @param weights (rows at hand, the same number)
   * @param areRounded whether weights and products, too, are rounded to the compute type
   */
  void combine(Rows parts, int[] slots, float[] weights, boolean areRounded, Rows y);

  /**
   * Rotates the first {@code rotated} values of each head by the row's position.
   *
   * @param cos (positions, rotated / 2)
   * @param sin (positions, rotated / 2)
   * @param interleaved true: pairs (2i, 2i+1) as GPT-J; false: pairs (i, i + rotated/2) as Llama
   */
  void rotate(
      Rows x,
      int heads,
      int headSize,
      int rotated,
      Constants cos,
      Constants sin,
      boolean interleaved);

  /**
   * Causal attention over the token runs of the batch, of which all rows must be at hand.
   *
   * @param alibi the shape's slopes, or null
   */
  void attend(Rows q, Rows k, Rows v, AttentionShape shape, Constants alibi, Rows y);

  /**
   * Leaves only some rows at hand.
   *
   * @param kept which of those at hand, ascending
   * @param rows what is still read afterwards, in which they move together
   */
  void keep(int[] kept, Rows... rows);

  /** Copies the rows at hand to {@code to[at ..]}. */
  void append(Rows from, Rows to, int at);

  /**
   * As {@link VocabularyHead#score}, of the first {@code rows} rows of x, whichever are at hand.
   */
  void score(
      VocabularyHead head,
      Rows x,
      int rows,
      int[] firstTarget,
      int[] targets,
      double[] logProbability,
      boolean[] greedy);

  /**
   * As {@link VocabularyHead#compare}, of the first {@code rows} rows of x, whichever are at hand.
   */
  void compare(
      VocabularyHead head,
      Rows x,
      int rows,
      VocabularyHead baseline,
      float[] baselineX,
      int at,
      double[] divergence,
      boolean[] agrees);

  /** Copies {@code rows} rows from an array, from its row {@code at} on, to the first of y. */
  void write(float[] from, int at, int rows, Rows y);

  /** Copies the first {@code rows} rows of x, whichever are at hand, to row {@code at} on. */
  void read(Rows x, int rows, float[] to, int at);

  /** As {@link VocabularyHead#logits}, of the rows at hand. */
  void logits(VocabularyHead head, Rows x, float[] out);

  /** Frees what is the session's own; its rows are closed one by one. */
  @Override
  void close();
}
