package org.cliffwatch.jobs.gate;

import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.cliffwatch.jobs.table.RowFile;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.metric.OutputType;

/** A cell's scores, item by item. */
final class CellScores {
  private final List<ScoreRow> rows;
  private final List<ScoreRow> scored;
  private final List<List<ItemResult>> results;

  private CellScores(List<ScoreRow> rows, OutputType type, int replicas) {
    this.rows = rows;
    this.scored = rows.stream().filter(row -> row.replica() == 0 && row.isOk()).toList();
    this.results =
        IntStream.range(0, replicas)
            .mapToObj(
                replica ->
                    rows.stream()
                        .filter(row -> row.isOk() && row.replica() == replica)
                        .map(row -> row.result(type))
                        .toList())
            .toList();
  }

  static CellScores read(RecordedCell cell, OutputType type, Configuration configuration) {
    List<ScoreRow> rows =
        new RowFile(new Path(cell.scores()), configuration).readCommitted(Tables.SCORES);
    return new CellScores(rows, type, cell.replicas());
  }

  int items() {
    return scored.size();
  }

  /** What the items add to a metric, those left out that have none. */
  Contributions contributions(Metric metric) {
    double[][] values = new double[results.size()][];
    double[] weights = {};
    for (int r = 0; r < values.length; r++) {
      List<ItemResult> of =
          metric.isDivergence()
              ? results.get(r).stream().filter(ItemResult::isCompared).toList()
              : results.get(r);
      values[r] = of.stream().mapToDouble(metric::contribution).toArray();
      weights = of.stream().mapToDouble(metric::weight).toArray();
    }
    return new Contributions(metric, values, weights);
  }

  /** Where the questions are not those of another cell, or were cut into tokens otherwise. */
  Optional<String> unlike(CellScores other) {
    Iterator<ScoreRow> others = other.scored.iterator();
    for (ScoreRow row : scored) {
      if (!others.hasNext()) {
        break;
      }
      ScoreRow was = others.next();
      if (row.item() != was.item() || !row.docHash().equals(was.docHash())) {
        return Optional.of(
            "differs in items: item " + row.item() + " is another one, or was rejected in one");
      }
      if (!tokens(row).equals(tokens(was))) {
        return Optional.of(
            "differs in tokenizer: item "
                + row.item()
                + " has choices of "
                + tokens(row)
                + " tokens, and of "
                + tokens(was));
      }
    }
    return scored.size() == other.scored.size()
        ? Optional.empty()
        : Optional.of("differs in items: " + scored.size() + " scored, and " + other.scored.size());
  }

  private static List<Integer> tokens(ScoreRow row) {
    return row.choices().stream().map(ScoreRow.Choice::tokens).toList();
  }

  /** What is not the same to the bit, of two cells that should be; empty where nothing is. */
  Optional<String> otherBits(CellScores accepted) {
    if (rows.equals(accepted.rows)) {
      return Optional.empty();
    }
    int differ = Math.abs(rows.size() - accepted.rows.size());
    String first = "there are " + rows.size() + " rows, " + accepted.rows.size() + " accepted";
    for (int i = Math.min(rows.size(), accepted.rows.size()) - 1; i >= 0; i--) {
      ScoreRow is = rows.get(i);
      ScoreRow was = accepted.rows.get(i);
      if (!Objects.equals(is, was)) {
        differ++;
        first =
            String.format(
                Locale.ROOT,
                "replica %d of item %d has log-likelihoods %s, accepted %s",
                is.replica(),
                is.item(),
                loglikelihoods(is),
                loglikelihoods(was));
      }
    }
    return Optional.of(
        "the same cell has other scores: " + differ + " of " + rows.size() + " rows; " + first);
  }

  private static List<Double> loglikelihoods(ScoreRow row) {
    return row.choices().stream().map(ScoreRow.Choice::loglikelihood).toList();
  }
}
