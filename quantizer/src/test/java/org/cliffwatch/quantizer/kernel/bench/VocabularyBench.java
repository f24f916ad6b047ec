package org.cliffwatch.quantizer.kernel.bench;

import java.util.concurrent.TimeUnit;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.kernel.VocabularyHead;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** The vocabulary projection with its log-sum-exp: 8192 tokens, 576 wide. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class VocabularyBench {
  private static final int VOCABULARY = 8192;
  private static final int HIDDEN = 576;

  @Param({"FLOAT32", "BFLOAT16"})
  public FloatType type;

  @Param({"16", "256"})
  public int rows;

  private VocabularyHead head;
  private float[] x;
  private int[] firstTarget;
  private int[] targets;
  private double[] logProbability;
  private boolean[] greedy;

  @Setup
  public void setUp() {
    float[] weight = Values.normals(1, VOCABULARY * HIDDEN, type);
    for (int i = 0; i < weight.length; i++) {
      weight[i] = type.round(weight[i] / 16);
    }
    head = Backends.open("onednn").head(Values.weight(VOCABULARY, HIDDEN, weight), null, type);
    x = Values.normals(2, rows * HIDDEN, type);
    firstTarget = new int[rows + 1];
    targets = new int[rows];
    for (int row = 0; row < rows; row++) {
      firstTarget[row + 1] = row + 1;
      targets[row] = row * 31 % VOCABULARY;
    }
    logProbability = new double[rows];
    greedy = new boolean[rows];
    score();
    float[] logits = new float[rows * VOCABULARY];
    head.logits(x, rows, logits);
    for (int row = 0; row < rows; row++) {
      double sum = 0;
      for (int token = 0; token < VOCABULARY; token++) {
        sum += Math.exp(logits[row * VOCABULARY + token]);
      }
      double expected = logits[row * VOCABULARY + targets[row]] - Math.log(sum);
      Values.require(logProbability[row], expected, 1e-5);
    }
  }

  @Benchmark
  public double[] score() {
    head.score(x, rows, firstTarget, targets, new Stopwatch(), logProbability, greedy);
    return logProbability;
  }

  @TearDown
  public void close() {
    head.close();
  }
}
