package org.cliffwatch.jobs.plan;

import java.io.Serializable;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.Function;
import org.apache.spark.util.SerializableConfiguration;
import org.cliffwatch.jobs.score.AssignedGpu;
import org.cliffwatch.jobs.score.LocalCheckpoints;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.Suite.TaskData;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.InstructionSet;
import org.cliffwatch.quantizer.kernel.KernelIdentity;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.tokenizer.Tokenizer;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.item.ItemSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Suite → plan: finds checkpoints, reads items, agrees on a kernel, gives every cell its identity.
 */
public final class Planner {
  /**
   * Raised by every change after which equal inputs may score otherwise: prompts' tokenization,
   * truncation, numbers.
   */
  static final int SCORING_VERSION = 1;

  private static final String AUTO = Backends.AUTO;

  private static final Logger LOG = LoggerFactory.getLogger(Planner.class);

  private final JavaSparkContext spark;
  private final Configuration configuration;

  public Planner(JavaSparkContext spark) {
    this.spark = spark;
    this.configuration = spark.hadoopConfiguration();
  }

  /**
   * @throws SuiteException or either module's InvalidInputException for what the user must mend
   */
  public Plan plan(Suite suite) {
    List<CheckpointAt> checkpoints = checkpoints(suite);
    List<TaskItems> items =
        suite.tasks().stream().map(data -> items(data, suite.maxRejectedItems())).toList();
    Offer offer = kernel(suite);
    String kernel = offer.kernel();
    List<FingerprintedCheckpoint> fingerprinted = fingerprints(checkpoints);
    List<Cell> cells = new ArrayList<>();
    for (FingerprintedCheckpoint checkpoint : fingerprinted) {
      for (String name : suite.precisions()) {
        Precision precision = Precisions.packaged().named(name);
        for (TaskItems task : items) {
          cells.add(cell(suite, kernel, checkpoint, precision, task));
        }
      }
    }
    List<String> warnings = new ArrayList<>();
    fingerprinted.stream()
        .filter(checkpoint -> checkpoint.refusal() != null)
        .forEach(refused -> warnings.add(refused.checkpoint() + ": " + refused.refusal()));
    if (offer.warning() != null) {
      warnings.add(offer.warning());
    }
    return new Plan(suite, KernelIdentity.of(kernel).backend(), kernel, cells, warnings);
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
  private TaskItems items(TaskData data, int mostRejected) {
    TaskDefinition definition = Tasks.load(data.task());
    ItemSet set =
        ItemSet.read(
            definition,
            data.data(),
            new HadoopFiles(configuration),
            PromptVersion.V1,
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

  /**
   * A kernel identity that every executor can be. Scores of other kernels are other scores, so
   * executors with other processors must agree on one before the first is made: on the instruction
   * set that all of them have.
   */
  private Offer kernel(Suite suite) {
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
    String wanted = pinned ? suite.kernel() : suite.backend();
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
   * Reads every checkpoint once, on the executors, where it will be needed anyway. One that cannot
   * be read fails its own cells, unless it is all there is.
   */
  private List<FingerprintedCheckpoint> fingerprints(List<CheckpointAt> checkpoints) {
    var hadoop = spark.broadcast(new SerializableConfiguration(configuration));
    List<FingerprintedCheckpoint> fingerprints =
        spark
            .parallelize(checkpoints, checkpoints.size())
            .map(checkpoint -> fingerprint(checkpoint, hadoop.value().value()))
            .collect();
    if (fingerprints.stream().allMatch(checkpoint -> checkpoint.refusal() != null)) {
      int more = fingerprints.size() - 1;
      throw new InvalidInputException(
          fingerprints.get(0).refusal()
              + (more > 0 ? " (and " + more + " more checkpoints that cannot be read)" : ""));
    }
    return fingerprints;
  }

  private static FingerprintedCheckpoint fingerprint(CheckpointAt at, Configuration configuration) {
    try (Checkpoint checkpoint =
        Checkpoint.open(new LocalCheckpoints(configuration).local(at.uri()))) {
      // Whatever we cannot run must be said before anything is scored.
      Inventory inventory = Inventory.of(checkpoint);
      Tokenizer tokenizer = Tokenizer.open(checkpoint);
      tokenizer.requireFits(checkpoint.tensor(inventory.embedding().name()));
      long bytes =
          checkpoint.tensorNames().stream().mapToLong(n -> checkpoint.tensor(n).bytes()).sum();
      return new FingerprintedCheckpoint(
          at, checkpoint.identity(), bytes, tokenizer.addsBos(), null);
    } catch (InvalidInputException | UncheckedIOException e) {
      return FingerprintedCheckpoint.refused(at, e.getMessage());
    } catch (RuntimeException | InternalError e) {
      // A fault of ours, or of the machine that read it, which the other checkpoints need not
      // share.
      LOG.error("{} cannot be read", at.uri(), e);
      return FingerprintedCheckpoint.refused(at, at.uri() + ": " + e);
    }
  }

  private static Cell cell(
      Suite suite,
      String kernel,
      FingerprintedCheckpoint checkpoint,
      Precision precision,
      TaskItems items) {
    String comparableKey =
        ComparableKey.of(
            items.definition(), items.hash(), items.set().promptVersion(), suite.bos());
    String id =
        Sha256.of(
            "checkpoint", content(checkpoint),
            "precision", recipe(precision),
            "comparable", comparableKey,
            "items", items.hash(),
            "kernel", kernel,
            "replicas", Integer.toString(suite.replicas()),
            "seed", suite.replicas() > 1 ? Long.toString(suite.seed()) : "");
    return new Cell(id, comparableKey, checkpoint, precision, items);
  }

  /** One that cannot be read has no identity, and no cell of it is ever committed. */
  private static String content(FingerprintedCheckpoint checkpoint) {
    return checkpoint.refusal() == null
        ? checkpoint.identity()
        : "unreadable " + checkpoint.checkpoint().uri();
  }

  /** What the precision does, not what it is called. */
  private static String recipe(Precision precision) {
    return String.join(
        " ",
        precision.scheme(),
        Integer.toString(precision.weightBits()),
        Integer.toString(precision.activationBits()),
        precision.compute().toString(),
        new TreeMap<>(precision.options()).toString());
  }
}
