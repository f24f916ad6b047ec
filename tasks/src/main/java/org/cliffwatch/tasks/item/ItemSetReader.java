package org.cliffwatch.tasks.item;

import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.definition.FewShot;
import org.cliffwatch.tasks.definition.Layout;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.format.RecordFile;
import org.cliffwatch.tasks.format.SourceRecord;
import org.cliffwatch.tasks.metric.OutputType;
import org.cliffwatch.tasks.prompt.PromptException;
import org.cliffwatch.tasks.prompt.Scope;

/** Files → records → documents → items. */
final class ItemSetReader {
  private record Placed(String file, SourceRecord record) {}

  private final TaskDefinition task;
  private final ItemFiles files;
  private final PromptSettings settings;
  private List<ItemSet.SourceFile> read = new ArrayList<>();

  ItemSetReader(TaskDefinition task, DataSource source, PromptSettings settings) {
    this.task = task;
    this.files = new ItemFiles(source);
    this.settings = settings;
  }

  ItemSet read(String location, int limit) {
    if (limit < 1) {
      throw new InvalidInputException("limit: found " + limit + ", expected 1 or more");
    }
    int shots = settings.shots(task);
    requireNoneOrPossible(shots);
    List<String> itemFiles = files.itemFiles(task, location);
    List<Placed> records = records(itemFiles);
    Layout layout = layoutOf(records);
    Asker asker = asker(layout, records);
    List<ItemSet.SourceFile> readForItems = read;
    read = new ArrayList<>();
    ShotSampler sampler = shots == 0 ? null : sampler(shots, location, itemFiles, records);
    List<ItemRecord> items = new ArrayList<>();
    for (Placed placed : records.subList(0, Math.min(limit, records.size()))) {
      items.add(item(asker, sampler, items.size(), placed));
    }
    return new ItemSet(
        task,
        settings.version(),
        layout.name(),
        List.copyOf(readForItems),
        shots == 0 ? ItemSet.Shots.NONE : recorded(shots, readForItems),
        List.copyOf(items));
  }

  private List<Placed> records(List<String> itemFiles) {
    List<Placed> records = new ArrayList<>();
    for (String file : itemFiles) {
      withLabels(file, file(file).records())
          .forEach(record -> records.add(new Placed(file, record)));
    }
    if (records.isEmpty()) {
      throw new InvalidInputException(
          String.join(", ", itemFiles) + ": found no records, expected items of " + task.name());
    }
    return records;
  }

  private Asker asker(Layout layout, List<Placed> records) {
    return task.harness() == null
        ? new ItemBuilder(task, layout, settings.version(), settings.chat())
        : new HarnessItems(
            task,
            records.stream().map(placed -> placed.record().fields()).toList(),
            settings.chat());
  }

  private void requireNoneOrPossible(int shots) {
    if (shots == 0) {
      return;
    }
    String found = "task " + task.name() + ": found num_fewshot " + shots;
    if (task.outputType() == OutputType.LOGLIKELIHOOD_ROLLING) {
      throw new InvalidInputException(
          found + ", expected num_fewshot 0: a rolling task has no context for shots");
    }
    if (task.harness() != null && task.harness().shotsRefusal() != null) {
      throw new InvalidInputException(found + ", expected 0: " + task.harness().shotsRefusal());
    }
    if (settings.version() == PromptVersion.V0) {
      throw new InvalidInputException(
          found
              + " with prompt version v0, expected num_fewshot 0: how lm-evaluation-harness 0.3 drew"
              + " shots is not known here");
    }
  }

  private ShotSampler sampler(
      int shots, String location, List<String> itemFiles, List<Placed> items) {
    String data = settings.fewshotData();
    FewShot how = task.fewshot();
    if (data == null && how.split() == null) {
      throw new InvalidInputException(
          "task "
              + task.name()
              + ": found num_fewshot "
              + shots
              + ", but the definition names no split to draw shots from: expected fewshot_data"
              + " to name their file or folder");
    }
    if (data == null && how.split().equals(task.dataset().split())) {
      return sampler(shots, String.join(", ", itemFiles), items);
    }
    List<String> shotFiles = files.shotFiles(task, data == null ? files.folder(location) : data);
    return sampler(shots, String.join(", ", shotFiles), records(shotFiles));
  }

  private ShotSampler sampler(int shots, String place, List<Placed> records) {
    for (Placed placed : records) {
      if (placed.record().problem() != null) {
        throw new InvalidInputException(
            at(placed) + placed.record().problem() + " in a file to draw shots from");
      }
    }
    Asker asker = asker(layoutOf(records), records);
    return new ShotSampler(
        shots,
        task.fewshot(),
        new ShotSampler.Pool() {
          @Override
          public int size() {
            return records.size();
          }

          @Override
          public Scope document(int position) {
            return orPlaced(
                position, () -> asker.document(records.get(position).record().fields()));
          }

          @Override
          public Shot shot(int position, Scope document) {
            return orPlaced(position, () -> asker.shot(document));
          }

          @Override
          public String place() {
            return place;
          }

          private <T> T orPlaced(int position, Supplier<T> made) {
            try {
              return made.get();
            } catch (PromptException e) {
              throw new InvalidInputException(
                  at(records.get(position)) + e.getMessage() + " (drawn as a shot)", e);
            }
          }
        });
  }

  private static String at(Placed placed) {
    return placed.file() + ", " + placed.record().place() + ": ";
  }

  /** What is recorded of shots: their files, or the items' where those are drawn from. */
  private ItemSet.Shots recorded(int shots, List<ItemSet.SourceFile> itemFiles) {
    FewShot how = task.fewshot();
    return new ItemSet.Shots(
        shots,
        how.sampler(),
        how.sampler() == FewShot.Sampler.DEFAULT ? ShotSampler.SEED : null,
        settings.fewshotData() == null ? how.split() : null,
        read.isEmpty() ? itemFiles : List.copyOf(read));
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

  /** A rejected record has its shots drawn, too: the items after it must not depend on it. */
  private static ItemRecord item(Asker asker, ShotSampler sampler, int index, Placed placed) {
    SourceRecord record = placed.record();
    String problem = record.problem();
    Scope document = null;
    if (problem == null) {
      try {
        document = asker.document(record.fields());
      } catch (PromptException e) {
        problem = e.getMessage();
      }
    }
    List<Shot> shots = sampler == null ? List.of() : sampler.next(document);
    if (problem == null) {
      try {
        return asker.item(index, document, shots);
      } catch (PromptException e) {
        problem = e.getMessage();
      }
    }
    return new RejectedItem(index, placed.file(), record.place(), problem);
  }
}
