package org.cliffwatch.jobs.plan;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.Serializable;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.Function;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.cliffwatch.jobs.executor.AssignedGpu;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.Suite.CheckpointSeries;
import org.cliffwatch.jobs.suite.Suite.TaskData;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.jobs.table.CheckpointRow;
import org.cliffwatch.jobs.table.RowFile;
import org.cliffwatch.jobs.table.StorageException;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.InstructionSet;
import org.cliffwatch.quantizer.kernel.KernelIdentity;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.item.ItemSet;
import org.cliffwatch.tasks.item.PromptSettings;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Suite → plan: finds checkpoints, reads items, agrees on a kernel, gives every cell its identity.
 *
 * <p>Costs the driver a listing a series, a row a checkpoint, the items, and a few hashes a cell;
 * the executors a listing a checkpoint and, for the cells already there, one a model and precision.
 */
public final class Planner {
  private static final Logger LOG = LoggerFactory.getLogger(Planner.class);

  /**
   * Raised by every change after which equal inputs may score otherwise: prompts' tokenization,
   * truncation, numbers.
   */
  static final int SCORING_VERSION = 1;

  private static final String AUTO = Backends.AUTO;

  /** The fastest of the backends that have activations in the host's memory. */
  private static final String HOST = "onednn";

  private final JavaSparkContext spark;
  private final Configuration configuration;
  private final String output;
  private final Tables tables;
  private final Broadcast<SerializableConfiguration> hadoop;

  /**
   * @param output folder of the tables, any Hadoop URI
   */
  public Planner(JavaSparkContext spark, String output) {
    this.spark = spark;
    this.configuration = spark.hadoopConfiguration();
    this.output = output;
    this.tables = new Tables(new Path(output), configuration);
    this.hadoop = spark.broadcast(new SerializableConfiguration(configuration));
  }

  /**
   * @throws SuiteException or either module's InvalidInputException for what the user must mend
   */
  public Plan plan(Suite asked) {
    List<CheckpointAt> checkpoints = checkpoints(asked);
    tables.begin();
    Map<String, String> texts = new HashMap<>();
    Suite suite = asked.with(calibrated(asked, texts));
    List<TaskItems> items = suite.tasks().stream().map(data -> items(suite, data)).toList();
    Offer offer = kernel(suite, suite.backend());
    String kernel = offer.kernel();
    String backend = KernelIdentity.of(kernel).backend();
    if (suite.kl() && backend.equals("cuda")) {
      throw new SuiteException(
          suite.origin()
              + ": found kl: true with the kernel "
              + kernel
              + ", expected backend onednn or reference: cuda does not compare logits");
    }
    List<FingerprintedCheckpoint> fingerprinted = fingerprints(checkpoints);
    Map<String, String> chat = chatTemplates(suite, fingerprinted);
    Map<StoredCell, List<String>> stored = stored(suite);
    Precision baseline = suite.kl() ? suite.baselinePrecision() : null;
    List<Cell> cells = new ArrayList<>();
    for (FingerprintedCheckpoint checkpoint : fingerprinted) {
      for (Precision precision : suite.precisions()) {
        for (TaskItems task : items) {
          String template = chat.get(checkpoint.checkpoint().uri());
          cells.add(cell(suite, kernel, checkpoint, precision, baseline, task, template, stored));
        }
      }
    }
    List<String> warnings = warnings(fingerprinted, offer);
    return new Plan(suite, backend, kernel, items, cells, texts, warnings);
  }

  /**
   * A plan to analyse the suite's checkpoints with its calibration text.
   *
   * @throws SuiteException or either module's InvalidInputException for what the user must mend
   */
  public AnalysisPlan analysisPlan(Suite suite) {
    List<CheckpointAt> checkpoints = checkpoints(suite);
    if (suite.calibration() == null) {
      throw new SuiteException(
          suite.origin()
              + ": found no text to analyse with, expected 'calibration: FILE' (or --calibration"
              + " FILE)");
    }
    tables.begin();
    String hash = hash(suite.calibration());
    Offer offer = kernel(suite, suite.backend().equals(AUTO) ? HOST : suite.backend());
    if (KernelIdentity.of(offer.kernel()).backend().equals("cuda")) {
      throw new SuiteException(
          suite.origin()
              + ": found the kernel "
              + offer.kernel()
              + ", expected backend onednn or reference: cuda shows no activations");
    }
    List<FingerprintedCheckpoint> fingerprinted = fingerprints(checkpoints);
    return new AnalysisPlan(
        suite,
        offer.kernel(),
        suite.calibration(),
        hash,
        fingerprinted,
        warnings(fingerprinted, offer));
  }

