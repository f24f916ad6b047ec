package org.cliffwatch.jobs.run;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.cliffwatch.jobs.plan.Piece;
import org.cliffwatch.jobs.plan.Sha256;
import org.cliffwatch.jobs.table.RowFile;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.StorageException;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.jobs.table.Tables;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How scores become cells of the table {@code scores}: the protocol, whole.
 *
 * <ul>
 *   <li>A cell is one file whose name is the cell's id. That the file is there is the commit;
 *       nothing else is, and nobody renames a folder.
 *   <li>A task that has scored all of a cell commits it at once. Else it keeps what it has scored
 *       as a part, {@code .staging/<name>/<first>-<end>.parquet}, and whoever finds that the parts
 *       make up the cell puts them together: the same rows in the same order, hence the same bytes,
 *       however often and by however many that is done.
 *   <li>Parts are removed after the commit. One written later, by an attempt that Spark has given
 *       up on, is removed at the end of a run.
 *   <li>Cells of other content in the same place are removed before the commit, when nothing is
 *       left to do but the move into place: a reader sees the old cell, none, or the new one, never
 *       both.
 * </ul>
 */
final class CellFiles {
  private static final Logger LOG = LoggerFactory.getLogger(CellFiles.class);

  /** Footer keys of a part. */
  private static final String TOKENS = "cliffwatch.tokens";

  private static final String SECONDS = "cliffwatch.seconds";

  private static final long DAY_MILLIS = 24L * 60 * 60 * 1000;

  private static final Pattern PART = Pattern.compile("([0-9]{1,9})-([0-9]{1,9})\\.parquet");

  private final Tables tables;
  private final Configuration configuration;
  private final String fresh;

  /**
   * @param fresh the run's name where what earlier runs left is not to be used; else null
   */
  CellFiles(String output, Configuration configuration, String fresh) {
    this.tables = new Tables(new Path(output), configuration);
    this.configuration = configuration;
    this.fresh = fresh;
  }

  /** How much was scored, and how fast. */
  record Effort(long tokens, double seconds) {
    static final Effort NONE = new Effort(0, 0);

    Effort plus(Effort other) {
      return new Effort(tokens + other.tokens, seconds + other.seconds);
    }
  }

  /** Scored items of a cell, {@code [first, end)}, that wait for the others. */
  record Part(int first, int end) {}

  /** A cell put together, with the effort of all its parts. */
  record Assembled(List<ScoreRow> rows, Effort effort) {}

  boolean isCommitted(StoredCell cell) {
    return tables.scores(cell).exists();
  }

  /**
   * Puts a cell into the table.
   *
   * @param rows every item once a replica
   */
  void commit(Piece piece, int replicas, List<ScoreRow> rows) {
    StoredCell cell = piece.cell();
    List<ScoreRow> sorted = new ArrayList<>(rows);
    sorted.sort(Comparator.comparingInt(ScoreRow::replica).thenComparingInt(ScoreRow::item));
    requireWhole(cell, sorted, piece.cellItems(), replicas);
    // Another task may do the same at the same time: the bytes are the same.
    tables
        .scores(cell)
        .write(
            tables.staging(),
            Tables.SCORES,
            Map.of(),
            sorted,
            piece.superseded().stream()
                .map(other -> tables.scores(new StoredCell(cell.slice(), cell.task(), other)))
                .toList());
  }

  /** Every item once a replica: a lost or doubled part must never become a shorter table. */
  private static void requireWhole(StoredCell cell, List<ScoreRow> rows, int size, int replicas) {
    int expected = size * replicas;
    boolean whole = rows.size() == expected;
    for (int i = 0; whole && i < expected; i++) {
      whole = rows.get(i).item() == i % size && rows.get(i).replica() == i / size;
    }
    if (!whole) {
      throw new IllegalStateException(
          cell
              + ": found "
              + rows.size()
              + " rows, expected "
              + expected
              + ", each item once a replica");
    }
  }

  void keep(StoredCell cell, Part part, Effort effort, List<ScoreRow> rows) {
    file(cell, part)
        .write(
            tables.staging(),
            Tables.SCORES,
            Map.of(
                TOKENS, Long.toString(effort.tokens()),
                SECONDS, Double.toString(effort.seconds())),
            rows);
  }

