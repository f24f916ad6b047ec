package org.cliffwatch.jobs.run;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.cliffwatch.jobs.aggregate.ComparabilityLint;
import org.cliffwatch.jobs.executor.AssignedGpu;
import org.cliffwatch.jobs.executor.LocalCheckpoints;
import org.cliffwatch.jobs.executor.ModelMemory;
import org.cliffwatch.jobs.plan.ChatTemplates;
import org.cliffwatch.jobs.plan.Costs;
import org.cliffwatch.jobs.plan.Estimate;
import org.cliffwatch.jobs.plan.Piece;
import org.cliffwatch.jobs.plan.Recipe;
import org.cliffwatch.jobs.plan.Sha256;
import org.cliffwatch.jobs.plan.Unit;
import org.cliffwatch.jobs.plan.Visit;
import org.cliffwatch.jobs.run.CellFiles.Effort;
import org.cliffwatch.jobs.run.CellFiles.Part;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.StorageException;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.calibration.FindingsFile;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.scheme.Findings;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.cliffwatch.quantizer.score.BosRule;
import org.cliffwatch.quantizer.score.EncodedRequests;
import org.cliffwatch.quantizer.score.Request;
import org.cliffwatch.quantizer.score.Score;
import org.cliffwatch.quantizer.score.Scorer;
import org.cliffwatch.quantizer.score.ScorerCache;
import org.cliffwatch.tasks.item.Item;
import org.cliffwatch.tasks.item.ItemRecord;
import org.cliffwatch.tasks.item.ItemRequest;
import org.cliffwatch.tasks.item.RejectedItem;
import org.cliffwatch.tasks.jinja.ChatTemplate;
import org.cliffwatch.tasks.jinja.JinjaException;
import org.cliffwatch.tasks.metric.ChoiceScore;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.OutputType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs on an executor: a unit's items → scores, which go to storage by {@link CellFiles}.
 *
 * <p>Requests are tokenized once for all precisions of a checkpoint that the unit has. What fails
 * fails its own visit or cell; a task fails as a whole only where another executor may do better:
 * an executor that is not the run's kernel, or the first attempt's fault that may pass.
 */
final class UnitScorer implements Serializable {
  private static final long serialVersionUID = 1L;

  private static final Logger LOG = LoggerFactory.getLogger(UnitScorer.class);

  /** How much a lost executor loses of a thread's work, about. */
  private static final double SECONDS_A_PART = 30;

  /** Token ids kept for the next precision of a checkpoint, 32 MiB: then they are made again. */
  private static final long MOST_TOKENS = 8 << 20;

  /**
   * A task's questions.
   *
   * @param records broadcast apart, so that an executor gets those that it asks
   */
  record Questions(String task, OutputType outputType, Broadcast<ItemRecord[]> records)
      implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  private final ScoringSettings settings;
  private final List<Questions> tasks;
  private final Costs costs;
  private final Underway.Counters counters;
  private final Broadcast<SerializableConfiguration> hadoop;

  /** How chat models are asked; null where none is. */
  private final ChatTemplates chats;

  private final boolean resumes;

  UnitScorer(
      ScoringSettings settings,
      List<Questions> tasks,
      Costs costs,
      Underway.Counters counters,
      Broadcast<SerializableConfiguration> hadoop) {
    this(settings, tasks, costs, counters, hadoop, false);
  }

  private UnitScorer(
      ScoringSettings settings,
      List<Questions> tasks,
      Costs costs,
      Underway.Counters counters,
      Broadcast<SerializableConfiguration> hadoop,
      boolean resumes) {
    this.settings = settings;
    this.tasks = tasks;
    this.costs = costs;
    this.counters = counters;
    this.hadoop = hadoop;
    this.chats = settings.chat() == null ? null : new ChatTemplates(settings.chat(), hadoop);
    this.resumes = resumes;
  }

