package org.cliffwatch.quantizer.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.StoredTensor;
import org.cliffwatch.quantizer.model.Architecture;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.outliers.OutlierPlanting;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.tokenizer.Tokenizer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Says what a checkpoint is, or makes another of it, without scoring anything. */
@Command(
    name = "checkpoint.sh",
    mixinStandardHelpOptions = true,
    description =
        "What a checkpoint is, and whether we can run it; and checkpoints made of others.",
    subcommands = {CheckpointCommand.Inspect.class, PlantOutliersCommand.class, PathCommand.class})
public final class CheckpointCommand implements Callable<Integer> {
  public static void main(String[] arguments) {
    System.exit(Launcher.run(new CheckpointCommand(), arguments));
  }

  @Override
  public Integer call() {
    throw new InvalidInputException(
        "expected a command: inspect, plant-outliers or path. Try --help.");
  }

  /** Hashing and reading take seconds a gigabyte. */
  enum WhetherToRead {
    AUTO,
    READ,
    SKIP;

    private static final long AUTO_BYTES = 8_000_000_000L;

    boolean read(long bytes) {
      return this == READ || (this == AUTO && bytes <= AUTO_BYTES);
    }
  }

  @Command(
      name = "inspect",
      mixinStandardHelpOptions = true,
      sortOptions = false,
      description = {
        "Says what a checkpoint is: family, sizes, tensors, tokenizer, identity; which weights a"
            + " precision quantizes and how much memory each takes; or why we cannot run it.",
        ""
      },
      exitCodeListHeading = "%nExit codes:%n",
      exitCodeList = {
        "0:it can be run",
        "3:bad usage, or it cannot be read or run",
        "5:internal error"
      })
  static final class Inspect implements Callable<Integer> {
    @Parameters(paramLabel = "C", description = "Hugging Face folder or .gguf file")
    private Path path;

    @Option(
        names = "--weights",
        defaultValue = "auto",
        paramLabel = "W",
        description = {
          "read, for the identity and the search for NaN and infinity; skip; or auto: read up to"
              + " 8 GB (default: auto)"
        })
    private WhetherToRead weights;

    @Option(names = "--tensors", description = "list every tensor")
    private boolean everyTensor;

    @Option(
        names = "--format",
        defaultValue = "text",
        paramLabel = "F",
        description = "text or json (default: text)")
    private Facts.Format format;

    private final Map<String, Object> facts = new LinkedHashMap<>();
    private final List<String> obstacles = new ArrayList<>();

    @Override
    public Integer call() throws JsonProcessingException {
      try (Checkpoint checkpoint = Checkpoint.open(path)) {
        facts.put("checkpoint", checkpoint.path().toString());
        facts.put("format", Files.isDirectory(checkpoint.path()) ? "Hugging Face" : "GGUF");
        facts.put("model_type", checkpoint.config().text("model_type"));
        Inventory inventory = attempt(() -> Inventory.of(checkpoint));
        if (inventory != null) {
          inventory.quantization().ifPresent(words -> facts.put("quantization", words));
          sizes(inventory);
          if (!inventory.ignoredFields().isEmpty()) {
            facts.put("ignored_fields", inventory.ignoredFields());
          }
        }
        planted(checkpoint);
        long bytes = tensors(checkpoint, inventory);
        tokenizer(checkpoint, inventory);
        if (inventory != null) {
          quantization(inventory);
        }
        if (weights.read(bytes)) {
          attempt(() -> checkpoint.consistently(() -> readEverything(checkpoint)));
          facts.put("identity", checkpoint.identity());
        } else {
          facts.put("weights", "not read; --weights=read reads them");
        }
      }
      facts.put("can_be_run", obstacles.isEmpty());
      if (!obstacles.isEmpty()) {
        facts.put("because", obstacles);
      }
      Facts.print(facts, format);
      return obstacles.isEmpty() ? Launcher.DONE : Launcher.BAD_INPUT;
    }

