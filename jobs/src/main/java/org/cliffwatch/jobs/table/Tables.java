package org.cliffwatch.jobs.table;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.cliffwatch.tasks.InvalidInputException;

/**
 * The tables under one output folder: {@code DIR/<table>/<partitions>/<file>.parquet}. Partition
 * columns are in the folders' names alone, as Hive has it, since pyarrow refuses a column that is
 * in both places. What the tables are and how they change: {@code jobs/TABLES.md}.
 */
public final class Tables {
  /** Raised with every change of a table's columns or files. */
  public static final int VERSION = 8;

  /** The oldest whose files lie where today's do, so that both can be read and written together. */
  private static final int OLDEST = 2;

  public static final Columns<ScoreRow> SCORES = Columns.of(ScoreRow.class);
  public static final Columns<MetricRow> METRICS = Columns.of(MetricRow.class);
  public static final Columns<DegradationRow> DEGRADATION = Columns.of(DegradationRow.class);
  public static final Columns<RunRow> RUNS = Columns.of(RunRow.class);
  public static final Columns<DocumentRow> DOCUMENTS = Columns.of(DocumentRow.class);
  public static final Columns<VerdictRow> VERDICTS = Columns.of(VerdictRow.class);
  public static final Columns<AcceptedRow> ACCEPTED = Columns.of(AcceptedRow.class);
  public static final Columns<AnalysisRow> ANALYSIS = Columns.of(AnalysisRow.class);
  public static final Columns<CheckpointRow> CHECKPOINTS = Columns.of(CheckpointRow.class);

  private static final String PARQUET = ".parquet";

  private static final String VERSION_FILE = "VERSION";

  private static final StructType BY_MODEL = new StructType().add("model", DataTypes.StringType);

  private static final StructType BY_RUN = new StructType().add("run_id", DataTypes.StringType);

  private static final StructType BY_STEP = BY_MODEL.add("step", DataTypes.LongType);

  private static final StructType BY_CELL =
      BY_MODEL
          .add("precision", DataTypes.StringType)
          .add("step", DataTypes.LongType)
          .add("task", DataTypes.StringType);

  private final Path root;
  private final Configuration configuration;

  public Tables(Path root, Configuration configuration) {
    this.root = root;
    this.configuration = configuration;
  }

  /** One checkpoint at one precision. */
  public record Slice(String model, String precision, long step) implements Serializable {
    private static final long serialVersionUID = 1L;

    private Partition partition() {
      return Partition.of("model", model).and("precision", precision).and("step", step);
    }
  }

  /** Every table's name and columns, partition columns last, as readers should see them. */
  public static Map<String, StructType> schemas() {
    return new TreeMap<>(
        Map.of(
            "scores", with(SCORES, BY_CELL),
            "metrics", with(METRICS, BY_MODEL),
            "degradation", with(DEGRADATION, BY_MODEL),
            "checkpoints", with(CHECKPOINTS, BY_MODEL),
            "documents", with(DOCUMENTS, BY_CELL),
            "runs", with(RUNS, BY_RUN),
            "verdicts", with(VERDICTS, BY_RUN),
            "accepted", with(ACCEPTED, BY_RUN),
            "analysis", with(ANALYSIS, BY_STEP)));
  }

  private static StructType with(Columns<?> columns, StructType partitions) {
    return DataTypes.createStructType(
        Stream.of(columns.sparkSchema().fields(), partitions.fields())
            .flatMap(Arrays::stream)
            .toList());
  }

  /**
   * Refuses tables of a version that cannot be read or written together with today's: a read of one
   * small file.
   *
   * @throws InvalidInputException naming the version found and those expected
   */
  public void requireVersion() {
    int found = version().orElse(VERSION);
    if (found < OLDEST || found > VERSION) {
      throw new InvalidInputException(
          root
              + ": found tables of version "
              + found
              + ", expected "
              + OLDEST
              + " to "
              + VERSION
              + "; use another folder, or the program that wrote them");
    }
  }

  /**
   * Begins to write here, with the version: a folder that cannot be written is known before
   * anything is read or scored.
   *
   * @throws InvalidInputException as {@link #requireVersion}
   */
  public void begin() {
    requireVersion();
    try {
      Storage.put(
          new Path(root, VERSION_FILE),
          (VERSION + "\n").getBytes(StandardCharsets.UTF_8),
          staging(),
          List.of(),
          configuration);
    } catch (IOException e) {
      throw new StorageException(
          "--output: cannot write into " + root + ", expected a folder that can be written", e);
    }
  }