  /** The same for units that a job before this one may have begun. */
  UnitScorer resuming() {
    return new UnitScorer(settings, tasks, costs, counters, hadoop, true);
  }

  /**
   * What came of a task's units.
   *
   * @param task its id
   * @param tokens scored by it, whereas cells may be put together from several tasks' parts
   */
  record Done(long task, List<CellReport> cells, long tokens) implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  /** Scores the units of a partition. */
  Done score(Iterator<Unit> units) {
    AssignedGpu.take();
    ModelMemory.bound(Estimate.besideModels(Scoring.slotsAnExecutor(SparkEnv.get().conf())));
    Backends.openKernel(settings.kernel()); // refused here, before anything is taken for a failure
    List<CellReport> reports = new ArrayList<>();
    long tokens = 0;
    while (units.hasNext()) {
      Worker worker = new Worker();
      worker.score(units.next(), reports);
      tokens += worker.scoredTokens;
    }
    return new Done(TaskContext.get().taskAttemptId(), reports, tokens);
  }

  /**
   * A checkpoint at one precision.
   *
   * @param baseline what its scores are compared with, or null
   */
  private record Model(Scorer scorer, Scorer baseline) {
    List<Score> score(EncodedRequests requests, int replica) {
      return baseline == null
          ? scorer.score(requests, replica)
          : scorer.score(requests, replica, baseline);
    }
  }

  /** A chunk of a task's items, as one checkpoint's tokenizer has them. */
  private record Chunk(int task, int first, int items) {}

  /** One task's work on one unit. */
  private final class Worker {
    private final CellFiles files =
        new CellFiles(settings.output(), hadoop.value().value(), settings.fresh());
    private final boolean retried = TaskContext.get().attemptNumber() > 0;
    private final boolean again = resumes || retried;
    private final Map<Chunk, EncodedRequests> encoded = new HashMap<>();
    private long encodedTokens;
    private String encodedFor;
    private ChatTemplate chat;
    private long scoredTokens;

    void score(Unit unit, List<CellReport> reports) {
      for (Visit visit : unit.visits()) {
        try {
          score(visit, reports);
        } catch (RuntimeException | OutOfMemoryError e) {
          requireLastTry(e);
          LOG.warn("{} {}", visit.checkpoint().checkpoint(), visit.precision().name(), e);
          for (Piece piece : visit.pieces()) {
            reports.add(CellReport.failed(piece.cell(), message(e)));
          }
        }
      }
    }

    private void score(Visit visit, List<CellReport> reports) {
      String asked = visit.checkpoint().identity();
      if (chats != null) {
        asked += " " + visit.checkpoint().checkpoint().uri(); // equal weights, another template
      }
      if (!asked.equals(encodedFor)) {
        encoded.clear();
        encodedTokens = 0;
        encodedFor = null;
        chat = chat(visit);
        encodedFor = asked;
      }
      try (ScorerCache.Lease lease = lease(visit, visit.precision())) {
        if (!settings.compares(visit.precision())) {
          score(new Model(lease.scorer(), null), visit, reports);
          return;
        }
        try (ScorerCache.Lease baseline = lease(visit, settings.baseline())) {
          score(new Model(lease.scorer(), baseline.scorer()), visit, reports);
        }
      }
    }

    private void score(Model model, Visit visit, List<CellReport> reports) {
      for (Piece piece : visit.pieces()) {
        CellReport report = score(model, visit, piece);
        reports.add(report);
        if (report.committed() || report.error() != null) {
          counters.cell();
        }
      }
    }

    private CellReport score(Model model, Visit visit, Piece piece) {
      StoredCell cell = piece.cell();
      // A retry, or a second run of the same suite: the bits would be the same.
      if (settings.fresh() == null && again && files.isCommitted(cell)) {
        return new CellReport(cell, true, 0, 0, 0, null, List.of());
      }
      try {
        return scored(model, visit, piece);
      } catch (RuntimeException | OutOfMemoryError e) {
        requireLastTry(e);
        LOG.warn("{}", cell, e);
        return CellReport.failed(cell, message(e));
      }
    }

