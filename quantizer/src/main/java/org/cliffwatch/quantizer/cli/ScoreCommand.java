package org.cliffwatch.quantizer.cli;

import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.calibration.CalibrationText;
import org.cliffwatch.quantizer.calibration.CheckpointCalibration;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.KernelIdentity;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.scheme.Findings;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.cliffwatch.quantizer.score.BosRule;
import org.cliffwatch.quantizer.score.Request;
import org.cliffwatch.quantizer.score.Score;
import org.cliffwatch.quantizer.score.Scorer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Scores a file of requests without Spark. */
@Command(
    name = "score.sh",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Scores requests with one checkpoint in one precision, without Spark.",
      "",
      "A request is a JSON object a line:",
      "  {\"context\": \"text\", \"continuation\": \" text\"}   log-likelihood of the continuation",
      "  {\"context\": [ids], \"continuation\": [ids]}       the same, of token ids",
      "  {\"rolling\": \"text\"}                             log-likelihood of a whole text",
      "  {\"tokens\": [ids]}                               its logits, to --logits",
      "Line I of the output is the score of line I:",
      "  {\"loglikelihood\": -12.34, \"greedy\": false, \"tokens\": 5}",
      "A line that cannot be scored gives {\"error\": \"…\"} in its place, and exit code 4.",
      ""
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "3:bad usage or input",
      "4:finished, but some lines could not be scored",
      "5:internal error"
    })
public final class ScoreCommand implements Callable<Integer> {
  /** Requests given to a thread at a time: enough to share prefixes and fill batches. */
  private static final int CHUNK = 128;

  private static final JsonMapper MAPPER =
      // As Python's json writes and reads it.
      JsonMapper.builder().disable(JsonWriteFeature.WRITE_NAN_AS_STRINGS).build();

  @Option(
      names = "--checkpoint",
      required = true,
      paramLabel = "C",
      description = "Hugging Face folder or .gguf file")
  private Path checkpoint;

  @Option(
      names = "--precision",
      required = true,
      paramLabel = "P",
      description = "a row of conf/precisions.yaml, or of --precisions: fp32, w8a8, …")
  private String precision;

  @Option(
      names = "--precisions",
      paramLabel = "FILE",
      description = "more precisions: a YAML file like conf/precisions.yaml")
  private Path precisions;

  @Option(
      names = "--calibration",
      paramLabel = "FILE",
      description =
          "text for a precision that looks at some: a document a line, or in a .jsonl file the"
              + " \"text\" of each line's object")
  private Path calibration;

  @Option(names = "--requests", required = true, paramLabel = "F.jsonl", description = "requests")
  private Path requests;

  @Option(names = "--output", required = true, paramLabel = "O.jsonl", description = "scores")
  private Path output;

