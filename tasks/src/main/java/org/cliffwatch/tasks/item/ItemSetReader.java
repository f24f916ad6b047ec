package org.cliffwatch.tasks.item;

import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.definition.Layout;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.format.RecordFile;
import org.cliffwatch.tasks.format.SourceRecord;
import org.cliffwatch.tasks.prompt.PromptException;

/** Files → records → documents → items. */
final class ItemSetReader {
  private record Placed(String file, SourceRecord record) {}

  private final TaskDefinition task;
  private final ItemFiles files;
  private final PromptVersion version;
  private final List<ItemSet.SourceFile> read = new ArrayList<>();

  ItemSetReader(TaskDefinition task, DataSource source, PromptVersion version) {
    this.task = task;
    this.files = new ItemFiles(source);
    this.version = version;
  }

  ItemSet read(String location, int limit) {
    if (limit < 1) {
      throw new InvalidInputException("limit: found " + limit + ", expected 1 or more");
    }
    List<Placed> records = new ArrayList<>();
    List<String> itemFiles = files.itemFiles(task, location);
    for (String file : itemFiles) {
      withLabels(file, file(file).records())
          .forEach(record -> records.add(new Placed(file, record)));
    }
    if (records.isEmpty()) {
      throw new InvalidInputException(
          String.join(", ", itemFiles) + ": found no records, expected items of " + task.name());
    }
    Layout layout = layoutOf(records);
    Asker asker = asker(layout, records);
    List<ItemRecord> items = new ArrayList<>();
    for (Placed placed : records.subList(0, Math.min(limit, records.size()))) {
      items.add(item(asker, items.size(), placed));
    }
    return new ItemSet(task, version, layout.name(), List.copyOf(read), List.copyOf(items));
  }

  /** A record → the item that is asked of it. */
  private interface Asker {
    Item item(int index, ObjectNode record);
  }

  private Asker asker(Layout layout, List<Placed> records) {
    if (task.harness() != null) {
      List<ObjectNode> all = new ArrayList<>();
      records.forEach(placed -> all.add(placed.record().fields()));
      return new HarnessItems(task, all)::item;
    }
    ItemBuilder builder = new ItemBuilder(task, layout, version);
    return (index, record) -> builder.item(index, layout.document(record));
  }

  private RecordFile file(String name) {
    RecordFile file = new RecordFile(name, files.read(name), ItemFiles.form(task, name));
    read.add(new ItemSet.SourceFile(name, file.sha256()));
    return file;
  }

  /** The records with their answers from the file beside, where they do not hold their own. */
  private List<SourceRecord> withLabels(String itemFile, List<SourceRecord> records) {
    TaskDefinition.Labels labels = task.labels();
    String labelFile = labels == null ? null : files.labelFile(labels, itemFile);
    if (labelFile == null
        || records.stream()
            .anyMatch(record -> record.fields() != null && record.fields().has(labels.field()))) {
      return records;
    }
    List<byte[]> answers = file(labelFile).lines();
    if (answers.size() != records.size()) {
      throw new InvalidInputException(
          labelFile
              + ": found "
              + answers.size()
              + " labels, expected "
              + records.size()
              + ", one for each item of "
              + itemFile);
    }
    List<SourceRecord> labelled = new ArrayList<>();
    for (int i = 0; i < records.size(); i++) {
      labelled.add(labelled(records.get(i), labels.field(), answers.get(i), labelFile, i + 1));
    }
    return labelled;
  }

  private static SourceRecord labelled(
      SourceRecord record, String field, byte[] answer, String labelFile, int line) {
    if (record.fields() == null) {
      return record;
    }
    String label = RecordFile.text(answer);
    if (label == null || label.isBlank()) {
      return SourceRecord.malformed(
          record.place(), "found no label in line " + line + " of " + labelFile);
    }
    ObjectNode fields = record.fields().deepCopy();
    fields.set(field, TextNode.valueOf(label.strip()));
    return SourceRecord.of(record.place(), fields);
  }

  /**
   * The layout that most records fit, or at least have the fields of: a single damaged record must
   * not decide how the others are read.
   */
  private Layout layoutOf(List<Placed> records) {
    List<ObjectNode> wellFormed =
        records.stream().map(placed -> placed.record().fields()).filter(Objects::nonNull).toList();
    return task.layouts().stream()
        .max(
            Comparator.comparingLong((Layout layout) -> count(wellFormed, layout::fits))
                .thenComparingLong(layout -> count(wellFormed, layout::hasFields))
                // max keeps the last of equals; the first layout is the preferred one
                .thenComparingInt(layout -> -task.layouts().indexOf(layout)))
        .orElseThrow();
  }

  private static long count(List<ObjectNode> records, Predicate<ObjectNode> condition) {
    return records.stream().filter(condition).count();
  }

  private static ItemRecord item(Asker asker, int index, Placed placed) {
    SourceRecord record = placed.record();
    if (record.problem() != null) {
      return new RejectedItem(index, placed.file(), record.place(), record.problem());
    }
    try {
      return asker.item(index, record.fields());
    } catch (PromptException e) {
      return new RejectedItem(index, placed.file(), record.place(), e.getMessage());
    }
  }
}
