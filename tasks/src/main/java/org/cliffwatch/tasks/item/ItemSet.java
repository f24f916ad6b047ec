package org.cliffwatch.tasks.item;

import java.util.List;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.Sha256;
import org.cliffwatch.tasks.definition.FewShot;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;

/**
 * A task's items as read from its files.
 *
 * @param layout which of the task's layouts the files have
 * @param files what was read, the item files in order and then any label files
 * @param shots what stands before each question
 * @param records a record for each of the files' records, in their order; at most {@code limit}
 */
public record ItemSet(
    TaskDefinition task,
    PromptVersion promptVersion,
    String layout,
    List<SourceFile> files,
    Shots shots,
    List<ItemRecord> records) {

  /** A file that was read, and the sha256 of its bytes as they lie there, compressed or not. */
  public record SourceFile(String path, String sha256) {}

  /**
   * The documents with their answers that stand before each question.
   *
   * @param count how many; 0 for none
   * @param sampler how they are drawn; null for none
   * @param seed of the generator that draws; null where none does
   * @param split the data set's split they are drawn from; null where a file was named
   * @param files what they were read from, as an item set's
   */
  public record Shots(
      int count, FewShot.Sampler sampler, Integer seed, String split, List<SourceFile> files) {
    public static final Shots NONE = new Shots(0, null, null, null, List.of());

    /**
     * Of a log, which does not tell the files.
     *
     * @param seed what it says of one
     */
    public static Shots logged(int count, FewShot.Sampler sampler, Integer seed) {
      return count == 0
          ? NONE
          : new Shots(
              count, sampler, sampler == FewShot.Sampler.FIRST_N ? null : seed, null, List.of());
    }

    /** All that tells two ways of drawing apart, without blanks: {@code 5-default-1234}. */
    public String drawn() {
      return count == 0 ? "0" : count + "-" + sampler + (seed == null ? "" : "-" + seed);
    }
  }

  /** Says that all items are wanted. */
  public static final int ALL = Integer.MAX_VALUE;

  /**
   * Reads a task's items.
   *
   * @param location a folder with the task's files, or the file itself
   * @param limit how many items at most, the first ones
   * @throws InvalidInputException where files are missing or cannot be read at all, or shots are
   *     asked for that the task or its files do not give; a record that cannot be read is a {@link
   *     RejectedItem}
   */
  public static ItemSet read(
      TaskDefinition task, String location, DataSource source, PromptSettings settings, int limit) {
    return new ItemSetReader(task, source, settings).read(location, limit);
  }

  /** Reads them with the shots that the definition says. */
  public static ItemSet read(
      TaskDefinition task, String location, DataSource source, PromptVersion version, int limit) {
    return read(task, location, source, PromptSettings.of(version), limit);
  }

  /** The items, without what was rejected. */
  public List<Item> items() {
    return records.stream().filter(Item.class::isInstance).map(Item.class::cast).toList();
  }

  /** What was rejected. */
  public List<RejectedItem> rejected() {
    return records.stream()
        .filter(RejectedItem.class::isInstance)
        .map(RejectedItem.class::cast)
        .toList();
  }

  /**
   * lm-evaluation-harness's {@code task_hashes}: sha256 over all items' document, prompt and target
   * hashes. Equal for two sets exactly when they ask the same of the same documents.
   */
  public String itemsHash() {
    StringBuilder hashes = new StringBuilder();
    items()
        .forEach(
            item ->
                hashes.append(item.docHash()).append(item.promptHash()).append(item.targetHash()));
    return Sha256.of(hashes.toString());
  }
}
