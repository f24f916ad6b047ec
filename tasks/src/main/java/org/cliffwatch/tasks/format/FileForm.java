package org.cliffwatch.tasks.format;

import java.util.List;
import org.cliffwatch.tasks.InvalidInputException;

/**
 * How a file is read whose name does not tell it.
 *
 * @param as the ending whose format it has, or {@code lines}: a record a line, of one column; null
 *     where the file's own ending tells
 * @param columns the columns' names, where the file's first row does not name them
 */
public record FileForm(String as, List<String> columns) {
  private static final String LINES = "lines";

  /** Binary ones tell themselves. */
  private static final List<String> TEXT_FORMATS = List.of("csv", "json", "jsonl", "tsv");

  /** What a file's name tells. */
  public static final FileForm BY_NAME = new FileForm(null, List.of());

  public FileForm {
    columns = columns == null ? List.of() : List.copyOf(columns);
    if (LINES.equals(as) ? columns.size() != 1 : as != null && !TEXT_FORMATS.contains(as)) {
      throw new InvalidInputException(
          "found "
              + as
              + " with "
              + columns.size()
              + " columns, expected lines with one, or one of "
              + String.join(", ", TEXT_FORMATS));
    }
  }

  /** The format of a file of this name, which has no compression's ending any more. */
  Format format(String name) {
    if (LINES.equals(as)) {
      return new LinesFormat(columns.get(0));
    }
    Format format = Format.of(as == null ? name : "." + as);
    return columns.isEmpty() || !(format instanceof SeparatedFormat separated)
        ? format
        : separated.withColumns(columns);
  }
}
