package org.cliffwatch.jobs.sql;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.PrintStream;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.cliffwatch.jobs.table.Tables;

/**
 * The table {@code scores}, a file a cell, for statements: Spark takes milliseconds to open a file,
 * so the small ones are copied into few, once. The copies lie in {@code DIR/.packed}, outside every
 * table; nothing but this class uses them, and they may be deleted.
 *
 * <p>A pack is a folder of Parquet files, in which the partition columns are columns, and a list of
 * the files it was made of beside it. The list is written last: what has none is no pack. A pack is
 * good as long as all of those files are there, and as they were.
 */
final class PackedScores {
  /** What reading a file of this size costs is more than what opening it does. */
  private static final long SMALL_BYTES = 1 << 20;

  private static final String LIST = ".cells";

  private final SparkSession spark;
  private final Path folder;
  private final Path packs;
  private final FileSystem files;

  /** Every file of the table, by its path below the folder, size and time. */
  private final Map<String, Path> cells = new LinkedHashMap<>();

  private final Set<String> small = new LinkedHashSet<>();

  private final Set<String> packed = new HashSet<>();
  private final List<Path> good = new ArrayList<>();

  PackedScores(SparkSession spark, Tables tables) throws IOException {
    this.spark = spark;
    this.folder = tables.table("scores");
    this.packs = new Path(tables.packed(), "scores-" + Tables.VERSION);
    this.files = folder.getFileSystem(spark.sparkContext().hadoopConfiguration());
    int below = files.makeQualified(folder).toUri().getPath().length() + 1;
    for (FileStatus file : tables.scoreFiles()) {
      String name = file.getPath().toUri().getPath().substring(below);
      String cell = String.join("\t", name, "" + file.getLen(), "" + file.getModificationTime());
      cells.put(cell, file.getPath());
      if (file.getLen() < SMALL_BYTES) {
        small.add(cell);
      }
    }
    if (files.exists(packs)) {
      findPacks();
    }
  }

  /** Of two packs that have a cell in common, made at the same time, one is left alone. */
  private void findPacks() throws IOException {
    FileStatus[] lists = files.listStatus(packs, path -> path.getName().endsWith(LIST));
    Arrays.sort(lists, Comparator.comparing(FileStatus::getPath));
    for (FileStatus list : lists) {
      String name = list.getPath().getName();
      Path pack = new Path(packs, name.substring(0, name.length() - LIST.length()));
      List<String> content = read(list.getPath());
      if (!cells.keySet().containsAll(content)) {
        drop(pack);
      } else if (Collections.disjoint(packed, content)) {
        use(pack, content);
      }
    }
  }

  private List<String> read(Path list) throws IOException {
    try (BufferedReader lines =
        new BufferedReader(new InputStreamReader(files.open(list), StandardCharsets.UTF_8))) {
      return lines.lines().toList();
    }
  }

  private void use(Path pack, Collection<String> content) {
    good.add(pack);
    packed.addAll(content);
    small.removeAll(content);
  }

  /** Who may not write here reads around it. */
  private void drop(Path pack) {
    try {
      files.delete(pack.suffix(LIST), false);
      files.delete(pack, true);
    } catch (IOException e) {
      // It is as bad as before, and will be found so again.
    }
  }

  /** Packs the small files that are in no pack, if they are more than a statement should open. */
  void pack(int most, PrintStream log) {
    if (small.size() <= most) {
      return;
    }
    log.println("copying " + small.size() + " cells' scores into few files, once, for SQL ...");
    Path pack = new Path(packs, UUID.randomUUID().toString());
    try {
      rows(small).write().parquet(pack.toString());
      try (Writer list =
          new OutputStreamWriter(files.create(pack.suffix(LIST), false), StandardCharsets.UTF_8)) {
        list.write(String.join("\n", small));
      }
      use(pack, List.copyOf(small));
    } catch (Exception e) {
      drop(pack);
      log.println("cannot write " + pack + ", statements will open every file: " + e.getMessage());
    }
  }

  Dataset<Row> rows() {
    Set<String> loose = new LinkedHashSet<>(cells.keySet());
    loose.removeAll(packed);
    if (good.isEmpty()) {
      return rows(loose);
    }
    Dataset<Row> rows =
        spark
            .read()
            .schema(schema())
            .parquet(good.stream().map(Path::toString).toArray(String[]::new));
    return loose.isEmpty() ? rows : rows.union(rows(loose));
  }

  private Dataset<Row> rows(Collection<String> names) {
    if (names.isEmpty()) {
      return spark.createDataFrame(List.<Row>of(), schema());
    }
    Dataset<Row> rows =
        spark
            .read()
            .option("basePath", folder.toString())
            .schema(schema())
            .parquet(names.stream().map(name -> cells.get(name).toString()).toArray(String[]::new));
    return rows.select(Arrays.stream(schema().fieldNames()).map(rows::col).toArray(Column[]::new));
  }

  private static StructType schema() {
    return Tables.schemas().get("scores");
  }
}
