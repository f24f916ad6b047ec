package org.cliffwatch.jobs.aggregate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.cliffwatch.jobs.table.ScoreRow;

/**
 * What makes a number less comparable with others than it looks: counted warnings, each with an
 * item to look at in {@code scores}.
 */
public final class ComparabilityLint {
  private ComparabilityLint() {}

  /**
   * The warnings about one cell.
   *
   * @param addsBos whether the checkpoint's tokenizer begins a text with BOS of itself
   * @param bos the suite's rule
   * @param rows the cell's scores
   */
  public static List<String> of(boolean addsBos, String bos, List<ScoreRow> rows) {
    List<String> warnings = new ArrayList<>();
    if (bos.equals("never") && addsBos) {
      warnings.add(
          "BOS mismatch: the tokenizer begins a text with BOS and bos: never leaves it out, as"
              + " lm-evaluation-harness before 0.4.9.2");
    } else if (bos.equals("always") && !addsBos) {
      warnings.add(
          "BOS mismatch: the tokenizer begins no text with BOS and bos: always puts it there,"
              + " unlike lm-evaluation-harness");
    }
    List<ScoreRow> scored = rows.stream().filter(row -> row.replica() == 0 && row.isOk()).toList();
    count(
        warnings,
        scored,
        row -> row.choices().stream().anyMatch(ScoreRow.Choice::truncated),
        "lost the left end of their context to fit the model's window");
    count(
        warnings,
        scored,
        row -> row.choices().stream().anyMatch(ScoreRow.Choice::straddled),
        "have a token that spans context and continuation");
    count(
        warnings,
        scored,
        ComparabilityLint::isTied,
        "have a tie for the likeliest choice, which the first of them wins");
    return warnings;
  }

  private static void count(
      List<String> warnings, List<ScoreRow> rows, Predicate<ScoreRow> is, String what) {
    List<ScoreRow> found = rows.stream().filter(is).toList();
    if (!found.isEmpty()) {
      warnings.add(
          found.size() + " of " + rows.size() + " items " + what + "; item " + found.get(0).item());
    }
  }

  /** Two requests that differ and have the same score. */
  private static boolean isTied(ScoreRow row) {
    double[] sorted =
        row.choices().stream().mapToDouble(ScoreRow.Choice::loglikelihood).sorted().toArray();
    return sorted.length > 1
        && Arrays.stream(sorted).skip(sorted.length - 2L).distinct().count() == 1;
  }

  /** The tasks whose metrics are made of other items in one cell than in another. */
  public static List<String> across(List<SliceResult> slices) {
    Map<String, TreeSet<Long>> byTask = new TreeMap<>();
    for (SliceResult slice : slices) {
      slice
          .items()
          .forEach((task, items) -> byTask.computeIfAbsent(task, t -> new TreeSet<>()).add(items));
    }
    List<String> warnings = new ArrayList<>();
    byTask.forEach(
        (task, items) -> {
          if (items.size() > 1) {
            warnings.add(
                task
                    + ": values are made of "
                    + items.stream().map(String::valueOf).collect(Collectors.joining(", "))
                    + " items in different cells; perplexities and accuracies over other items are"
                    + " other quantities");
          }
        });
    return warnings;
  }
}