  private static List<String> warnings(List<FingerprintedCheckpoint> checkpoints, Offer offer) {
    List<String> warnings = new ArrayList<>();
    checkpoints.stream()
        .filter(checkpoint -> checkpoint.refusal() != null)
        .forEach(refused -> warnings.add(refused.checkpoint() + ": " + refused.refusal()));
    ignoredFields(checkpoints).ifPresent(warnings::add);
    if (offer.warning() != null) {
      warnings.add(offer.warning());
    }
    return warnings;
  }

  /**
   * The suite's precisions, those that look at text known by its content. Reads every text once.
   *
   * @param texts receives where each is, by content hash
   */
  private List<Precision> calibrated(Suite suite, Map<String, String> texts) {
    Map<String, String> hashes = new HashMap<>();
    List<Precision> precisions = new ArrayList<>();
    for (Precision precision : suite.precisions()) {
      if (!Schemes.isCalibrated(precision)) {
        precisions.add(precision);
        continue;
      }
      String text = precision.calibrationText().orElse(suite.calibration());
      if (text == null) {
        throw new SuiteException(
            suite.origin()
                + ": precision "
                + precision.name()
                + ": found no calibration text, expected 'calibration: FILE' (or --calibration"
                + " FILE)");
      }
      String hash = hashes.computeIfAbsent(text, this::hash);
      texts.put(hash, text);
      precisions.add(precision.calibratedWith(hash));
    }
    return precisions;
  }

  private String hash(String text) {
    try (InputStream in = new HadoopFiles(configuration).open(text)) {
      MessageDigest digest = Sha256.digest();
      in.transferTo(new DigestOutputStream(OutputStream.nullOutputStream(), digest));
      return Sha256.hex(digest);
    } catch (IOException e) {
      throw new SuiteException("calibration: cannot read " + text + ": " + e.getMessage());
    }
  }

  private static Optional<String> ignoredFields(List<FingerprintedCheckpoint> checkpoints) {
    Set<String> fields = new TreeSet<>();
    checkpoints.forEach(checkpoint -> fields.addAll(checkpoint.ignoredFields()));
    long having = checkpoints.stream().filter(c -> !c.ignoredFields().isEmpty()).count();
    return having == 0
        ? Optional.empty()
        : Optional.of(
            "fields of config.json that change no score in any family are ignored, in "
                + having
                + (having == 1 ? " checkpoint: " : " checkpoints: ")
                + String.join(", ", fields));
  }

  /** What {@code scores} holds of the suite's models, ids by place: listings, on the executors. */
  private Map<StoredCell, List<String>> stored(Suite suite) {
    List<Slice> folders = new ArrayList<>();
    suite.checkpoints().stream()
        .map(CheckpointSeries::model)
        .distinct()
        .forEach(
            model ->
                suite
                    .precisions()
                    .forEach(precision -> folders.add(new Slice(model, precision.name(), 0))));
    String root = output;
    var configured = hadoop;
    Map<StoredCell, List<String>> stored = new HashMap<>();
    spark
        .parallelize(folders, folders.size())
        .flatMap(
            folder ->
                new Tables(new Path(root), configured.value().value())
                    .storedCells(folder.model(), folder.precision())
                    .iterator())
        .collect()
        .forEach(
            cell ->
                stored
                    .computeIfAbsent(place(cell.slice(), cell.task()), p -> new ArrayList<>())
                    .add(cell.id()));
    return stored;
  }

  private static StoredCell place(Slice slice, String task) {
    return new StoredCell(slice, task, "");
  }

  private List<CheckpointAt> checkpoints(Suite suite) {
    CheckpointLocator locator = new CheckpointLocator(configuration);
    List<CheckpointAt> found =
        suite.checkpoints().stream().flatMap(series -> locator.locate(series).stream()).toList();
    Set<String> seen = new TreeSet<>();
    for (CheckpointAt checkpoint : found) {
      if (!seen.add(checkpoint.model() + "\0" + checkpoint.step())) {
        throw new SuiteException(
            suite.origin()
                + ": found "
                + checkpoint.model()
                + " step "
                + checkpoint.step()
                + " twice, expected each model and step once");
      }
    }
    return found;
  }

