package org.cliffwatch.jobs.plan;

import org.cliffwatch.jobs.table.CheckpointRow;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;

/**
 * What two values of a metric must share to be compared: the questions, how they were asked and
 * tokenized, how answers were scored. Not the checkpoint, the precision or the kernel: those are
 * what one compares.
 */
public final class ComparableKey {
  private static final int LENGTH = 16;

  private ComparableKey() {}

  /**
   * The key, equal exactly where two values may be compared.
   *
   * @param itemsHash of an {@link ItemsDigest}
   * @param bos auto, never or always
   */
  public static String of(TaskDefinition task, String itemsHash, PromptVersion prompt, String bos) {
    return Sha256.of(
            "task", task.hash(),
            "items", itemsHash,
            "prompt", prompt.toString(),
            "bos", bos,
            "scoring", Integer.toString(Planner.SCORING_VERSION))
        .substring(0, LENGTH);
  }

  /**
   * What a cell's key is made of, and its tokenizer, which is a checkpoint's own: what tells why
   * two cells may not be compared.
   *
   * @param bos auto, never or always
   * @return {@code name value} with commas, hashes shortened
   */
  public static String parts(Cell cell, String bos) {
    CheckpointRow checkpoint = cell.checkpoint().row();
    return String.join(
        ", ",
        "task definition " + cell.items().definition().hash().substring(0, LENGTH),
        "items " + cell.items().hash().substring(0, LENGTH),
        "prompt version " + cell.items().set().promptVersion().toString(),
        "bos " + bos,
        "scoring version " + Planner.SCORING_VERSION,
        "tokenizer "
            + (checkpoint == null ? "unread" : checkpoint.tokenizer().substring(0, LENGTH)));
  }
}
