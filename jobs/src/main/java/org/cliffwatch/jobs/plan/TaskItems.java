package org.cliffwatch.jobs.plan;

import org.cliffwatch.jobs.suite.Suite.TaskData;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.item.Item;
import org.cliffwatch.tasks.item.ItemRecord;
import org.cliffwatch.tasks.item.ItemRequest;
import org.cliffwatch.tasks.item.ItemSet;

/**
 * A suite's task with its items read.
 *
 * @param hash of an {@link ItemsDigest}
 * @param characters of contexts and continuations, a context that an item's requests share once
 * @param charactersAround how many its item has, the mean over characters: of items of one length
 *     that length, and more where a few are long
 * @param asked what executors need of its definition
 */
public record TaskItems(
    TaskData data,
    ItemSet set,
    String hash,
    long characters,
    double charactersAround,
    AskedTask asked) {
  static TaskItems of(TaskData data, ItemSet set) {
    ItemsDigest digest = new ItemsDigest();
    long characters = 0;
    double squares = 0;
    for (ItemRecord record : set.records()) {
      if (record instanceof Item item) {
        digest.item(item.index(), item.docHash(), item.promptHash(), item.targetHash());
        long own = characters(item);
        characters += own;
        squares += (double) own * own;
      } else {
        digest.rejected(record.index());
      }
    }
    return new TaskItems(
        data,
        set,
        digest.hash(),
        characters,
        squares / Math.max(1, characters),
        AskedTask.of(set.task(), data.group()));
  }

  private static long characters(Item item) {
    long context = 0;
    long continuations = 0;
    for (ItemRequest request : item.requests()) {
      context = Math.max(context, request.context().length());
      continuations += request.continuation().length();
    }
    return context + continuations;
  }

  public TaskDefinition definition() {
    return set.task();
  }

  public int size() {
    return set.records().size();
  }
}