  /** What cannot be read is known before anything is scored, and said then. */
  private TaskItems items(Suite suite, TaskData data) {
    TaskDefinition definition = suite.known().task(data.task());
    int mostRejected = suite.maxRejectedItems();
    ItemSet set =
        ItemSet.read(
            definition,
            data.data(),
            new HadoopFiles(configuration),
            new PromptSettings(
                PromptVersion.V1, data.numFewshot(), data.fewshotData(), suite.chat()),
            data.limit().orElse(ItemSet.ALL));
    int unreadable = set.rejected().size();
    if (unreadable > mostRejected) {
      throw new SuiteException(
          set.rejected().get(0).message()
              + (unreadable > 1 ? " (and " + (unreadable - 1) + " more)" : "")
              + "; expected at most "
              + mostRejected
              + " items that cannot be read (max_rejected_items)");
    }
    return TaskItems.of(data, set);
  }

  /** How each checkpoint is asked, by its place, in the words of a cell; read on the executors. */
  private Map<String, String> chatTemplates(
      Suite suite, List<FingerprintedCheckpoint> checkpoints) {
    if (suite.chat() == null) {
      return Map.of();
    }
    List<String> uris = checkpoints.stream().map(c -> c.checkpoint().uri()).distinct().toList();
    ChatTemplates templates = new ChatTemplates(suite.chat(), hadoop);
    Map<String, String> asked = new HashMap<>();
    spark
        .parallelize(uris, uris.size())
        .map(uri -> new String[] {uri, templates.asked(uri)})
        .collect()
        .forEach(pair -> asked.put(pair[0], pair[1]));
    return asked;
  }

  /**
   * A kernel identity that every executor can be. Scores of other kernels are other scores, so
   * executors with other processors must agree on one before the first is made: on the instruction
   * set that all of them have.
   *
   * @param backend where the suite pins no kernel
   */
  private Offer kernel(Suite suite, String backend) {
    boolean pinned = !suite.kernel().equals(AUTO);
    if (pinned
        && !suite.backend().equals(AUTO)
        && !KernelIdentity.of(suite.kernel()).backend().equals(suite.backend())) {
      throw new SuiteException(
          suite.origin()
              + ": found kernel '"
              + suite.kernel()
              + "' with backend '"
              + suite.backend()
              + "', expected a kernel of that backend");
    }
    String wanted = pinned ? suite.kernel() : backend;
    AssignedGpu.takeDrivers(spark.resources());
    Set<String> sets = onExecutors(slot -> instructionSet());
    InstructionSet common = sets.size() == 1 ? null : common(sets);
    return agreed(onExecutors(slot -> offered(wanted, pinned, common)));
  }

  /** What a run uses of what its executors can be: one kernel, which all or some of them have. */
  static Offer agreed(Set<Offer> offers) {
    List<Offer> able = offers.stream().filter(offer -> offer.refusal() == null).toList();
    Optional<String> refusal =
        offers.stream().map(Offer::refusal).filter(Objects::nonNull).sorted().findFirst();
    if (able.isEmpty()) {
      throw new InvalidInputException(refusal.orElse("there are no executors"));
    }
    Set<String> kernels =
        able.stream().map(Offer::kernel).collect(Collectors.toCollection(TreeSet::new));
    if (kernels.size() > 1) {
      throw new InvalidInputException(
          "the executors have no kernel in common: found "
              + String.join(", ", kernels)
              + "; expected one: pin one of them with 'kernel:', and executors of others get no"
              + " tasks");
    }
    Offer first = able.get(0);
    return refusal.isEmpty()
        ? first
        : new Offer(
            first.kernel(),
            "some executors get no tasks, since they cannot be %s: %s"
                .formatted(first.kernel(), refusal.get()),
            null);
  }

  /**
   * Asks a few times as many as there are slots, so that every executor is likely to answer. One
   * that was not asked, or comes later, and is of another kernel refuses its tasks then, and Spark
   * gives them to others ({@code spark.excludeOnFailure}).
   */
  private <T> Set<T> onExecutors(Function<Integer, T> question) {
    int slots = 2 * spark.defaultParallelism();
    return new LinkedHashSet<>(
        spark
            .parallelize(IntStream.range(0, slots).boxed().toList(), slots)
            .map(question)
            .collect());
  }

  private static final String NO_SET = "none";

  /**
   * What an executor can be.
   *
   * @param kernel its identity; null if none
   * @param warning what to tell whoever left the choice open, or null
   * @param refusal why none, or null
   */
  record Offer(String kernel, String warning, String refusal) implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  private static String instructionSet() {
    return InstructionSet.ofThisMachine().map(InstructionSet::spelled).orElse(NO_SET);
  }

  /** What all of the sets have; null where one machine does not tell. */
  static InstructionSet common(Set<String> sets) {
    Optional<InstructionSet> common = InstructionSet.of(sets.iterator().next());
    for (String set : sets) {
      Optional<InstructionSet> other = InstructionSet.of(set);
      common = common.flatMap(c -> other.flatMap(o -> InstructionSet.common(c, o)));
    }
    return common.orElse(null);
  }