    /** Throws on what is nobody's fault here, and where another attempt may do better. */
    private void requireLastTry(Throwable e) {
      TaskContext task = TaskContext.get();
      if (task.isInterrupted()
          || e instanceof TaskKilledException
          || (settings.retries()
              && !retried
              && !(e instanceof InvalidInputException || e instanceof SelfCheckException))) {
        throw e instanceof RuntimeException problem ? problem : new IllegalStateException(e);
      }
    }

    private CellReport scored(Model model, Visit visit, Piece piece) {
      StoredCell cell = piece.cell();
      Part own = new Part(piece.first(), piece.first() + piece.items());
      // What an attempt before this one has kept is not scored again.
      List<Part> open = again ? CellFiles.missing(files.parts(cell), own) : List.of(own);
      boolean parted = !piece.isWhole() || !open.equals(List.of(own));
      int together = costs.together(piece.task(), settings.chunk());
      List<ScoreRow> rows = new ArrayList<>();
      Effort effort = Effort.NONE;
      Effort sum = Effort.NONE;
      for (Part part : open) {
        int first = part.first();
        for (int at = first; at < part.end(); at += together) {
          if (TaskContext.get().isInterrupted()) {
            throw new TaskKilledException("interrupted");
          }
          int next = Math.min(at + together, part.end());
          Effort chunk = score(model, piece, at, next - at, rows);
          effort = effort.plus(chunk);
          scoredTokens += chunk.tokens();
          counters.scored(
              chunk.tokens(),
              costs.piece(
                  visit.checkpoint(),
                  visit.precision(),
                  piece.part(at - piece.first(), next - at)));
          boolean last = next == part.end();
          if (last ? parted : effort.seconds() > SECONDS_A_PART) {
            files.keep(cell, new Part(first, next), effort, rows);
            parted = true;
            sum = sum.plus(effort);
            effort = Effort.NONE;
            rows.clear();
            first = next;
          }
        }
      }
      if (!parted) {
        files.commit(piece, settings.replicas(), rows);
        return report(visit, piece, rows, effort);
      }
      Optional<CellFiles.Assembled> whole = files.assemble(piece, settings.replicas());
      if (whole.isPresent()) {
        return report(visit, piece, whole.get().rows(), whole.get().effort());
      }
      long scored = (long) piece.items() * settings.replicas();
      return new CellReport(cell, false, scored, sum.tokens(), sum.seconds(), null, List.of());
    }

    private CellReport report(Visit visit, Piece piece, List<ScoreRow> rows, Effort effort) {
      return new CellReport(
          piece.cell(),
          true,
          rows.size(),
          effort.tokens(),
          effort.seconds(),
          null,
          ComparabilityLint.of(visit.checkpoint().addsBos(), settings.bos(), rows));
    }

    private Effort score(Model model, Piece piece, int first, int items, List<ScoreRow> rows) {
      Questions questions = tasks.get(piece.task());
      List<ItemRecord> records =
          Arrays.asList(questions.records().value()).subList(first, first + items);
      long start = System.nanoTime();
      EncodedRequests requests =
          encode(model.scorer(), new Chunk(piece.task(), first, items), questions, records);
      long tokens = 0;
      for (int replica = 0; replica < settings.replicas(); replica++) {
        List<Score> scores = model.score(requests, replica);
        tokens += scores.stream().mapToLong(Score::tokens).sum();
        rows.addAll(rows(piece.cell(), questions, records, scores, replica));
        selfCheck(model, questions, records, scores, replica, chat);
      }
      return new Effort(tokens, (System.nanoTime() - start) / 1e9);
    }