  /** The cell's parts by position, none that overlaps one before it. */
  List<Part> parts(StoredCell cell) {
    List<Part> found = new ArrayList<>();
    for (FileStatus status : list(folder(cell))) {
      Matcher name = PART.matcher(status.getPath().getName());
      if (name.matches()) {
        found.add(new Part(Integer.parseInt(name.group(1)), Integer.parseInt(name.group(2))));
      }
    }
    // Of those that begin alike the longest: what it holds the others hold too.
    found.sort(
        Comparator.comparingInt(Part::first)
            .thenComparing(Comparator.comparingInt(Part::end).reversed()));
    List<Part> parts = new ArrayList<>();
    int end = 0;
    for (Part part : found) {
      if (part.first() >= end) {
        parts.add(part);
        end = part.end();
      }
    }
    return parts;
  }

  /** What of the items of {@code of} is in no part. */
  static List<Part> missing(List<Part> parts, Part of) {
    List<Part> missing = new ArrayList<>();
    int next = of.first();
    for (Part part : parts) {
      if (part.first() > next && next < of.end()) {
        missing.add(new Part(next, Math.min(part.first(), of.end())));
      }
      next = Math.max(next, part.end());
    }
    if (next < of.end()) {
      missing.add(new Part(next, of.end()));
    }
    return missing;
  }

  /** Commits the cell if its parts make it up; what another run of it has committed counts too. */
  Optional<Assembled> assemble(Piece piece, int replicas) {
    StoredCell cell = piece.cell();
    List<Part> parts = parts(cell);
    if (!missing(parts, new Part(0, piece.cellItems())).isEmpty()) {
      return byAnother(cell);
    }
    List<ScoreRow> rows = new ArrayList<>();
    Effort effort = Effort.NONE;
    try {
      for (Part part : parts) {
        RowFile file = file(cell, part);
        Map<String, String> footer = file.metadata().orElseThrow(() -> gone(file));
        effort =
            effort.plus(
                new Effort(
                    Long.parseLong(footer.get(TOKENS)), Double.parseDouble(footer.get(SECONDS))));
        rows.addAll(file.read(Tables.SCORES));
      }
    } catch (StorageException e) {
      Optional<Assembled> first = byAnother(cell);
      if (first.isPresent()) {
        return first;
      }
      throw e;
    }
    commit(piece, replicas, rows);
    forget(cell);
    return Optional.of(new Assembled(rows, effort));
  }

  /** The cell where another task was first, which then removes the parts. */
  private Optional<Assembled> byAnother(StoredCell cell) {
    return fresh == null && isCommitted(cell)
        ? Optional.of(new Assembled(tables.scores(cell).read(Tables.SCORES), Effort.NONE))
        : Optional.empty();
  }

  private static StorageException gone(RowFile file) {
    return new StorageException(
        "cannot read " + file.path(), new FileNotFoundException("it is gone"));
  }

  /** Removes a cell's parts. They take room and do no harm: that they stay fails nothing. */
  void forget(StoredCell cell) {
    delete(folder(cell));
  }

  /** The names of all cells that have parts: one listing. */
  Set<String> started() {
    return list(tables.staging()).stream()
        .filter(FileStatus::isDirectory)
        .map(status -> status.getPath().getName())
        .collect(Collectors.toSet());
  }

  /** Removes files that a process has begun to write and not finished a day ago or earlier. */
  void removeOldUnfinished() {
    long old = System.currentTimeMillis() - DAY_MILLIS;
    list(tables.staging()).stream()
        .filter(status -> status.isFile() && status.getModificationTime() < old)
        .forEach(status -> delete(status.getPath()));
  }

  /** Nothing where there is no such folder. */
  private List<FileStatus> list(Path folder) {
    try {
      return List.of(folder.getFileSystem(configuration).listStatus(folder));
    } catch (FileNotFoundException e) {
      return List.of();
    } catch (IOException e) {
      throw new StorageException("cannot list " + folder, e);
    }
  }

  /**
   * The name that {@link #started} has for a cell: of its place too, since two checkpoints may be
   * the same.
   */
  String name(StoredCell cell) {
    String name = Sha256.of("id", cell.id(), "slice", cell.slice().toString(), "task", cell.task());
    return fresh == null ? name : name + "." + fresh;
  }

  private void delete(Path path) {
    try {
      path.getFileSystem(configuration).delete(path, true);
    } catch (IOException e) {
      LOG.warn("cannot delete {}", path, e);
    }
  }

  private RowFile file(StoredCell cell, Part part) {
    return new RowFile(
        new Path(folder(cell), part.first() + "-" + part.end() + ".parquet"), configuration);
  }

  private Path folder(StoredCell cell) {
    return new Path(tables.staging(), name(cell));
  }
}
