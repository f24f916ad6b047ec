package org.cliffwatch.quantizer.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.outliers.OutlierPlanting;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Writes a checkpoint of the same function with outlier channels. */
@Command(
    name = "plant-outliers",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Writes a checkpoint that computes the same, fp32 to the bit, and that vectorwise int8 (w8a8)"
          + " spoils: some channels of the norms before attention and feed-forward are multiplied"
          + " by a factor, and the columns of all that read them divided by it. The channels are"
          + " the same ones in every layer, as outliers of large models are.",
      "A tensor whose 16-bit type does not hold its scaled values exactly is stored as F32; where"
          + " float32 does not, that is an error. Weights in other formats are not copied.",
      "Refused: GGUF, quantized checkpoints, and families whose norms feed the residual stream or"
          + " have no weights (OLMo 2, OPT-350m, BLOOM with its post-layernorm residual).",
      ""
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:done", "3:bad usage or input; nothing was written", "5:internal error"})
final class PlantOutliersCommand implements Callable<Integer> {
  @Parameters(index = "0", paramLabel = "IN", description = "Hugging Face folder")
  private Path from;

  @Parameters(index = "1", paramLabel = "OUT", description = "new folder")
  private Path to;

  @Option(
      names = "--channels",
      defaultValue = "6",
      paramLabel = "N",
      description = "channels of each norm (default: ${DEFAULT-VALUE})")
  private int channels;

  @Option(
      names = "--factor",
      required = true,
      paramLabel = "F",
      description = {
        "a power of two: 2, 4, 8, …; with SmolLM2-135M w8a8's accuracy on HellaSwag is chance"
            + " from 128 on, and w8's as before at 256"
      })
  private int factor;

  @Option(
      names = "--seed",
      defaultValue = "1",
      paramLabel = "S",
      description = "of the choice of channels (default: ${DEFAULT-VALUE})")
  private long seed;

  @Option(
      names = "--format",
      defaultValue = "text",
      paramLabel = "F",
      description = "of what is said on stdout: text or json (default: text)")
  private Facts.Format format;

  @Override
  public Integer call() throws JsonProcessingException {
    OutlierPlanting planting = new OutlierPlanting(channels, factor, seed);
    Map<String, Object> facts = new LinkedHashMap<>();
    try (Checkpoint checkpoint = Checkpoint.open(from)) {
      OutlierPlanting.Planted planted = planting.plant(checkpoint, to, System.err::println);
      facts.put("checkpoint", from.toString());
      facts.put("written", to.toString());
      facts.put("layers", planted.layers());
      facts.put("norms", planted.norms());
      facts.put("matrices", planted.matrices());
      facts.put("channels", format == Facts.Format.JSON ? planted.channels() : listed(planted));
      facts.put("factor", factor);
      facts.put("seed", seed);
      if (!planted.widened().isEmpty()) {
        facts.put("now_stored_as_F32", List.copyOf(planted.widened()));
      }
    }
    Facts.print(facts, format);
    return Launcher.DONE;
  }

  private static String listed(OutlierPlanting.Planted planted) {
    String numbers = planted.channels().toString();
    return numbers.substring(1, numbers.length() - 1) + " of " + planted.width();
  }
}
