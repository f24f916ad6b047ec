package org.cliffwatch.tasks.format;

import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.cliffwatch.tasks.InvalidInputException;

/** A file format: how bytes become records. Formats know nothing of tasks. */
interface Format {
  /**
   * The file's records, in its order; a malformed one is a record that says so.
   *
   * @param file the whole file, decompressed
   * @throws FormatException where the file as a whole cannot be read
   */
  List<SourceRecord> read(byte[] file) throws FormatException;

  /** A file that is not of its format at all; the message does not name it. */
  final class FormatException extends Exception {
    private static final long serialVersionUID = 1L;

    FormatException(String message) {
      super(message);
    }

    FormatException(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /** The known formats by the ending of a file's name. */
  SortedMap<String, Format> BY_ENDING =
      Collections.unmodifiableSortedMap(
          new TreeMap<>(
              Map.ofEntries(
                  Map.entry("jsonl", new JsonLinesFormat()),
                  Map.entry("ndjson", new JsonLinesFormat()),
                  Map.entry("json", new JsonFormat()),
                  Map.entry("parquet", new ParquetFormat()),
                  Map.entry("arrow", new ArrowFormat()),
                  Map.entry("csv", new SeparatedFormat(',')),
                  Map.entry("tsv", new SeparatedFormat('\t')),
                  Map.entry("xml", new XmlFormat()),
                  Map.entry("raw", new WikiTextFormat()),
                  Map.entry("tokens", new WikiTextFormat()),
                  Map.entry("txt", new BlockFormat()))));

  /** The format of a file's name, which has no compression's ending any more. */
  static Format of(String name) {
    String ending = name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
    Format format = BY_ENDING.get(ending);
    if (format == null) {
      throw new InvalidInputException(
          name
              + ": found a file ending in '"
              + ending
              + "', expected one of "
              + String.join(", ", BY_ENDING.keySet()));
    }
    return format;
  }
}