  private static Offer offered(String wanted, boolean pinned, InstructionSet common) {
    try {
      AssignedGpu.take();
      if (pinned) {
        return new Offer(Backends.openKernel(wanted).kernel(), null, null);
      }
      Backend backend =
          common == null ? Backends.open(wanted) : Backends.openWithin(wanted, common);
      String warning =
          wanted.equals(AUTO) ? Backends.passedOver(backend.name()).orElse(null) : null;
      return new Offer(backend.kernel(), warning, null);
    } catch (InvalidInputException e) {
      return new Offer(null, null, e.getMessage());
    }
  }

  /**
   * Lists every checkpoint on the executors, and reads there those that are new or changed. One
   * that cannot be read fails its own cells, unless it is all there is.
   */
  private List<FingerprintedCheckpoint> fingerprints(List<CheckpointAt> checkpoints) {
    Map<String, Map<Long, CheckpointRow>> known = new HashMap<>();
    for (CheckpointAt checkpoint : checkpoints) {
      known.computeIfAbsent(checkpoint.model(), this::known);
    }
    List<CheckpointReading.Known> asked =
        checkpoints.stream()
            .map(at -> new CheckpointReading.Known(at, known.get(at.model()).get(at.step())))
            .toList();
    List<FingerprintedCheckpoint> fingerprints =
        spark.parallelize(asked, asked.size()).map(new CheckpointReading(hadoop)).collect();
    if (fingerprints.stream().allMatch(checkpoint -> checkpoint.refusal() != null)) {
      int more = fingerprints.size() - 1;
      throw new InvalidInputException(
          fingerprints.get(0).refusal()
              + (more > 0 ? " (and " + more + " more checkpoints that cannot be read)" : ""));
    }
    remember(known, fingerprints);
    return fingerprints;
  }

  /** A model's rows of {@code checkpoints}, by step. */
  private Map<Long, CheckpointRow> known(String model) {
    RowFile file = tables.checkpoints(model);
    Map<Long, CheckpointRow> rows = new TreeMap<>();
    if (file.exists()) {
      file.read(Tables.CHECKPOINTS).forEach(row -> rows.put(row.step(), row));
    }
    return rows;
  }

  private void remember(
      Map<String, Map<Long, CheckpointRow>> known, List<FingerprintedCheckpoint> fingerprints) {
    Set<String> changed = new TreeSet<>();
    for (FingerprintedCheckpoint checkpoint : fingerprints) {
      String model = checkpoint.checkpoint().model();
      CheckpointRow row = checkpoint.row();
      if (row != null && !row.equals(known.get(model).put(row.step(), row))) {
        changed.add(model);
      }
    }
    for (String model : changed) {
      try {
        tables
            .checkpoints(model)
            .write(tables.staging(), Tables.CHECKPOINTS, Map.of(), known.get(model).values());
      } catch (StorageException e) {
        LOG.warn("the next run will read the checkpoints of {} again", model, e);
      }
    }
  }

  private static Cell cell(
      Suite suite,
      String kernel,
      FingerprintedCheckpoint checkpoint,
      Precision precision,
      Precision baseline,
      TaskItems items,
      String chat,
      Map<StoredCell, List<String>> stored) {
    boolean compared = baseline != null && !precision.equals(baseline);
    String comparableKey =
        ComparableKey.of(
            items.definition(),
            items.hash(),
            items.set().promptVersion(),
            items.set().shots(),
            suite.bos(),
            chat);
    String recipe = Recipe.of(precision);
    String id =
        Sha256.of(
            "checkpoint",
            checkpoint.identity(),
            "precision",
            compared ? recipe + " kl " + Recipe.of(baseline) : recipe,
            "comparable",
            comparableKey,
            "items",
            items.hash(),
            "kernel",
            kernel,
            "replicas",
            Integer.toString(suite.replicas()),
            "seed",
            suite.replicas() > 1 ? Long.toString(suite.seed()) : "");
    CheckpointAt at = checkpoint.checkpoint();
    Slice slice = new Slice(at.model(), precision.name(), at.step());
    List<String> there = stored.getOrDefault(place(slice, items.definition().name()), List.of());
    return new Cell(
        id,
        comparableKey,
        checkpoint,
        precision,
        items,
        chat,
        compared,
        checkpoint.refusal() == null && there.contains(id),
        there.stream().filter(other -> !other.equals(id)).toList());
  }
}