  /** The version of the tables that are here, if any. */
  private OptionalInt version() {
    Path file = new Path(root, VERSION_FILE);
    try (InputStream in = file.getFileSystem(configuration).open(file)) {
      String text = new String(in.readAllBytes(), StandardCharsets.UTF_8).strip();
      if (!text.matches("[0-9]{1,9}")) {
        throw new InvalidInputException(
            file + ": found '" + text + "', expected the version of the tables here");
      }
      return OptionalInt.of(Integer.parseInt(text));
    } catch (FileNotFoundException e) {
      return unmarked();
    } catch (IOException e) {
      throw new StorageException("cannot read " + file, e);
    }
  }

  /** Tables had no file of their version at first: those of 1 lie in other places. */
  private OptionalInt unmarked() {
    try {
      FileSystem files = root.getFileSystem(configuration);
      for (String table : List.of("metrics", "scores")) {
        Path folder = table(table);
        Path first = files.exists(folder) ? firstFile(files, folder) : null;
        if (first != null) {
          boolean oldest =
              table.equals("metrics")
                  ? !first.getParent().getParent().getName().equals(table)
                  : first.getName().equals("scores" + PARQUET);
          return OptionalInt.of(oldest ? 1 : 2);
        }
      }
      return OptionalInt.empty();
    } catch (IOException e) {
      throw new StorageException("cannot list " + root, e);
    }
  }

  /** The first file below a folder, or null: a listing a level. */
  private static Path firstFile(FileSystem files, Path folder) throws IOException {
    for (FileStatus status : files.listStatus(folder)) {
      Path found = status.isDirectory() ? firstFile(files, status.getPath()) : status.getPath();
      if (found != null && found.getName().endsWith(PARQUET)) {
        return found;
      }
    }
    return null;
  }

  public Path table(String name) {
    return new Path(root, name);
  }

  /** A cell's scores: that the file is there is the commit. */
  public RowFile scores(StoredCell cell) {
    return file(cell.slice().partition().and("task", cell.task()), "scores", cell.id());
  }

  /** The documents of an imported cell. */
  public RowFile documents(Slice slice, String task) {
    return file(slice.partition().and("task", task), "documents", "documents");
  }

  public RowFile metrics(String model) {
    return file(Partition.of("model", model), "metrics", "metrics");
  }

  public RowFile degradation(String model) {
    return file(Partition.of("model", model), "degradation", "degradation");
  }

  public RowFile checkpoints(String model) {
    return file(Partition.of("model", model), "checkpoints", "checkpoints");
  }

  /**
   * What an analysis found of a checkpoint: that the file is there is the commit.
   *
   * @param key of the content that it was found of, of a landscape after {@code landscape-}
   */
  public RowFile analysis(String model, long step, String key) {
    return file(Partition.of("model", model).and("step", step), "analysis", key);
  }

  /**
   * The files of analyses of a checkpoint: one and one of its landscape, but where a run was
   * stopped between two steps.
   */
  public List<RowFile> analyses(String model, long step) {
    return parquetFiles(analysis(model, step, "").path().getParent()).stream()
        .map(file -> new RowFile(file.getPath(), configuration))
        .toList();
  }

  public RowFile run(String runId) {
    return file(Partition.of("run_id", runId), "runs", "run");
  }

  /** What the gate found of a run. */
  public RowFile verdicts(String runId) {
    return file(Partition.of("run_id", runId), "verdicts", "verdicts");
  }

  /** The cells of a run that was accepted: that the file is there is the acceptance. */
  public RowFile accepted(String runId) {
    return file(Partition.of("run_id", runId), "accepted", "accepted");
  }

  /** The runs that were accepted, oldest first, as their names have their start. */
  public List<String> acceptedRuns() {
    return parquetFiles(table("accepted")).stream()
        .map(file -> Partition.value(file.getPath().getParent().getName()))
        .sorted()
        .toList();
  }

