package org.cliffwatch.jobs.report;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.plan.HadoopFiles;
import org.cliffwatch.jobs.present.Summary;
import org.cliffwatch.jobs.suite.SuiteReader;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.item.ItemSet;
import org.cliffwatch.tasks.item.PromptSettings;

/**
 * The tables of a folder as one HTML file that needs nothing else. Every number on it is of a row
 * of a statement in this package's resources, run by Spark, and the page shows the statement as it
 * was run. The driver, and the page, hold a bounded number of each statement's rows.
 */
public final class HtmlReport {
  /** Its name beside the tables of {@code evaluate.sh}. */
  public static final String FILE = "report.html";

  /** Rows of a statement that the page holds. */
  static final int MOST_ROWS = 5_000;

  /** Flips that the page holds. */
  static final int MOST_FLIPS = 2_000;

  private static final List<String> STATEMENTS =
      List.of(
          "totals",
          "failures",
          "by-step",
          "by-size",
          "heat-map",
          "item-changes",
          "kl",
          "cost",
          "lint",
          "flip-counts",
          "numbers",
          "checkpoints");

  /**
   * What the tables do not hold.
   *
   * @param precisions rows that {@code conf/precisions.yaml} does not have, for the bits they take
   * @param items of tasks, for their texts; those of others are read from where the last run's
   *     configuration says, unless that is a relative path
   */
  public record Known(List<Precision> precisions, Map<String, ItemSet> items) {}

  private final SparkSession spark;
  private final String folder;
  private final Known known;
  private final PrintStream log;

  /**
   * @param spark whose tables and settings are left as they are
   * @param folder of the tables, any Hadoop URI
   * @param log what takes long is announced here
   */
  public HtmlReport(SparkSession spark, String folder, Known known, PrintStream log) {
    this.spark = spark;
    this.folder = folder;
    this.known = known;
    this.log = log;
  }

  /**
   * Writes the page.
   *
   * @param run only what this run planned; else all that the folder holds
   * @param file any Hadoop URI; a file that is there is replaced
   * @throws InvalidInputException where there are no tables, or no such run
   */
  public void write(Optional<String> run, Path file) throws IOException {
    byte[] page = page(run).getBytes(StandardCharsets.UTF_8);
    Tables.putWhole(file, page, spark.sparkContext().hadoopConfiguration());
  }

  /** The page's text. */
  String page(Optional<String> run) throws IOException {
    Map<String, Object> data = data(run);
    String of = run.orElseGet(() -> new Path(folder).getName());
    return Page.of("Cliffwatch report: " + of, Page.json(data));
  }

  /** What the page holds, as its script reads it. */
  Map<String, Object> data(Optional<String> run) throws IOException {
    try (ReportTables tables = new ReportTables(spark, folder, known.precisions(), run, log)) {
      return data(tables, run);
    }
  }

  private Map<String, Object> data(ReportTables tables, Optional<String> run) throws IOException {
    Map<String, Answer> answers = new LinkedHashMap<>();
    for (String name : STATEMENTS) {
      answers.put(name, answer(tables, name, MOST_ROWS));
    }
    answers.put("runs", answer(tables, "runs", ReportTables.MOST_RUNS));
    if (tables.has("verdicts")) {
      answers.put("verdicts", answer(tables, "verdicts", MOST_ROWS));
    }
    if (tables.has("analysis")) {
      answers.put("causes", answer(tables, "causes", MOST_ROWS));
    }
    Answer flips = answer(tables, "flips", MOST_FLIPS);
    answers.put("flips", flips);
    List<String> notes = new ArrayList<>();
    ItemTexts texts = texts(flips, tables, notes);
    Map<String, Object> data = new LinkedHashMap<>();
    data.put("tables", folder);
    data.put("run", run.orElse(null));
    data.put("cliffPercent", Summary.CLIFF_PERCENT);
    data.put("mostContext", ItemTexts.MOST_CONTEXT);
    data.put("mostContinuation", ItemTexts.MOST_CONTINUATION);
    data.put("notes", notes);
    data.put("views", tables.views());
    data.put("answers", answers);
    data.put("texts", texts.all());
    return data;
  }

