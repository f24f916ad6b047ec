package org.cliffwatch.quantizer.kernel;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.model.RandomCalibration;
import org.cliffwatch.quantizer.model.Variant;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.cliffwatch.quantizer.score.BosRule;
import org.cliffwatch.quantizer.score.Request;
import org.cliffwatch.quantizer.score.Score;
import org.cliffwatch.quantizer.score.Scorer;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/**
 * What a JVM of its own does for {@link KernelForkTest} and others: opens a kernel, prints its
 * identity and the bits of scores, and runs test classes with it.
 */
public final class ForkedKernel {
  static final String SCORES = "scores ";
  static final String THREADS = "threads";

  private static final String[] VARIANTS = {
    "bloom-six-heads", "gpt_neo-local", "gptj-rotary", "llama-llama3", "mistral-window"
  };

  /** The one in which calibrated precisions are made, too: they know no family. */
  private static final String CALIBRATED = "llama-llama3";

  private static final int REQUESTS = 12;

  private ForkedKernel() {}

  /**
   * Arguments: {@code auto}, to print what that takes and the warning; or a kernel identity, then
   * test classes, {@link #THREADS}, or nothing to print scores.
   */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    if (arguments[0].equals(Backends.AUTO)) {
      Backend taken = Backends.open(Backends.AUTO);
      System.out.println(SCORES + taken.kernel());
      System.out.println(SCORES + Backends.passedOver(taken.name()).orElse(""));
      return;
    }
    Backend backend = Backends.openKernel(arguments[0]);
    System.out.println(SCORES + backend.kernel());
    if (arguments.length == 1) {
      Path folder = Path.of(System.getProperty("java.io.tmpdir"));
      scores(backend, folder).forEach(line -> System.out.println(SCORES + line));
    } else if (arguments[1].equals(THREADS)) {
      System.out.println(SCORES + threadsOfAProduct(backend));
    } else {
      System.exit(test(Arrays.copyOfRange(arguments, 1, arguments.length)) ? 0 : 1);
    }
  }

  /** Threads of this process that bear the name of one that multiplies, while it does. */
  private static long threadsOfAProduct(Backend backend) throws InterruptedException {
    String name = "multiplies";
    AtomicLong found = new AtomicLong();
    Thread thread =
        new Thread(
            () -> {
              int size = 1024;
              WeightRows weight = new RandomRows(size, size);
              try (Linear linear =
                  backend.linear(weight, null, Precisions.packaged().named("fp32"))) {
                linear.apply(new float[256 * size], 256, new float[256 * size]);
                found.set(threadsNamed(name));
              }
            },
            name);
    thread.start();
    thread.join();
    return found.get();
  }

  /** OpenMP's threads take the name of the one that starts them. */
  private static long threadsNamed(String name) {
    try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
      long count = 0;
      for (Path task : tasks.toList()) {
        count += Files.readString(task.resolve("comm")).trim().equals(name) ? 1 : 0;
      }
      return count;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean test(String[] classes) {
    LauncherDiscoveryRequest request =
        LauncherDiscoveryRequestBuilder.request()
            .selectors(Stream.of(classes).map(DiscoverySelectors::selectClass).toList())
            .build();
    SummaryGeneratingListener listener = new SummaryGeneratingListener();
    Launcher launcher = LauncherFactory.create();
    launcher.execute(request, listener);
    TestExecutionSummary summary = listener.getSummary();
    PrintWriter out = new PrintWriter(System.out, true, java.nio.charset.StandardCharsets.UTF_8);
    summary.printFailuresTo(out, 5);
    out.println(summary.getTestsSucceededCount() + " tests passed");
    return summary.getTestsSucceededCount() > 0 && summary.getTotalFailureCount() == 0;
  }

  /**
   * A line a variant and precision: the bits of two replicas' log-likelihoods.
   *
   * @param parent of the checkpoints' folders
   */
  static List<String> scores(Backend backend, Path parent) throws IOException {
    List<String> lines = new ArrayList<>();
    for (String name : VARIANTS) {
      Variant variant = Variant.of(name);
      Path folder = variant.write(Files.createTempDirectory(parent, name));
      for (String precision : Precisions.packaged().names()) {
        Precision row = Precisions.packaged().named(precision);
        if (Schemes.isCalibrated(row) && !name.equals(CALIBRATED)) {
          continue;
        }
        try (Checkpoint checkpoint = Checkpoint.open(folder);
            Scorer scorer =
                Scorer.open(
                    checkpoint,
                    row,
                    RandomCalibration.of(checkpoint, variant.vocabulary(), row, backend),
                    backend,
                    BosRule.AUTO,
                    3)) {
          StringBuilder line = new StringBuilder(name + " " + precision);
          for (int replica = 0; replica < 2; replica++) {
            for (Score score : scorer.score(requests(variant.vocabulary()), replica)) {
              line.append(' ').append(Double.doubleToLongBits(score.logLikelihood()));
            }
          }
          lines.add(line.toString());
        }
      }
    }
    return lines;
  }

  private static List<Request> requests(int vocabulary) {
    Random random = new Random(6);
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < REQUESTS; i++) {
      requests.add(
          new Request.Tokens(
              random.ints(1 + random.nextInt(40), 0, vocabulary).toArray(),
              random.ints(1 + random.nextInt(8), 0, vocabulary).toArray()));
    }
    return requests;
  }
}
