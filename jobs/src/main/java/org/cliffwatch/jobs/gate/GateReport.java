package org.cliffwatch.jobs.gate;

import java.io.StringWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamWriter;
import org.cliffwatch.jobs.present.TextTable;
import org.cliffwatch.jobs.table.VerdictRow;

/** Verdicts for those who read them: a table, a line, Markdown, JUnit's XML. */
public final class GateReport {
  private static final String[] HEADER = {
    "outcome", "rule", "where", "value", "margin", "p_adjusted", "detectable", "reason"
  };

  /** Of the rows that a person reads; all are in the table {@code verdicts}. */
  private static final int MOST_ROWS = 40;

  private static final String NONE = "-";

  private final String suite;
  private final Verdicts verdicts;
  private final int exitCode;

  /**
   * @param exitCode what the command ends with
   */
  public GateReport(String suite, Verdicts verdicts, int exitCode) {
    this.suite = suite;
    this.verdicts = verdicts;
    this.exitCode = exitCode;
  }

  /** What did not pass, and how many did. */
  public String table() {
    List<VerdictRow> open = open();
    StringBuilder text = new StringBuilder();
    if (!open.isEmpty()) {
      text.append(
          TextTable.of(HEADER, open.stream().limit(MOST_ROWS).map(GateReport::cells).toList()));
      if (open.size() > MOST_ROWS) {
        text.append("and ").append(open.size() - MOST_ROWS).append(" more, in verdicts\n");
      }
      text.append('\n');
    }
    return text.append(counts()).append('\n').toString();
  }

  /** What did not pass, failures first, errors before warnings. */
  private List<VerdictRow> open() {
    List<VerdictRow> open = new ArrayList<>();
    for (boolean error : new boolean[] {true, false}) {
      for (String outcome :
          List.of(VerdictRow.FAIL, VerdictRow.INCOMPARABLE, VerdictRow.INCONCLUSIVE)) {
        verdicts.rows().stream()
            .filter(row -> row.is(outcome) && row.isError() == error)
            .forEach(open::add);
      }
    }
    return open;
  }

  private static String[] cells(VerdictRow row) {
    return new String[] {
      row.isError() ? row.outcome() : row.outcome() + " (warn)",
      row.rule(),
      row.place().isEmpty() ? "all" : row.place(),
      value(row),
      number(row.margin()),
      row.pAdjusted() == null ? NONE : String.format(Locale.ROOT, "%.2g", row.pAdjusted()),
      number(row.minimumDetectable()),
      row.reason()
    };
  }

  private static String value(VerdictRow row) {
    if (row.value() == null) {
      return NONE;
    }
    String value = signed(row, row.value());
    return row.low() == null
        ? value
        : value + " (" + signed(row, row.low()) + " to " + signed(row, row.high()) + ")";
  }

  private static String signed(VerdictRow row, double value) {
    boolean isChange = row.unit().matches("abs_pp|rel_pct|plain");
    return String.format(Locale.ROOT, isChange ? "%+.3g" : "%.3g", value);
  }

  private static String number(Double value) {
    return value == null ? NONE : Verdicts.number(value);
  }

  private String counts() {
    return verdicts.rows().size()
        + " verdicts: "
        + String.join(
            ", ",
            List.of(
                part(VerdictRow.PASS, "passed"),
                part(VerdictRow.FAIL, "failed"),
                part(VerdictRow.INCONCLUSIVE, "inconclusive"),
                part(VerdictRow.INCOMPARABLE, "incomparable")));
  }

  private String part(String outcome, String said) {
    long all = verdicts.count(row -> row.is(outcome));
    long warnings = verdicts.count(row -> row.is(outcome) && !row.isError());
    return all
        + " "
        + said
        + (outcome.equals(VerdictRow.PASS) || warnings == 0
            ? ""
            : " (" + warnings + " as warnings)");
  }

  /** One line for a chat. */
  public String line() {
    String what =
        switch (exitCode) {
          case 0 -> "PASS";
          case 1 -> "FAIL";
          case 2 -> "INCONCLUSIVE";
          default -> "CELLS FAILED";
        };
    String worst =
        verdicts
            .worst()
            .map(
                row ->
                    "; worst: "
                        + row.rule()
                        + ", "
                        + (row.place().isEmpty() ? "all" : row.place())
                        + (row.value() == null
                            ? ": " + row.reason()
                            : " "
                                + signed(row, row.value())
                                + " "
                                + row.unit()
                                + " (margin "
                                + number(row.margin())
                                + ")"))
            .orElse("");
    return "cliffwatch "
        + suite
        + ": "
        + what
        + ", "
        + counts()
        + worst
        + "; run "
        + verdicts.runId()
        + (verdicts.baselineRun() == null ? "" : " against " + verdicts.baselineRun());
  }

