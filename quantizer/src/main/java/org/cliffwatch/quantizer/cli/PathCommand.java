package org.cliffwatch.quantizer.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.analysis.SolutionPath;
import org.cliffwatch.quantizer.calibration.CalibrationText;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.scheme.Calibration;
import org.cliffwatch.quantizer.scheme.Precisions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What lies between two quantizations of one model. */
@Command(
    name = "path",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Goes along the straight line from one quantization of a model's weights to another, as from"
          + " what GPTQ makes of it to what quantization-aware training did, and says at each point:"
          + " distance, how far the weights are from the model's, as a share of their norm; local,"
          + " the mean over linear layers of their output's squared error on the calibration text,"
          + " as a share of the output's square; loss, on the held-out text, nats a token.",
      "Xu et al. 2024: where many bits are lost, the local error is no guide to the loss.",
      ""
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:done", "3:bad usage or input", "5:internal error"})
final class PathCommand implements Callable<Integer> {
  @Parameters(paramLabel = "C", description = "the model as it is: Hugging Face folder or .gguf")
  private Path origin;

  @Option(
      names = "--from",
      required = true,
      paramLabel = "P",
      description = "a precision of it; one that changes weights alone")
  private String from;

  @Option(
      names = "--to",
      required = true,
      paramLabel = "C",
      description = "another checkpoint of its shape, or itself")
  private Path to;

  @Option(
      names = "--to-precision",
      required = true,
      paramLabel = "P",
      description = "a precision of that")
  private String toPrecision;

  @Option(
      names = "--precisions",
      paramLabel = "FILE",
      description = "more precisions: a YAML file like conf/precisions.yaml")
  private Path precisions;

  @Option(
      names = "--calibration",
      required = true,
      paramLabel = "FILE",
      description = "text of GPTQ, as its row asks for it, and of the local error")
  private Path calibration;

  @Option(
      names = "--held-out",
      required = true,
      paramLabel = "FILE",
      description = "text of the loss, its first 128 samples")
  private Path heldOut;

  @Option(
      names = "--samples",
      defaultValue = "128",
      paramLabel = "N",
      description = "of the calibration text (default: ${DEFAULT-VALUE})")
  private int samples;

  @Option(
      names = "--length",
      defaultValue = "512",
      paramLabel = "N",
      description = "tokens of a sample (default: ${DEFAULT-VALUE})")
  private int length;

  @Option(
      names = "--eos",
      description = "the end-of-text token follows each document of both texts")
  private boolean endsDocuments;

  @Option(
      names = "--points",
      defaultValue = "11",
      paramLabel = "N",
      description = "points of the line, its ends among them (default: ${DEFAULT-VALUE})")
  private int points;

  @Option(
      names = "--backend",
      defaultValue = Backends.AUTO,
      paramLabel = "B",
      description = "reference, onednn or auto (default: auto)")
  private String backend;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "that share samples; the numbers do not depend on it (default: the processors)")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(
      names = "--format",
      defaultValue = "text",
      paramLabel = "F",
      description = "text or json (default: text)")
  private Facts.Format format;

  @Override
  public Integer call() throws IOException {
    require(samples > 0, "--samples", samples, 1);
    require(length > 1, "--length", length, 2);
    require(points > 1, "--points", points, 2);
    require(threads > 0, "--threads", threads, 1);
    Precisions rows = Precisions.packagedAnd(precisions);
    List<SolutionPath.Point> path;
    try (Checkpoint model = Checkpoint.open(origin);
        Checkpoint other = Checkpoint.open(to)) {
      path =
          SolutionPath.of(
              model,
              new SolutionPath.Solution(model, rows.named(from)),
              new SolutionPath.Solution(other, rows.named(toPrecision)),
              text(calibration),
              new Calibration(samples, length, null, endsDocuments),
              text(heldOut),
              Backends.open(backend),
              threads,
              points);
    }
    print(path);
    return Launcher.DONE;
  }

  private static void require(boolean ok, String option, int found, int least) {
    if (!ok) {
      throw new InvalidInputException(
          "%s: found %s, expected at least %s".formatted(option, found, least));
    }
  }

  private static CalibrationText text(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      return CalibrationText.read(file.toString(), in);
    } catch (NoSuchFileException e) {
      throw new InvalidInputException(file + ": no such file, expected a text", e);
    }
  }

  private void print(List<SolutionPath.Point> path) throws JsonProcessingException {
    if (format == Facts.Format.JSON) {
      List<Map<String, Object>> all = new ArrayList<>();
      for (SolutionPath.Point each : path) {
        Map<String, Object> one = new LinkedHashMap<>();
        one.put("t", each.t());
        one.put("distance", each.distance());
        one.put("local", each.local());
        one.put("loss", each.loss());
        all.add(one);
      }
      Facts.print(Map.of("path", all), format);
      return;
    }
    System.out.println("t      distance  local      loss");
    for (SolutionPath.Point each : path) {
      System.out.println(
          String.format(
              Locale.ROOT,
              "%.3f  %.4f    %.3e  %.4f",
              each.t(),
              each.distance(),
              each.local(),
              each.loss()));
    }
  }
}