    private EncodedRequests encode(
        Scorer scorer, Chunk chunk, Questions questions, List<ItemRecord> records) {
      EncodedRequests known = encoded.get(chunk);
      if (known != null) {
        return known;
      }
      EncodedRequests made = scorer.encode(requests(questions, records, chat));
      if (encodedTokens + made.tokens() <= MOST_TOKENS) {
        encoded.put(chunk, made);
        encodedTokens += made.tokens();
      }
      return made;
    }
  }

  /** Why, in a line. */
  static String message(Throwable e) {
    Throwable root = e;
    while (root.getCause() != null && !(root instanceof StorageException)) {
      root = root.getCause();
    }
    String first = String.valueOf(root.getMessage()).lines().findFirst().orElse("");
    if (root instanceof OutOfMemoryError) {
      return String.format(
          Locale.ROOT,
          "not enough memory on the executor: %s (%d MiB: spark.executor.memory, of a local run"
              + " spark.driver.memory)",
          first,
          Runtime.getRuntime().maxMemory() >> 20);
    }
    return root instanceof StorageException
        ? first
        : root.getClass().getSimpleName() + ": " + first;
  }

  private ScorerCache.Lease lease(Visit visit, Precision precision) {
    return ScorerCache.shared()
        .lease(
            new ScorerCache.Key(
                visit.checkpoint().identity(),
                precision,
                settings.kernel(),
                BosRule.valueOf(settings.bos().toUpperCase(Locale.ROOT)),
                settings.seed()),
            () ->
                new LocalCheckpoints(hadoop.value().value())
                    .open(visit.checkpoint().checkpoint().uri()),
            () -> findings(visit, precision));
  }

  /** What calibration found for a checkpoint and a precision; null where it needs none. */
  private Findings findings(Visit visit, Precision precision) {
    if (!Schemes.isCalibrated(precision)) {
      return null;
    }
    String key = Recipe.calibrationKey(visit.checkpoint().identity(), precision, settings.kernel());
    String refusal = settings.uncalibrated().get(key);
    if (refusal != null) {
      throw new InvalidInputException(refusal);
    }
    Configuration configuration = hadoop.value().value();
    Path file = new Tables(new Path(settings.output()), configuration).calibration(key);
    return new LocalCheckpoints(configuration).read(file.toString(), FindingsFile::read);
  }

  private List<Request> requests(Questions questions, List<ItemRecord> records, ChatTemplate chat) {
    List<Request> requests = new ArrayList<>();
    for (ItemRecord record : records) {
      if (record instanceof Item item) {
        item.requests().forEach(request -> requests.add(request(questions, request, chat)));
      }
    }
    return requests;
  }

  private Request request(Questions questions, ItemRequest request, ChatTemplate chat) {
    if (questions.outputType() == OutputType.LOGLIKELIHOOD_ROLLING) {
      return new Request.Rolling(request.continuation());
    }
    return new Request.Text(
        chat == null ? request.context() : prompt(chat, request), request.continuation());
  }

  private static String prompt(ChatTemplate chat, ItemRequest request) {
    try {
      return chat.render(request.messages());
    } catch (JinjaException e) {
      throw new InvalidInputException("chat template: " + e.getMessage());
    }
  }

  /** The chat template of a visit's checkpoint; null where none is asked for. */
  private ChatTemplate chat(Visit visit) {
    if (chats == null) {
      return null;
    }
    try {
      return chats.of(visit.checkpoint().checkpoint().uri());
    } catch (org.cliffwatch.tasks.InvalidInputException e) {
      throw new InvalidInputException(e.getMessage());
    }
  }

  private static List<ScoreRow> rows(
      StoredCell cell,
      Questions questions,
      List<ItemRecord> records,
      List<Score> scores,
      int replica) {
    List<ScoreRow> rows = new ArrayList<>();
    int next = 0;
    for (ItemRecord record : records) {
      if (record instanceof Item item) {
        List<Score> own = scores.subList(next, next + item.requests().size());
        rows.add(row(cell, questions, item, own, replica));
        next += item.requests().size();
      } else {
        String why = ((RejectedItem) record).message();
        rows.add(rejected(cell, record.index(), null, null, why, replica));
      }
    }
    return rows;
  }