  /** A summary for a page or a comment. */
  public String markdown() {
    StringBuilder text = new StringBuilder("## " + escape(line()) + "\n\n");
    text.append("| rule | level | passed | failed | inconclusive | incomparable |\n");
    text.append("|---|---|---|---|---|---|\n");
    byRule()
        .forEach(
            (rule, rows) ->
                text.append(
                    String.format(
                        Locale.ROOT,
                        "| %s | %s | %d | %d | %d | %d |\n",
                        escape(rule),
                        rows.get(0).level(),
                        count(rows, VerdictRow.PASS),
                        count(rows, VerdictRow.FAIL),
                        count(rows, VerdictRow.INCONCLUSIVE),
                        count(rows, VerdictRow.INCOMPARABLE))));
    List<VerdictRow> open = open();
    if (!open.isEmpty()) {
      text.append("\n| ").append(String.join(" | ", HEADER)).append(" |\n|");
      text.append("---|".repeat(HEADER.length)).append('\n');
      for (VerdictRow row : open.subList(0, Math.min(MOST_ROWS, open.size()))) {
        text.append("| ");
        for (String cell : cells(row)) {
          text.append(escape(cell)).append(" | ");
        }
        text.setLength(text.length() - 1);
        text.append('\n');
      }
      if (open.size() > MOST_ROWS) {
        text.append("\nand ").append(open.size() - MOST_ROWS).append(" more, in `verdicts`\n");
      }
    }
    return text.toString();
  }

  private static long count(List<VerdictRow> rows, String outcome) {
    return rows.stream().filter(row -> row.is(outcome)).count();
  }

  private Map<String, List<VerdictRow>> byRule() {
    return verdicts.rows().stream()
        .collect(Collectors.groupingBy(VerdictRow::rule, LinkedHashMap::new, Collectors.toList()));
  }

  /** What Markdown would take for a table's bar, a tag or markup. */
  private static String escape(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace("|", "\\|")
        .replace("*", "\\*")
        .replace("_", "\\_")
        .replace("`", "\\`")
        .replace("\n", " ");
  }

  /**
   * As CI servers read it: a suite a rule, a case a verdict. A rule of level error that failed is a
   * {@code failure}, one that had nothing to compare an {@code error}; what is inconclusive or a
   * warning is {@code skipped}, with its reason.
   */
  public String junit() {
    StringWriter out = new StringWriter();
    try {
      XMLStreamWriter xml = XMLOutputFactory.newInstance().createXMLStreamWriter(out);
      xml.writeStartDocument("UTF-8", "1.0");
      xml.writeStartElement("testsuites");
      xml.writeAttribute("name", text("cliffwatch " + suite));
      counts(xml, verdicts.rows());
      for (Map.Entry<String, List<VerdictRow>> rule : byRule().entrySet()) {
        xml.writeStartElement("testsuite");
        xml.writeAttribute("name", text(rule.getKey()));
        counts(xml, rule.getValue());
        xml.writeAttribute("skipped", "" + kinds(rule.getValue(), "skipped"));
        for (VerdictRow row : rule.getValue()) {
          testCase(xml, row);
        }
        xml.writeEndElement();
      }
      xml.writeEndElement();
      xml.writeEndDocument();
    } catch (XMLStreamException e) {
      throw new IllegalStateException(e);
    }
    return out + "\n";
  }

  private static void counts(XMLStreamWriter xml, List<VerdictRow> rows) throws XMLStreamException {
    xml.writeAttribute("tests", "" + rows.size());
    xml.writeAttribute("failures", "" + kinds(rows, "failure"));
    xml.writeAttribute("errors", "" + kinds(rows, "error"));
  }

  private static long kinds(List<VerdictRow> rows, String wanted) {
    return rows.stream().filter(row -> xmlKind(row).equals(wanted)).count();
  }

  private static String xmlKind(VerdictRow row) {
    if (row.is(VerdictRow.PASS)) {
      return "";
    }
    if (!row.isError() || row.is(VerdictRow.INCONCLUSIVE)) {
      return "skipped";
    }
    return row.is(VerdictRow.FAIL) ? "failure" : "error";
  }

  private void testCase(XMLStreamWriter xml, VerdictRow row) throws XMLStreamException {
    xml.writeStartElement("testcase");
    xml.writeAttribute("classname", text("cliffwatch." + suite + "." + row.rule()));
    xml.writeAttribute("name", text(row.place().isEmpty() ? "all" : row.place()));
    xml.writeAttribute("time", "0");
    String kind = xmlKind(row);
    if (!kind.isEmpty()) {
      xml.writeStartElement(kind);
      xml.writeAttribute(
          "message",
          text((row.isError() ? "" : "warning: " + row.outcome() + ": ") + row.reason()));
      if (!kind.equals("skipped")) {
        xml.writeAttribute("type", row.outcome());
        xml.writeCharacters(text(String.join("  ", cells(row))));
      }
      xml.writeEndElement();
    }
    xml.writeEndElement();
  }

  /** XML 1.0 has no way to say most control characters, nor half of a surrogate pair. */
  private static String text(String text) {
    return text.codePoints()
        .map(
            c ->
                (c < ' ' && c != '\t' && c != '\n' && c != '\r')
                        || (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE)
                        || c == 0xFFFE
                        || c == 0xFFFF
                    ? '\uFFFD'
                    : c)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
        .toString();
  }
}
