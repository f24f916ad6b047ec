package org.cliffwatch.quantizer.score;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.cliffwatch.quantizer.kernel.Nudge;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.model.Batches;
import org.cliffwatch.quantizer.model.Decoder;

/**
 * The speed of a decoder on documents shaped like HellaSwag's, of random tokens: four endings to
 * one context, 31 and 13 tokens in the mean, so that a document has 83 tokens of which 52 are
 * scored.
 */
public final class SpeedRun {
  private static final int CHOICES = 4;

  /** After so long no repetition is begun, but for the first that counts. */
  private static final long LONGEST_NANOS = 5_000_000_000L;

  /**
   * @param documents scored
   * @param tokens that went through the decoder
   * @param seconds of the fastest repetition
   */
  public record Speed(int documents, int tokens, double seconds) {}

  private final List<TokenSequence> sequences = new ArrayList<>();
  private final int documents;

  /**
   * @param vocabulary tokens are drawn below this
   */
  public SpeedRun(int documents, int vocabulary) {
    this.documents = documents;
    SplittableRandom random = new SplittableRandom(documents);
    for (int d = 0; d < documents; d++) {
      int[] context = tokens(random, random.nextInt(16, 47), vocabulary);
      for (int choice = 0; choice < CHOICES; choice++) {
        int[] ending = tokens(random, random.nextInt(7, 20), vocabulary);
        int[] input = new int[context.length + ending.length - 1];
        System.arraycopy(context, 0, input, 0, context.length);
        System.arraycopy(ending, 0, input, context.length, ending.length - 1);
        sequences.add(new TokenSequence(input, ending));
      }
    }
  }

  private static int[] tokens(SplittableRandom random, int n, int vocabulary) {
    return random.ints(n, 0, vocabulary).toArray();
  }

  /**
   * Scores all documents so many times, after a time that does not count.
   *
   * @param threads that share the decoder, each with its part of the documents
   */
  public Speed measure(Decoder decoder, int threads, int repetitions) {
    List<Batches> parts = new ArrayList<>();
    for (int t = 0; t < threads; t++) {
      int from = documents * t / threads * CHOICES;
      int to = documents * (t + 1) / threads * CHOICES;
      parts.add(
          PrefixTree.pack(sequences.subList(from, to), decoder::batchRows, decoder.mostRows())
              .batches());
    }
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      long fastest = Long.MAX_VALUE;
      long end = System.nanoTime() + LONGEST_NANOS;
      for (int i = 0; i < 2 || (i <= repetitions && System.nanoTime() < end); i++) {
        long start = System.nanoTime();
        List<Future<?>> running = new ArrayList<>();
        for (Batches part : parts) {
          running.add(pool.submit(() -> score(decoder, part)));
        }
        for (Future<?> each : running) {
          each.get();
        }
        fastest = i == 0 ? fastest : Math.min(fastest, System.nanoTime() - start);
      }
      int tokens =
          parts.stream()
              .flatMap(part -> part.batches().stream())
              .mapToInt(batch -> batch.tokens().length)
              .sum();
      return new Speed(documents, tokens, fastest / 1e9);
    } catch (InterruptedException | ExecutionException e) {
      throw new IllegalStateException(e);
    } finally {
      pool.shutdownNow();
    }
  }

  private static void score(Decoder decoder, Batches batches) {
    double[] logProbability = new double[batches.targets().length];
    boolean[] greedy = new boolean[logProbability.length];
    decoder.score(batches, new Nudge(0, 0), new Stopwatch(), logProbability, greedy);
    for (double value : logProbability) {
      if (!(value < 0)) {
        throw new IllegalStateException("found a log-probability of " + value);
      }
    }
  }
}
