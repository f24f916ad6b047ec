package org.cliffwatch.quantizer.score;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.model.Variant;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.score.Score.Divergence;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DivergenceTest {
  /** Nats a token: a mean of differences of logits, summed in float32. */
  private static final double TOLERANCE = 3e-6;

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({
    "llama-llama3, fp32, w8a8, onednn",
    "llama-llama3, fp32, w8a8, reference",
    "llama-llama3, bf16, w4, onednn",
    "opt-post-norm, fp32, w8a8-bf16, onednn",
    "gpt_neo-local, fp32, w8, onednn"
  })
  void isThatOfTheLogits(String variant, String baselineName, String precision, String backend)
      throws IOException {
    Path path = Variant.of(variant).write(folder);
    try (Checkpoint checkpoint = Checkpoint.open(path);
        Scorer baseline = open(checkpoint, baselineName, backend);
        Scorer scorer = open(checkpoint, precision, backend)) {
      List<Request> requests = requests(scorer.vocabulary());
      EncodedRequests encoded = scorer.encode(requests);
      List<Score> plain = scorer.score(encoded, 0);
      List<Score> scores = scorer.score(encoded, 0, baseline);
      double largest = 0;
      for (int i = 0; i < requests.size(); i++) {
        Divergence found = scores.get(i).divergence().orElseThrow();
        assertThat(without(scores.get(i))).isEqualTo(plain.get(i));
        Divergence expected = expected((Request.Tokens) requests.get(i), baseline, scorer);
        int tokens = scores.get(i).tokens();
        assertThat(found.kl()).isCloseTo(expected.kl(), within(TOLERANCE * tokens));
        assertThat(found.top1Agreed()).isEqualTo(expected.top1Agreed());
        largest = Math.max(largest, expected.kl());
        // Alone, hence in another group and batch.
        Score alone = scorer.score(scorer.encode(List.of(requests.get(i))), 0, baseline).get(0);
        assertThat(alone).isEqualTo(scores.get(i));
      }
      assertThat(largest).isGreaterThan(10 * TOLERANCE);
      assertThat(scorer.score(encoded, 0, scorer))
          .allMatch(s -> s.divergence().equals(Optional.of(new Divergence(0, s.tokens()))));
    }
  }

  private static Scorer open(Checkpoint checkpoint, String precision, String backend) {
    return Scorer.open(
        checkpoint,
        Precisions.packaged().named(precision),
        Backends.open(backend),
        BosRule.AUTO,
        1);
  }

  /** Some share a context and part at its end, or after a token of the continuation. */
  private static List<Request> requests(int vocabulary) {
    SplittableRandom random = new SplittableRandom(5);
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      int[] context = random.ints(1 + random.nextInt(12), 0, vocabulary).toArray();
      int[] first = random.ints(1 + random.nextInt(6), 0, vocabulary).toArray();
      int[] second = first.clone();
      second[first.length - 1] = (first[first.length - 1] + 1) % vocabulary;
      requests.add(new Request.Tokens(context, first));
      requests.add(new Request.Tokens(context, second));
    }
    return requests;
  }

  private static Score without(Score score) {
    return new Score(
        score.logLikelihood(),
        score.greedy(),
        score.tokens(),
        score.truncated(),
        score.straddled(),
        score.error(),
        Optional.empty());
  }

  /** By the definition, of all logits, in float64. */
  private static Divergence expected(Request.Tokens request, Scorer baseline, Scorer scorer) {
    int context = request.context().length;
    int continuation = request.continuation().length;
    int[] input = new int[context + continuation - 1];
    System.arraycopy(request.context(), 0, input, 0, context);
    System.arraycopy(request.continuation(), 0, input, context, continuation - 1);
    float[] before = baseline.logits(input);
    float[] after = scorer.logits(input);
    int n = scorer.vocabulary();
    double kl = 0;
    int agreed = 0;
    for (int position = context - 1; position < input.length; position++) {
      double[] p = logSoftmax(before, position * n, n);
      double[] q = logSoftmax(after, position * n, n);
      int best = 0;
      int otherBest = 0;
      for (int token = 0; token < n; token++) {
        kl += Math.exp(p[token]) * (p[token] - q[token]);
        best = q[token] > q[best] ? token : best;
        otherBest = p[token] > p[otherBest] ? token : otherBest;
      }
      agreed += best == otherBest ? 1 : 0;
    }
    return new Divergence(kl, agreed);
  }

  private static double[] logSoftmax(float[] logits, int at, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += Math.exp(logits[at + i]);
    }
    double[] log = new double[n];
    for (int i = 0; i < n; i++) {
      log[i] = logits[at + i] - Math.log(sum);
    }
    return log;
  }
}
