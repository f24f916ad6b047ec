package org.cliffwatch.jobs.interchange;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.cliffwatch.jobs.plan.ComparableKey;
import org.cliffwatch.jobs.table.DocumentRow;
import org.cliffwatch.jobs.table.RowFile;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.cli.TasksCommand;
import org.cliffwatch.tasks.cli.TasksSubcommand;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.interchange.LmEvalExport;
import org.cliffwatch.tasks.metric.ItemResult;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code tasks.sh export-lm-eval}: scores as lm-evaluation-harness logs them. */
@Command(
    name = "export-lm-eval",
    sortOptions = false,
    description = {
      "Writes the scores of one model, precision and step as lm-evaluation-harness's results file,",
      "and beside it the samples of each task as samples_TASK.jsonl."
    })
public final class ExportLmEval implements TasksSubcommand {
  private static final ObjectMapper JSON = new ObjectMapper();

  @ParentCommand private TasksCommand parent;
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "DIR", description = "Where the tables are.")
  private String tablesFolder;

  @Option(
      names = "--output",
      required = true,
      paramLabel = "FILE",
      description = "The results file to write.")
  private Path output;

  @Option(names = "--model", paramLabel = "NAME", description = "Only this model.")
  private String model;

  @Option(names = "--precision", paramLabel = "NAME", description = "Only this precision.")
  private String precision;

  @Option(names = "--step", paramLabel = "N", description = "Only this step.")
  private Long step;

  @Override
  public Integer call() throws IOException {
    Tables tables = new Tables(new org.apache.hadoop.fs.Path(tablesFolder), new Configuration());
    tables.requireVersion();
    Map<Slice, List<StoredCell>> slices =
        tables.storedCells().stream()
            .filter(cell -> model == null || cell.slice().model().equals(model))
            .filter(cell -> precision == null || cell.slice().precision().equals(precision))
            .filter(cell -> step == null || cell.slice().step() == step)
            .collect(Collectors.groupingBy(StoredCell::slice));
    if (slices.size() != 1) {
      throw new InvalidInputException(
          tablesFolder
              + ": found scores of "
              + (slices.isEmpty() ? "nothing that fits" : names(slices.keySet()))
              + ", expected one model, precision and step (--model, --precision, --step)");
    }
    Slice slice = slices.keySet().iterator().next();
    LmEvalExport export = new LmEvalExport(slice.model(), slice.precision());
    for (StoredCell cell : slices.get(slice)) {
      add(export, tables, cell);
    }
    export.log().write(output);
    spec.commandLine().getOut().println(slices.get(slice).size() + " tasks of " + name(slice));
    return 0;
  }

  private void add(LmEvalExport export, Tables tables, StoredCell cell) {
    TaskDefinition task = parent.tasks().task(cell.task());
    List<ScoreRow> scored = new ArrayList<>();
    int items = 0;
    for (ScoreRow row : tables.scores(cell).read(Tables.SCORES)) {
      if (row.replica() == 0) {
        items++;
        if (row.isOk()) {
          scored.add(row);
        }
      }
    }
    Map<Integer, DocumentRow> documents = documents(tables, cell);
    List<ItemResult> results = scored.stream().map(row -> row.result(task.outputType())).toList();
    List<ObjectNode> known =
        scored.stream().map(row -> known(row, documents.get(row.item()))).toList();
    int shots =
        tables.metrics(cell.slice().model()).read(Tables.METRICS).stream()
            .filter(row -> row.cellId().equals(cell.id()))
            .mapToInt(row -> ComparableKey.shots(row.comparableParts()))
            .findFirst()
            .orElse(0);
    export.add(task, items, shots, results, known);
  }

  private static Map<Integer, DocumentRow> documents(Tables tables, StoredCell cell) {
    RowFile file = tables.documents(cell.slice(), cell.task());
    return file.metadata().isEmpty()
        ? Map.of()
        : file.read(Tables.DOCUMENTS).stream()
            .collect(
                Collectors.toMap(
                    DocumentRow::item, Function.identity(), (a, b) -> b, TreeMap::new));
  }

  /** What the tables know of a sample besides its scores. */
  private static ObjectNode known(ScoreRow score, DocumentRow document) {
    ObjectNode known = JSON.createObjectNode();
    if (document != null) {
      put(known, "doc", document.doc());
      put(known, "target", document.target());
      put(known, "arguments", document.arguments());
      known.put("prompt_hash", document.promptHash());
      known.put("target_hash", document.targetHash());
    }
    return known.put("doc_hash", score.docHash());
  }

  private static void put(ObjectNode row, String field, String json) {
    if (json == null) {
      return;
    }
    try {
      JsonNode value = JSON.readTree(json);
      row.set(field, value);
    } catch (JsonProcessingException e) {
      throw new InvalidInputException("documents, column " + field + ": found no JSON", e);
    }
  }

  static String name(Slice slice) {
    return slice.model() + " " + slice.precision() + " step " + slice.step();
  }

  private static String names(Collection<Slice> slices) {
    return slices.stream().map(ExportLmEval::name).sorted().collect(Collectors.joining(", "));
  }
}