  private static ScoreRow row(
      StoredCell cell, Questions questions, Item item, List<Score> scores, int replica) {
    List<ChoiceScore> choices = new ArrayList<>();
    for (int i = 0; i < scores.size(); i++) {
      Score score = scores.get(i);
      if (score.error() != null) {
        String reason = "choice " + i + ": " + score.error();
        return rejected(cell, item.index(), item.docHash(), item.gold(), reason, replica);
      }
      choices.add(
          item.requests().get(i).scored(score.logLikelihood(), score.tokens(), score.greedy()));
    }
    ItemResult result = new ItemResult(questions.outputType(), item.index(), item.gold(), choices);
    return new ScoreRow(
        cell.id(),
        replica,
        item.index(),
        item.docHash(),
        item.gold(),
        result.chosen(),
        result.chosenNorm(),
        result.chosenBytes(),
        result.correct(),
        result.correctNorm(),
        IntStream.range(0, choices.size())
            .mapToObj(i -> choice(choices.get(i), scores.get(i)))
            .toList(),
        ScoreRow.OK,
        null);
  }

  private static ScoreRow.Choice choice(ChoiceScore score, Score scored) {
    return new ScoreRow.Choice(
        score.logLikelihood(),
        score.tokens(),
        score.characters(),
        score.words(),
        score.bytes(),
        score.greedy(),
        scored.truncated(),
        scored.straddled(),
        scored.divergence().map(Score.Divergence::kl).orElse(null),
        scored.divergence().map(Score.Divergence::top1Agreed).orElse(null),
        score.rightAnswer());
  }

  private static ScoreRow rejected(
      StoredCell cell, int index, String docHash, Integer gold, String why, int replica) {
    return new ScoreRow(
        cell.id(),
        replica,
        index,
        docHash,
        gold,
        null,
        null,
        null,
        null,
        null,
        List.of(),
        ScoreRow.ERROR,
        why);
  }

  /**
   * Scores one choice of each of a seeded sample of the items again, alone, and compares the bits:
   * a score that depends on its neighbours could not be repeated.
   */
  private void selfCheck(
      Model model,
      Questions questions,
      List<ItemRecord> records,
      List<Score> scores,
      int replica,
      ChatTemplate chat) {
    int next = 0;
    for (ItemRecord record : records) {
      if (!(record instanceof Item item)) {
        continue;
      }
      if (isSampled(questions.task(), item.index(), replica)) {
        int choice = item.index() % item.requests().size();
        Request request = request(questions, item.requests().get(choice), chat);
        Score first = scores.get(next + choice);
        Score again = model.score(model.scorer().encode(List.of(request)), replica).get(0);
        if (Double.doubleToLongBits(first.logLikelihood())
                != Double.doubleToLongBits(again.logLikelihood())
            || first.greedy() != again.greedy()
            || !first.divergence().equals(again.divergence())) {
          throw new SelfCheckException(
              "self-check failed: "
                  + questions.task()
                  + " item "
                  + item.index()
                  + " choice "
                  + choice
                  + " scored "
                  + summary(first)
                  + " among "
                  + scores.size()
                  + " requests and "
                  + summary(again)
                  + " alone, expected the same bits");
        }
      }
      next += item.requests().size();
    }
  }

  private static String summary(Score score) {
    return score.logLikelihood() + score.divergence().map(of -> " (KL " + of.kl() + ")").orElse("");
  }

  /** The first item always, where anything is to be checked at all. */
  private boolean isSampled(String task, int index, int replica) {
    if (settings.selfCheck() == 0) {
      return false;
    }
    long stream =
        Sha256.seed(
            "seed", Long.toString(settings.seed()),
            "task", task,
            "replica", Integer.toString(replica),
            "item", Integer.toString(index));
    return index == 0 || new SplittableRandom(stream).nextDouble() < settings.selfCheck();
  }
}
