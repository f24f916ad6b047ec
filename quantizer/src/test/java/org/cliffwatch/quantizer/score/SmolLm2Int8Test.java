package org.cliffwatch.quantizer.score;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.Shared;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * int8 scores of two right programs agree in distribution and not item by item: each rounding
 * amplifies the last bit. So what is compared is how far int8 lies from float32, and how far
 * replicas lie apart.
 */
@Tag("shared")
@Tag("slow")
class SmolLm2Int8Test {
  /** Relative, of median and 95th percentile of the distance from float32. */
  private static final double SPREAD = 0.15;

  /** Of the mean signed distance. */
  private static final double STANDARD_ERRORS = 3;

  /** Two draws of a few hundred items lie this far apart in their median. */
  private static final double REPLICA_SPREAD = 0.25;

  /** Median distance of two replicas on WinoGrande, nats: the golden's README. */
  private static final double REPLICA_MEDIAN = 0.398;

  /** What a nudge may move without integer activations, nats. */
  private static final double UNROUNDED = 1e-3;

  private static final int NUDGED_ITEMS = 300;

  @ParameterizedTest
  @CsvSource({"winogrande, w8a8_winogrande.replica0", "piqa, w8a8_piqa300.replica0"})
  void int8LiesAsFarFromFloat32AsInTransformers(String task, String golden) throws IOException {
    List<Request> requests = new ArrayList<>();
    List<Double> float32 = new ArrayList<>();
    List<Double> int8 = new ArrayList<>();
    List<JsonNode> samples = Golden.samples(task);
    for (JsonNode document : Golden.lines("golden/lm-eval-smollm2/" + golden + ".jsonl.gz")) {
      JsonNode sample = samples.get(document.get("doc").intValue());
      assertThat(sample.get("doc_id")).isEqualTo(document.get("doc"));
      requests.addAll(Golden.requests(sample));
      sample.get("filtered_resps").forEach(r -> float32.add(r.get(0).asDouble()));
      document.get("ll").forEach(l -> int8.add(l.doubleValue()));
    }
    double[] theirs = distances(int8, float32);
    double[] ours = distances(score(requests, "w8a8", 0), float32);
    for (double q : new double[] {0.5, 0.95}) {
      assertThat(quantile(ours, q) / quantile(theirs, q))
          .as("quantile %s of |int8 − float32|", q)
          .isBetween(1 - SPREAD, 1 + SPREAD);
    }
    double error = Math.hypot(standardError(ours), standardError(theirs));
    assertThat(Math.abs(mean(ours) - mean(theirs)) / error)
        .as("standard errors between the mean signed distances")
        .isLessThan(STANDARD_ERRORS);
  }

  @ParameterizedTest
  @ValueSource(strings = {"w8a8", "w8a8-bf16"})
  void replicasOfInt8LieApartAsInTransformers(String precision) throws IOException {
    List<Request> requests = nudged();
    List<Double> plain = score(requests, precision, 0);
    for (int replica = 1; replica <= 2; replica++) {
      double median = quantile(distances(score(requests, precision, replica), plain), 0.5);
      assertThat(median / REPLICA_MEDIAN).isBetween(1 - REPLICA_SPREAD, 1 + REPLICA_SPREAD);
    }
  }

  @ParameterizedTest
  @CsvSource({"fp32", "w8"})
  void replicasMoveNothingElse(String precision) throws IOException {
    List<Request> requests = nudged();
    double[] moved = distances(score(requests, precision, 1), score(requests, precision, 0));
    assertThat(quantile(moved, 0.5)).isPositive();
    assertThat(quantile(moved, 1)).isLessThan(UNROUNDED);
  }

  private static List<Request> nudged() throws IOException {
    return Golden.samples("winogrande").stream()
        .limit(NUDGED_ITEMS)
        .flatMap(sample -> Golden.requests(sample).stream())
        .toList();
  }

  private static List<Double> score(List<Request> requests, String precision, int replica) {
    try (Checkpoint checkpoint = Checkpoint.open(Shared.path(Golden.SMOLLM2));
        Scorer scorer =
            Scorer.open(
                checkpoint,
                Precisions.packaged().named(precision),
                Backends.open(Backends.AUTO),
                BosRule.AUTO,
                1)) {
      return scorer.score(requests, replica).stream().map(Score::logLikelihood).toList();
    }
  }

  private static double[] distances(List<Double> a, List<Double> b) {
    assertThat(a).hasSameSizeAs(b);
    return IntStream.range(0, a.size()).mapToDouble(i -> a.get(i) - b.get(i)).toArray();
  }

  /** Of the magnitudes. */
  private static double quantile(double[] values, double q) {
    double[] sorted = Arrays.stream(values).map(Math::abs).sorted().toArray();
    return sorted[(int) (q * (sorted.length - 1))];
  }

  private static double mean(double[] values) {
    return Arrays.stream(values).average().orElseThrow();
  }

  private static double standardError(double[] values) {
    double mean = mean(values);
    double squares = Arrays.stream(values).map(v -> (v - mean) * (v - mean)).sum();
    return Math.sqrt(squares / (values.length - 1) / values.length);
  }
}