  @Option(
      names = "--backend",
      defaultValue = Backends.AUTO,
      paramLabel = "B",
      description = "reference, onednn, cuda or auto (default: auto)")
  private String backend;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "request streams; scores do not depend on it (default: the processors)")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(
      names = "--logits",
      paramLabel = "O.safetensors",
      description = "logits.I (tokens, vocabulary) float32 of every line I with \"tokens\"")
  private Path logits;

  @Option(
      names = "--bos",
      defaultValue = "auto",
      paramLabel = "RULE",
      description =
          "special tokens before a text: auto (what the tokenizer does), never or always"
              + " (default: auto)")
  private BosRule bos;

  @Option(
      names = "--replica",
      defaultValue = "0",
      paramLabel = "R",
      description = "above 0: with this replica's nudge of the embedding output (default: 0)")
  private int replica;

  @Option(
      names = "--seed",
      defaultValue = "1",
      paramLabel = "S",
      description = "seed of the replicas (default: 1)")
  private long seed;

  public static void main(String[] arguments) {
    System.exit(Launcher.run(new ScoreCommand(), arguments));
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (threads < 1 || replica < 0) {
      throw new InvalidInputException(
          threads < 1
              ? "--threads: found " + threads + ", expected at least 1"
              : "--replica: found " + replica + ", expected at least 0");
    }
    Precision row = Precisions.packagedAnd(precisions).named(precision);
    Backend kernel = Backends.open(backend);
    try (Checkpoint opened = Checkpoint.open(checkpoint);
        BufferedReader lines = open(requests);
        Scorer scorer =
            Scorer.open(opened, row, calibrated(opened, row, kernel), kernel, bos, seed)) {
      System.err.printf(
          "%s: %s on %s, %d threads%n", checkpoint, precision, scorer.kernel(), threads);
      Inventory.of(opened)
          .warning()
          .ifPresent(warning -> System.err.println("warning: " + checkpoint + ": " + warning));
      Path unfinished = output.resolveSibling(output.getFileName() + ".part");
      int errors;
      try (BufferedWriter out = Files.newBufferedWriter(unfinished)) {
        errors = score(scorer, lines, out);
      }
      Files.move(unfinished, output, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
      if (backend.equals(Backends.AUTO)) {
        Backends.passedOver(KernelIdentity.of(scorer.kernel()).backend())
            .ifPresent(warning -> System.err.println("warning: " + warning));
      }
      return errors == 0 ? Launcher.DONE : Launcher.PARTLY_FAILED;
    } catch (NoSuchFileException e) {
      throw new InvalidInputException(e.getFile() + ": no such file or folder", e);
    }
  }

  /** What a precision that looks at text finds in it; null for others. */
  private Findings calibrated(Checkpoint opened, Precision row, Backend kernel) throws IOException {
    if (!Schemes.isCalibrated(row)) {
      return null;
    }
    Path text = row.calibrationText().map(Path::of).orElse(calibration);
    if (text == null) {
      throw new InvalidInputException(
          "precision "
              + row.name()
              + ": found no calibration text, expected --calibration FILE or 'calibration' in its"
              + " row");
    }
    Progress progress = new Progress(System.err);
    try (InputStream in = Files.newInputStream(text)) {
      CalibrationText documents = CalibrationText.read(text.toString(), in);
      Findings found =
          new CheckpointCalibration(opened, List.of(row), documents, kernel)
              .find(threads, progress::calibrated)
              .get(row);
      progress.endCalibration();
      return found;
    }
  }

  private static BufferedReader open(Path file) throws IOException {
    if (Files.isDirectory(file)) {
      throw new InvalidInputException(file + ": is a folder, expected a file of requests");
    }
    return Files.newBufferedReader(file);
  }

  /** Lines in work, and the number of the first. */
  private record Chunk(int first, List<RequestLine> lines, Future<List<ObjectNode>> scores) {}

  /** Returns the number of lines with an error. */
  private int score(Scorer scorer, BufferedReader in, BufferedWriter out)
      throws IOException, InterruptedException {
    if (logits == null) {
      return score(scorer, in, out, null);
    }
    try (LogitsFile file = new LogitsFile(logits)) {
      int errors = score(scorer, in, out, file);
      file.finish();
      return errors;
    }
  }

  private int score(Scorer scorer, BufferedReader in, BufferedWriter out, LogitsFile file)
      throws IOException, InterruptedException {
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    Deque<Chunk> running = new ArrayDeque<>();
    Progress progress = new Progress(System.err);
    int number = 0;
    int errors = 0;
    try {
      boolean more = true;
      while (more || !running.isEmpty()) {
        if (more && running.size() < 2 * threads) {
          List<RequestLine> lines = new ArrayList<>();
          more = read(in, lines);
          int first = number;
          number += lines.size();
          running.add(new Chunk(first, lines, pool.submit(() -> score(scorer, lines, first))));
          continue;
        }
        Chunk chunk = running.remove();
        List<ObjectNode> scores = finished(chunk.scores());
        for (int i = 0; i < scores.size(); i++) {
          ObjectNode score = scores.get(i);
          if (score.has("logits")) {
            addLogits(scorer, chunk.lines().get(i).logits(), chunk.first() + i, file, score);
          }
          errors += score.has("error") ? 1 : 0;
          out.write(MAPPER.writeValueAsString(score));
          out.write('\n');
          progress.add(score.path("tokens").asInt());
        }
      }
    } finally {
      pool.shutdownNow();
    }
    progress.end(errors, scorer);
    return errors;
  }

  /** One line's logits, in memory at a time; those that are not finite make it an error. */
  private static void addLogits(
      Scorer scorer, int[] tokens, int line, LogitsFile file, ObjectNode score) throws IOException {
    float[] values = scorer.logits(tokens);
    for (int i = 0; i < values.length; i++) {
      if (!Float.isFinite(values[i])) {
        int vocabulary = scorer.vocabulary();
        score.removeAll();
        score.put(
            "error",
            String.format(
                Locale.ROOT,
                "the logit of token %d after position %d is %s: a value has overflowed its type",
                i % vocabulary,
                i / vocabulary,
                values[i]));
        return;
      }
    }
    file.add(line, tokens.length, values);
  }

  private static List<ObjectNode> finished(Future<List<ObjectNode>> chunk)
      throws InterruptedException {
    try {
      return chunk.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new IllegalStateException(e.getCause());
    }
  }

  /** Adds up to a chunk of lines; whether there may be more. */
  private static boolean read(BufferedReader in, List<RequestLine> chunk) throws IOException {
    while (chunk.size() < CHUNK) {
      String line = in.readLine();
      if (line == null) {
        return false;
      }
      chunk.add(RequestLine.parse(line));
    }
    return true;
  }

  private String invalid(Scorer scorer, RequestLine line) {
    if (logits == null) {
      return "\"tokens\" wants logits; expected --logits with a file for them";
    }
    return scorer.invalid(line.logits()).orElse(null);
  }

  private List<ObjectNode> score(Scorer scorer, List<RequestLine> lines, int first) {
    List<Request> scored = new ArrayList<>();
    for (RequestLine line : lines) {
      if (line.request() != null) {
        scored.add(line.request());
      }
    }
    var scores = scorer.score(scored, replica).iterator();
    List<ObjectNode> results = new ArrayList<>();
    for (int i = 0; i < lines.size(); i++) {
      RequestLine line = lines.get(i);
      ObjectNode result = MAPPER.createObjectNode();
      if (line.error() != null) {
        result.put("error", line.error());
      } else if (line.logits() != null) {
        String invalid = invalid(scorer, line);
        if (invalid == null) {
          result.put("logits", "logits." + (first + i)).put("tokens", line.logits().length);
        } else {
          result.put("error", invalid);
        }
      } else {
        Score score = scores.next();
        if (score.error() == null) {
          result.put("loglikelihood", score.logLikelihood());
          result.put("greedy", score.greedy()).put("tokens", score.tokens());
        } else {
          result.put("error", score.error());
        }
      }
      results.add(result);
    }
    return results;
  }
}
