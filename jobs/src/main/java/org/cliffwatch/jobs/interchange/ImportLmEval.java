package org.cliffwatch.jobs.interchange;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.apache.hadoop.conf.Configuration;
import org.cliffwatch.jobs.aggregate.ModelTables;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.RunRow;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.Sha256;
import org.cliffwatch.tasks.cli.TasksCommand;
import org.cliffwatch.tasks.cli.TasksSubcommand;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.interchange.LmEvalLog;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.prompt.PythonJson;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code tasks.sh import-lm-eval}: lm-evaluation-harness's logs as rows of our tables. */
@Command(
    name = "import-lm-eval",
    sortOptions = false,
    description = {
      "Reads one run of lm-evaluation-harness (its results file and its samples files) into tables.",
      "Samples become scores, and their hashes and metrics are checked; results alone become metrics."
    })
public final class ImportLmEval implements TasksSubcommand {
  /** The order of a sum is not logged; a wrong item would move any metric further. */
  private static final double TOLERANCE = 1e-9;

  private static final Map<String, String> PRECISIONS =
      Map.of("float32", "fp32", "float", "fp32", "bfloat16", "bf16", "float16", "fp16");

  @ParentCommand private TasksCommand parent;
  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "FILE",
      arity = "1..*",
      description = "results_*.json, samples_TASK_*.jsonl; compressed ones too.")
  private List<Path> files;

  @Option(
      names = "--output",
      required = true,
      paramLabel = "DIR",
      description = "Where the tables are, or will be.")
  private String output;

  @Option(
      names = "--model",
      paramLabel = "NAME",
      description = "The model's name in the tables; else what the results file says.")
  private String model;

  @Option(
      names = "--precision",
      paramLabel = "NAME",
      description = "The precision's name in the tables; else that of the type it says.")
  private String precision;

  @Option(names = "--step", paramLabel = "N", description = "The training step; 0 if not given.")
  private long step;

  @Override
  public Integer call() throws IOException {
    Instant started = Instant.now();
    LmEvalLog log = LmEvalLog.read(files);
    Slice slice = new Slice(model(log), precision(log), step);
    Tables tables = new Tables(new org.apache.hadoop.fs.Path(output), new Configuration());
    tables.begin();
    String identity = Sha256.of(slice + PythonJson.line(log.results()));
    List<StoredCell> stored = tables.storedCells(slice.model(), slice.precision());
    List<MetricRow> metrics = new ArrayList<>();
    int cells = 0;
    for (String name : log.tasks()) {
      Optional<TaskDefinition> task =
          parent.tasks().all().stream().filter(known -> known.name().equals(name)).findFirst();
      if (task.isPresent()) {
        metrics.addAll(write(log, task.get(), tables, slice, stored));
        cells++;
      } else if (log.samples().containsKey(name)) {
        parent.tasks().task(name); // says which name it may have meant
      } else {
        warn("no such task here, its results are left out: " + name);
      }
    }
    if (cells == 0) {
      throw new InvalidInputException(
          files.get(0) + ": found no task that is known here; tasks.sh list names them");
    }
    ModelTables known = ModelTables.read(tables, slice.model());
    known.put(metrics);
    known.write(tables);
    String runId = "lm-eval-" + identity.substring(0, 16);
    tables
        .run(runId)
        .write(tables.staging(), Tables.RUNS, Map.of(), List.of(run(log, started, cells)));
    spec.commandLine()
        .getOut()
        .println(cells + " tasks of " + ExportLmEval.name(slice) + " as run " + runId);
    return 0;
  }

  private List<MetricRow> write(
      LmEvalLog log, TaskDefinition task, Tables tables, Slice slice, List<StoredCell> stored) {
    ImportedCell cell = ImportedCell.of(log, task, slice);
    if (!cell.scores().isEmpty()) {
      stored.stream()
          .filter(old -> old.slice().equals(slice) && old.task().equals(task.name()))
          .forEach(old -> tables.scores(old).delete());
      tables
          .scores(new StoredCell(slice, task.name(), cell.id()))
          .write(tables.staging(), Tables.SCORES, Map.of(), cell.scores());
      tables
          .documents(slice, task.name())
          .write(tables.staging(), Tables.DOCUMENTS, Map.of(), cell.documents());
    }
    List<MetricRow> metrics = new ArrayList<>();
    for (Metric metric : task.metrics()) {
      Optional<MetricRow> row = cell.metric(metric);
      row.ifPresent(metrics::add);
      OptionalDouble logged = log.value(task.name(), metric);
      if (row.isPresent() && logged.isPresent()) {
        compare(task, metric, row.get().value(), logged.getAsDouble());
      }
    }
    return metrics;
  }

  private static void compare(TaskDefinition task, Metric metric, double ours, double logged) {
    if (Math.abs(ours - logged) > TOLERANCE * Math.max(1, Math.abs(logged))) {
      throw new InvalidInputException(
          "results of "
              + task.name()
              + ": found "
              + metric
              + " "
              + PythonJson.number(logged)
              + ", expected "
              + PythonJson.number(ours)
              + " from its samples");
    }
  }

  private String model(LmEvalLog log) {
    if (model != null) {
      return model;
    }
    return log.model()
        .orElseThrow(
            () ->
                new InvalidInputException(
                    "the results file names no model (model_name, or pretrained= of"
                        + " config.model_args), expected --model NAME"));
  }

  private String precision(LmEvalLog log) {
    if (precision != null) {
      return precision;
    }
    String dtype = log.dtype().orElse("none");
    String known = PRECISIONS.get(dtype.toLowerCase(Locale.ROOT));
    if (known == null) {
      throw new InvalidInputException(
          "the results file says dtype '"
              + dtype
              + "' (config.model_dtype, or dtype= of config.model_args), which names no"
              + " precision: expected --precision NAME");
    }
    return known;
  }

  private RunRow run(LmEvalLog log, Instant started, int cells) {
    var settings = log.results().deepCopy();
    settings.remove("results");
    return new RunRow(
        started.toString(),
        Instant.now().toString(),
        "lm-evaluation-harness",
        PythonJson.line(settings),
        ImportedCell.kernel(log),
        null,
        System.getProperty("java.version"),
        null,
        null,
        null,
        "lm-evaluation-harness",
        cells,
        cells,
        0,
        0,
        0);
  }

  private void warn(String message) {
    PrintWriter err = spec.commandLine().getErr();
    err.println("warning: " + message);
  }
}