  /**
   * Copies a cell's scores to where no run changes them: under the hash of their bytes, so that
   * equal ones lie there once.
   *
   * @return the name for {@link #kept}
   */
  public String keep(StoredCell cell) {
    Path source = scores(cell).path();
    try (InputStream in = source.getFileSystem(configuration).open(source)) {
      byte[] content = in.readAllBytes();
      String name = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
      RowFile copy = kept(name);
      if (!copy.exists()) {
        Storage.put(copy.path(), content, staging(), List.of(), configuration);
      }
      return name;
    } catch (IOException e) {
      throw new StorageException("cannot copy " + source, e);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Scores that were kept. */
  public RowFile kept(String name) {
    return new RowFile(new Path(new Path(root, "accepted_scores"), name + PARQUET), configuration);
  }

  private RowFile file(Partition partition, String table, String name) {
    return new RowFile(new Path(partition.under(table(table)), name + PARQUET), configuration);
  }

  /** The cells whose scores lie here, in the order of their folders. */
  public List<StoredCell> storedCells() {
    return storedCells(table("scores"));
  }

  /** The cells of one model at one precision whose scores lie here. */
  public List<StoredCell> storedCells(String model, String precision) {
    return storedCells(
        Partition.of("model", model).and("precision", precision).under(table("scores")));
  }

  private List<StoredCell> storedCells(Path folder) {
    return parquetFiles(folder).stream().map(file -> storedCell(file.getPath())).toList();
  }

  /** Every file of {@code scores}, in the order of their folders. */
  public List<FileStatus> scoreFiles() {
    return parquetFiles(table("scores"));
  }

  /**
   * A listing, of no file's content: one request a folder, or on an object store one for about a
   * thousand cells.
   */
  private List<FileStatus> parquetFiles(Path folder) {
    List<FileStatus> found = new ArrayList<>();
    try {
      FileSystem files = folder.getFileSystem(configuration);
      if (files.exists(folder)) {
        if (Storage.isObjectStore(folder, configuration)) {
          RemoteIterator<LocatedFileStatus> all = files.listFiles(folder, true);
          while (all.hasNext()) {
            found.add(all.next());
          }
        } else {
          walk(files, folder, found);
        }
      }
    } catch (IOException e) {
      throw new StorageException("cannot list " + folder, e);
    }
    return found.stream()
        .filter(file -> file.getPath().getName().endsWith(PARQUET))
        .sorted(Comparator.comparing(FileStatus::getPath))
        .toList();
  }

  private static void walk(FileSystem files, Path folder, List<FileStatus> found)
      throws IOException {
    for (FileStatus status : files.listStatus(folder)) {
      if (status.isDirectory()) {
        walk(files, status.getPath(), found);
      } else {
        found.add(status);
      }
    }
  }

  private static StoredCell storedCell(Path file) {
    Path task = file.getParent();
    Path step = task.getParent();
    Path precision = step.getParent();
    String name = file.getName();
    return new StoredCell(
        new Slice(
            Partition.value(precision.getParent().getName()),
            Partition.value(precision.getName()),
            Long.parseLong(Partition.value(step.getName()))),
        Partition.value(task.getName()),
        name.substring(0, name.length() - PARQUET.length()));
  }

  /**
   * Makes a file that is no table appear whole, in the place of one that may be there.
   *
   * @param file any Hadoop URI
   * @throws StorageException naming the file
   */
  public static void putWhole(Path file, byte[] content, Configuration configuration) {
    try {
      Path folder = file.getFileSystem(configuration).makeQualified(file).getParent();
      Storage.put(file, content, folder, List.of(), configuration);
    } catch (IOException e) {
      throw new StorageException("cannot write " + file, e);
    }
  }

  /** Unfinished files; outside every table, since some readers look into hidden folders too. */
  public Path staging() {
    return new Path(root, ".staging");
  }

  /**
   * What calibration found; outside every table.
   *
   * @param key of the content that it was found of
   */
  public Path calibration(String key) {
    return new Path(new Path(root, "calibration"), key + ".safetensors");
  }

  /** Makes a file, or replaces it, in one step, of one on this machine. */
  public void upload(java.nio.file.Path content, Path file) throws IOException {
    Storage.upload(content, file, staging(), configuration);
  }

  /** Copies that {@code sql.sh} makes of {@code scores}; outside every table too. */
  public Path packed() {
    return new Path(root, ".packed");
  }
}
