package org.cliffwatch.jobs.present;

import java.util.List;

/** A table as text: columns padded, numbers to the right. */
public final class TextTable {
  private static final String NUMBER = "[-+]?[0-9][0-9.,eE+-]*%?|NaN|-|NULL";

  private TextTable() {}

  public static String of(String[] header, List<String[]> rows) {
    int columns = header.length;
    int[] width = new int[columns];
    boolean[] right = new boolean[columns];
    for (int c = 0; c < columns; c++) {
      int column = c;
      width[c] = length(header[c]);
      right[c] = !rows.isEmpty() && rows.stream().allMatch(row -> row[column].matches(NUMBER));
      for (String[] row : rows) {
        width[c] = Math.max(width[c], length(row[c]));
      }
    }
    StringBuilder text = new StringBuilder();
    line(text, header, width, right);
    String[] rule = new String[columns];
    for (int c = 0; c < columns; c++) {
      rule[c] = "-".repeat(width[c]);
    }
    line(text, rule, width, right);
    rows.forEach(row -> line(text, row, width, right));
    return text.toString();
  }

  private static int length(String text) {
    return text.codePointCount(0, text.length());
  }

  private static void line(StringBuilder text, String[] cells, int[] width, boolean[] right) {
    StringBuilder line = new StringBuilder();
    for (int c = 0; c < cells.length; c++) {
      String padding = " ".repeat(width[c] - length(cells[c]));
      line.append(right[c] ? padding + cells[c] : cells[c] + padding).append("  ");
    }
    text.append(line.toString().stripTrailing()).append('\n');
  }
}
