package org.cliffwatch.jobs.score;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.function.Function;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.cliffwatch.jobs.plan.Sha256;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.quantizer.score.BosRule;
import org.cliffwatch.quantizer.score.Request;
import org.cliffwatch.quantizer.score.Score;
import org.cliffwatch.quantizer.score.Scorer;
import org.cliffwatch.quantizer.score.ScorerCache;
import org.cliffwatch.tasks.item.Item;
import org.cliffwatch.tasks.item.ItemRecord;
import org.cliffwatch.tasks.item.ItemRequest;
import org.cliffwatch.tasks.item.RejectedItem;
import org.cliffwatch.tasks.metric.ChoiceScore;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.OutputType;

/**
 * Runs on an executor: a shard's items → its scores, in a file of their own until the cell's
 * commit.
 */
final class ShardScorer implements Function<Shard, ShardReport> {
  private static final long serialVersionUID = 1L;

  /** Footer keys of a shard's file. */
  static final String TOKENS = "cliffwatch.tokens";

  static final String SECONDS = "cliffwatch.seconds";
  static final String KERNEL = "cliffwatch.kernel";

  private final CellRecipe recipe;
  private final OutputType outputType;
  private final Broadcast<ItemRecord[]> items;
  private final Broadcast<SerializableConfiguration> hadoop;

  ShardScorer(
      CellRecipe recipe,
      OutputType outputType,
      Broadcast<ItemRecord[]> items,
      Broadcast<SerializableConfiguration> hadoop) {
    this.recipe = recipe;
    this.outputType = outputType;
    this.items = items;
    this.hadoop = hadoop;
  }

  @Override
  public ShardReport call(Shard shard) {
    List<ItemRecord> records =
        List.of(items.value()).subList(shard.first(), shard.first() + shard.items());
    AssignedGpu.take();
    try (ScorerCache.Lease lease = lease()) {
      Scorer scorer = lease.scorer();
      long start = System.nanoTime();
      List<ScoreRow> rows = new ArrayList<>();
      long tokens = 0;
      for (int replica = 0; replica < recipe.replicas(); replica++) {
        List<Score> scores = scorer.score(requests(records), replica);
        tokens += scores.stream().mapToLong(Score::tokens).sum();
        rows.addAll(rows(records, scores, replica));
        selfCheck(scorer, records, scores, replica);
      }
      double seconds = (System.nanoTime() - start) / 1e9;
      Tables tables = new Tables(new Path(recipe.tables()), hadoop.value().value());
      tables
          .shard(recipe.cellId(), shard.first(), shard.items())
          .write(
              tables.staging(),
              Tables.SCORES,
              Map.of(
                  TOKENS, Long.toString(tokens),
                  SECONDS, Double.toString(seconds),
                  KERNEL, scorer.kernel()),
              rows);
      return new ShardReport(shard, rows.size(), tokens, seconds, scorer.kernel());
    }
  }

  private ScorerCache.Lease lease() {
    return ScorerCache.shared()
        .lease(
            new ScorerCache.Key(
                recipe.identity(),
                recipe.precision(),
                recipe.kernel(),
                BosRule.valueOf(recipe.bos().toUpperCase(java.util.Locale.ROOT)),
                recipe.seed()),
            () -> new LocalCheckpoints(hadoop.value().value()).local(recipe.checkpoint()));
  }

  private List<Request> requests(List<ItemRecord> records) {
    List<Request> requests = new ArrayList<>();
    for (ItemRecord record : records) {
      if (record instanceof Item item) {
        item.requests().forEach(request -> requests.add(request(request)));
      }
    }
    return requests;
  }

  private Request request(ItemRequest request) {
    return outputType == OutputType.LOGLIKELIHOOD_ROLLING
        ? new Request.Rolling(request.continuation())
        : new Request.Text(request.context(), request.continuation());
  }

  private List<ScoreRow> rows(List<ItemRecord> records, List<Score> scores, int replica) {
    List<ScoreRow> rows = new ArrayList<>();
    int next = 0;
    for (ItemRecord record : records) {
      if (record instanceof Item item) {
        rows.add(row(item, scores.subList(next, next + item.requests().size()), replica));
        next += item.requests().size();
      } else {
        rows.add(rejected(record.index(), null, null, ((RejectedItem) record).message(), replica));
      }
    }
    return rows;
  }

  private ScoreRow row(Item item, List<Score> scores, int replica) {
    List<ChoiceScore> choices = new ArrayList<>();
    for (int i = 0; i < scores.size(); i++) {
      Score score = scores.get(i);
      if (score.error() != null) {
        String reason = "choice " + i + ": " + score.error();
        return rejected(item.index(), item.docHash(), item.gold(), reason, replica);
      }
      ItemRequest request = item.requests().get(i);
      choices.add(
          new ChoiceScore(
              score.logLikelihood(),
              score.tokens(),
              request.characters(),
              request.words(),
              request.bytes(),
              score.greedy()));
    }
    ItemResult result = new ItemResult(outputType, item.index(), item.gold(), choices);
    return new ScoreRow(
        recipe.cellId(),
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
        scored.straddled());
  }

  private ScoreRow rejected(int index, String docHash, Integer gold, String why, int replica) {
    return new ScoreRow(
        recipe.cellId(),
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
   * Scores a seeded sample of the items again, one request at a time and backwards, and compares
   * the bits: a score that depends on its neighbours could not be repeated.
   */
  private void selfCheck(Scorer scorer, List<ItemRecord> records, List<Score> scores, int replica) {
    int next = scores.size();
    for (int i = records.size() - 1; i >= 0; i--) {
      if (!(records.get(i) instanceof Item item)) {
        continue;
      }
      next -= item.requests().size();
      if (!isSampled(item.index(), replica)) {
        continue;
      }
      for (int c = item.requests().size() - 1; c >= 0; c--) {
        Score first = scores.get(next + c);
        Score again = scorer.score(List.of(request(item.requests().get(c))), replica).get(0);
        if (Double.doubleToLongBits(first.logLikelihood())
                != Double.doubleToLongBits(again.logLikelihood())
            || first.greedy() != again.greedy()) {
          throw new SelfCheckException(
              "self-check failed: "
                  + recipe.task()
                  + " item "
                  + item.index()
                  + " choice "
                  + c
                  + " scored "
                  + first.logLikelihood()
                  + " among "
                  + scores.size()
                  + " requests and "
                  + again.logLikelihood()
                  + " alone, expected the same bits");
        }
      }
    }
  }

  /** The first item always, where anything is to be checked at all. */
  private boolean isSampled(int index, int replica) {
    if (recipe.selfCheck() == 0) {
      return false;
    }
    long stream =
        Sha256.seed(
            "seed", Long.toString(recipe.seed()),
            "task", recipe.task(),
            "replica", Integer.toString(replica),
            "item", Integer.toString(index));
    return index == 0 || new SplittableRandom(stream).nextDouble() < recipe.selfCheck();
  }
}
