package org.cliffwatch.jobs.plan;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.cliffwatch.jobs.table.CheckpointRow;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.item.ItemSet;

/**
 * What two values of a metric must share to be compared: the questions, how they were asked and
 * tokenized, how answers were scored. Not the checkpoint, the precision or the kernel: those are
 * what one compares.
 */
public final class ComparableKey {
  private static final int LENGTH = 16;
  private static final String SHOTS = "shots ";
  private static final Pattern SHOTS_PART = Pattern.compile("(?:^|, )" + SHOTS + "([0-9]+)");

  private ComparableKey() {}

  /**
   * The key, equal exactly where two values may be compared.
   *
   * @param itemsHash of an {@link ItemsDigest}
   * @param bos auto, never or always
   * @param chat how a chat model is asked: a template's hash and the instruction's; null where
   *     there is neither
   */
  public static String of(
      TaskDefinition task,
      String itemsHash,
      PromptVersion prompt,
      ItemSet.Shots shots,
      String bos,
      String chat) {
    List<String> parts =
        new ArrayList<>(
            List.of(
                "task", task.hash(),
                "items", itemsHash,
                "prompt", prompt.toString(),
                "bos", bos,
                "scoring", Integer.toString(Planner.SCORING_VERSION)));
    if (shots.count() > 0) { // without, the key is that of tables from before there were shots
      parts.addAll(List.of("shots", shots.drawn()));
    }
    if (chat != null) {
      parts.addAll(List.of("chat", chat));
    }
    return Sha256.of(parts.toArray(String[]::new)).substring(0, LENGTH);
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
        part(cell.items().set().shots()),
        "bos " + bos + (cell.chat() == null ? "" : ", " + cell.chat()),
        "scoring version " + Planner.SCORING_VERSION,
        "tokenizer "
            + (checkpoint == null ? "unread" : checkpoint.tokenizer().substring(0, LENGTH)));
  }

  /** The part of {@link #parts} that tells the shots, all that is known of a log's. */
  public static String part(ItemSet.Shots shots) {
    return SHOTS + shots.drawn();
  }

  /**
   * How many shots there were.
   *
   * @param parts as {@link #parts} gives them; null or without shots where older tables do not tell
   */
  public static int shots(String parts) {
    Matcher matcher = SHOTS_PART.matcher(parts == null ? "" : parts);
    return matcher.find() ? Integer.parseInt(matcher.group(1)) : 0;
  }
}