    /** What {@code step} finds, or null, with the reason among the obstacles. */
    private <T> T attempt(Callable<T> step) {
      try {
        return step.call();
      } catch (InvalidInputException e) {
        obstacles.add(e.getMessage());
        return null;
      } catch (RuntimeException e) {
        throw e;
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }

    /** Metadata that nobody can read keeps no checkpoint from being run. */
    private void planted(Checkpoint checkpoint) {
      try {
        String planted = checkpoint.metadata().get(OutlierPlanting.METADATA);
        if (planted != null) {
          facts.put(OutlierPlanting.METADATA, planted);
        }
      } catch (InvalidInputException e) {
        facts.put("metadata", e.getMessage());
      }
    }

    private void sizes(Inventory inventory) {
      Architecture a = inventory.architecture();
      Map<String, Object> sizes = new LinkedHashMap<>();
      sizes.put("layers", a.layers());
      sizes.put("hidden", a.hidden());
      sizes.put("intermediate", a.intermediate());
      if (a.experts() != null) {
        sizes.put("experts", a.experts().count());
        sizes.put("experts_a_token", a.experts().chosen());
        sizes.put("expert_intermediate", a.experts().intermediate());
      }
      sizes.put("heads", a.attention().get(0).heads());
      sizes.put("key_value_heads", a.attention().get(0).keyHeads());
      sizes.put("head", a.attention().get(0).headSize());
      sizes.put("vocabulary", a.vocabulary());
      a.contextLength().ifPresent(length -> sizes.put("context", length));
      facts.put("sizes", sizes);
    }

    /** Their bytes. */
    private long tensors(Checkpoint checkpoint, Inventory inventory) {
      Map<String, Long> counts = new TreeMap<>();
      long elements = 0;
      long bytes = 0;
      List<String> every = new ArrayList<>();
      for (String name : checkpoint.tensorNames()) {
        StoredTensor tensor = checkpoint.tensor(name);
        counts.merge(tensor.type().toString(), 1L, Long::sum);
        elements += tensor.elements();
        bytes += tensor.bytes();
        every.add(name + " " + tensor.type() + " " + shape(tensor.shape()));
      }
      Map<String, Object> tensors = new LinkedHashMap<>();
      tensors.put("count", checkpoint.tensorNames().size());
      tensors.put("elements", elements);
      tensors.put("bytes", bytes);
      long weights = inventory == null ? elements : inventory.parameters(checkpoint);
      tensors.put("bits_a_weight", bits(8.0 * bytes / weights));
      tensors.put("stored_as", counts);
      facts.put("tensors", tensors);
      if (everyTensor) {
        facts.put("every_tensor", every);
      }
      return bytes;
    }

    private static String bits(double bits) {
      return String.format(Locale.ROOT, "%.2f", bits);
    }

    private void tokenizer(Checkpoint checkpoint, Inventory inventory) {
      if (checkpoint.tokenizerFiles().isEmpty()) {
        facts.put("tokenizer", "none: requests of token ids can be scored, texts cannot");
        return;
      }
      Tokenizer tokenizer = attempt(() -> Tokenizer.open(checkpoint));
      if (tokenizer == null) {
        return;
      }
      Map<String, Object> found = new LinkedHashMap<>();
      found.put("file", tokenizer.origin());
      found.put("tokens", tokenizer.vocabularySize());
      put(found, "bos", tokenizer.bos());
      put(found, "eos", tokenizer.eos());
      found.put("adds_bos", tokenizer.addsBos());
      put(found, "model_max_length", tokenizer.modelMaxLength());
      facts.put("tokenizer", found);
      if (inventory != null) {
        attempt(
            () -> {
              tokenizer.requireFits(checkpoint.tensor(inventory.embedding().name()));
              return true;
            });
      }
    }

    private static void put(Map<String, Object> found, String name, OptionalInt value) {
      value.ifPresent(id -> found.put(name, id));
    }

    private void quantization(Inventory inventory) {
      facts.put("quantized", byShape(inventory.quantized()));
      List<String> kept = byShape(inventory.kept().subList(0, inventory.kept().size() - 1));
      if (inventory.head().equals(inventory.embedding())) {
        kept.set(0, kept.get(0) + ", also the vocabulary projection");
      } else {
        kept.addAll(byShape(List.of(inventory.head())));
      }
      facts.put("not_quantized", kept);
      Map<String, Object> memory = new LinkedHashMap<>();
      Precisions precisions = Precisions.packaged();
      for (String name : precisions.names()) {
        memory.put(name, inventory.bytes(precisions.named(name)));
      }
      facts.put("weight_bytes_about", memory);
    }

    /** Matrices whose names differ only in numbers, together: name, shape, how many. */
    private static List<String> byShape(List<Inventory.Matrix> matrices) {
      Map<String, Integer> counts = new LinkedHashMap<>();
      for (Inventory.Matrix matrix : matrices) {
        String kind =
            matrix.name().replaceAll("\\.\\d+\\.", ".*.")
                + " "
                + shape(matrix.rows(), matrix.columns())
                + stored(matrix.stored());
        counts.merge(kind, 1, Integer::sum);
      }
      List<String> lines = new ArrayList<>();
      counts.forEach(
          (kind, count) -> lines.add(count == 1 ? kind : kind + ", " + count + " times"));
      return lines;
    }

    /** What precision {@code stored} multiplies by. */
    private static String stored(Inventory.Quantized stored) {
      return stored == null
          ? ""
          : ", stored in " + bits(stored.bits()) + " bits a weight, " + stored.computes();
    }

    private static String shape(long... lengths) {
      StringBuilder shape = new StringBuilder();
      for (long length : lengths) {
        shape.append(shape.length() == 0 ? "" : " × ").append(length);
      }
      return shape.length() == 0 ? "scalar" : shape.toString();
    }

    /** Every weight must be finite: reading is what checks it. */
    private static boolean readEverything(Checkpoint checkpoint) {
      float[] some = new float[1 << 18];
      for (String name : checkpoint.tensorNames()) {
        StoredTensor tensor = checkpoint.tensor(name);
        for (long at = 0; tensor.type().isWeight() && at < tensor.elements(); at += some.length) {
          tensor.read(at, some, 0, (int) Math.min(some.length, tensor.elements() - at));
        }
      }
      return true;
    }
  }
}
