package org.cliffwatch.jobs.run;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.cliffwatch.jobs.plan.Sha256;
import org.cliffwatch.jobs.table.Columns;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.RowFile;
import org.cliffwatch.jobs.table.Tables;

/** What an output folder of this machine holds, to be compared with another. */
final class Contents {
  private Contents() {}

  /** A digest of every file's rows but those of {@code runs}, without what a clock has told. */
  static Map<String, String> of(Path output) {
    Map<String, String> tables = new TreeMap<>();
    for (String file : files(output)) {
      List<?> rows =
          switch (file.substring(0, file.indexOf('/'))) {
            case "scores" -> rows(output, file, Tables.SCORES);
            case "metrics" ->
                rows(output, file, Tables.METRICS).stream().map(Contents::withoutRates).toList();
            case "degradation" -> rows(output, file, Tables.DEGRADATION);
            case "checkpoints" ->
                rows(output, file, Tables.CHECKPOINTS).stream()
                    .map(row -> List.of(row.step(), row.identity(), row.files()))
                    .toList();
            default -> throw new IllegalStateException(file);
          };
      tables.put(
          file, rows.size() + " rows " + Sha256.of("rows", rows.toString()).substring(0, 12));
    }
    return tables;
  }

  private static MetricRow withoutRates(MetricRow row) {
    return new MetricRow(
        row.precision(),
        row.step(),
        row.cellId(),
        row.task(),
        row.metric(),
        row.higherIsBetter(),
        row.value(),
        row.stderr(),
        row.ciLow(),
        row.ciHigh(),
        row.replicas(),
        row.roundingSd(),
        row.items(),
        row.failed(),
        null,
        null,
        row.kernel(),
        row.taskVersion(),
        row.taskHash(),
        row.comparableKey(),
        row.comparableParts(),
        row.error());
  }

  /** The committed cells' files, with what changes when one is written again, be it the same. */
  static Map<String, String> cells(Path output) {
    Map<String, String> cells = new TreeMap<>();
    for (String file : files(output)) {
      if (file.startsWith("scores/")) {
        Path path = output.resolve(file);
        try {
          String hash = Sha256.of("bytes", HexFormat.of().formatHex(Files.readAllBytes(path)));
          var attributes = Files.readAttributes(path, BasicFileAttributes.class);
          cells.put(file, attributes.fileKey() + " " + attributes.lastModifiedTime() + " " + hash);
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }
    }
    return cells;
  }

  /** The tables' Parquet files. */
  private static List<String> files(Path output) {
    List<String> found = new ArrayList<>();
    for (String table : List.of("scores", "metrics", "degradation", "checkpoints")) {
      if (Files.exists(output.resolve(table))) {
        try (Stream<Path> files = Files.walk(output.resolve(table))) {
          files
              .filter(file -> file.toString().endsWith(".parquet"))
              .map(file -> output.relativize(file).toString())
              .forEach(found::add);
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }
    }
    return found;
  }

  private static <T extends Record> List<T> rows(Path output, String file, Columns<T> columns) {
    return new RowFile(
            new org.apache.hadoop.fs.Path(output.resolve(file).toUri()), new Configuration())
        .read(columns);
  }
}