  private static Answer answer(ReportTables tables, String name, int most) {
    return Answer.to(Page.resource(name + ".sql"), most, tables.session());
  }

  /** The texts of the items that flipped, those that turned furthest first. */
  private ItemTexts texts(Answer flips, ReportTables tables, List<String> notes) {
    Map<String, Set<String>> wanted = new LinkedHashMap<>();
    for (List<Object> flip : flips.rows()) {
      wanted
          .computeIfAbsent(flips.text(flip, "task"), task -> new LinkedHashSet<>())
          .add(flips.text(flip, "doc_hash"));
    }
    Map<String, Map<String, ItemTexts.Text>> found = imported(wanted, tables);
    wanted.forEach(
        (task, docHashes) -> {
          Map<String, ItemTexts.Text> ofTask =
              found.computeIfAbsent(task, t -> new LinkedHashMap<>());
          if (!ofTask.keySet().containsAll(docHashes)) {
            items(task, tables, notes)
                .ifPresent(items -> ofTask.putAll(ItemTexts.of(items, docHashes)));
          }
        });
    ItemTexts texts = new ItemTexts();
    int tooMany = 0;
    for (List<Object> flip : flips.rows()) {
      String task = flips.text(flip, "task");
      String docHash = flips.text(flip, "doc_hash");
      ItemTexts.Text text = found.get(task).get(docHash);
      if (text != null && !texts.keep(task, docHash, text)) {
        tooMany++;
      }
    }
    if (tooMany > 0) {
      notes.add(
          "The texts of "
              + tooMany
              + " flips are left out: a page holds "
              + (ItemTexts.MOST_BYTES >> 20)
              + " MiB of them.");
    }
    return texts;
  }

  /** Texts that imported logs have of those documents. */
  private static Map<String, Map<String, ItemTexts.Text>> imported(
      Map<String, Set<String>> wanted, ReportTables tables) {
    tables.registerFlipped(wanted);
    Answer documents = answer(tables, "documents", MOST_FLIPS);
    Map<String, Map<String, ItemTexts.Text>> found = new LinkedHashMap<>();
    for (List<Object> document : documents.rows()) {
      ItemTexts.of(documents.text(document, "arguments"))
          .ifPresent(
              text ->
                  found
                      .computeIfAbsent(documents.text(document, "task"), t -> new LinkedHashMap<>())
                      .put(documents.text(document, "doc_hash"), text));
    }
    return found;
  }

  /** A task's items as they are asked now. */
  private Optional<ItemSet> items(String task, ReportTables tables, List<String> notes) {
    if (known.items().containsKey(task)) {
      return Optional.of(known.items().get(task));
    }
    Optional<PlannedRun> run =
        tables.runs().stream().filter(planned -> planned.data().get(task) != null).findFirst();
    if (run.isEmpty()) {
      notes.add(
          "No text of %s: no run says where its items are; --task %s=DATA does."
              .formatted(task, task));
      return Optional.empty();
    }
    String location = run.get().data().get(task);
    if (!SuiteReader.hasScheme(location) && !location.startsWith("/")) {
      notes.add(
          "No text of %s: its items were at %s from the suite's file; --task %s=DATA says where they are."
              .formatted(task, location, task));
      return Optional.empty();
    }
    try {
      Tasks definitions = Tasks.builtIn();
      if (run.get().tasksPath() != null) {
        definitions = definitions.including(java.nio.file.Path.of(run.get().tasksPath()));
      }
      return Optional.of(items(spark, definitions.task(task), location));
    } catch (InvalidInputException | UncheckedIOException e) {
      notes.add("No text of %s: its items cannot be read: %s".formatted(task, e.getMessage()));
      return Optional.empty();
    }
  }

  /**
   * A task's items, without shots: a page shows the question that was asked.
   *
   * @param location file or folder, any Hadoop URI
   * @throws InvalidInputException where they cannot be read
   */
  public static ItemSet items(SparkSession spark, TaskDefinition task, String location) {
    return ItemSet.read(
        task,
        location,
        new HadoopFiles(spark.sparkContext().hadoopConfiguration()),
        PromptSettings.ZERO_SHOT,
        ItemSet.ALL);
  }
}
