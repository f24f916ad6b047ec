package org.cliffwatch.jobs.sql;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.cliffwatch.tasks.InvalidInputException;
import org.jline.reader.Candidate;
import org.jline.reader.EOFError;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.ParsedLine;
import org.jline.reader.Parser;
import org.jline.reader.UserInterruptException;
import org.jline.reader.impl.DefaultParser;
import org.jline.terminal.Terminal;
import org.jline.terminal.Terminal.SignalHandler;

/** Statements typed at a terminal, in the manner of psql. */
public final class Prompt {
  private static final String HELP =
      """
      Statements end with ';' and may take several lines. Tab completes, Ctrl-C clears the statement
      or stops the one that runs, Ctrl-D leaves.

        \\d              tables and views; also: show tables; .tables
        \\d NAME         columns of one; also: describe NAME;
        \\i FILE         runs the statements of a file; also: .read FILE
        help, \\?        this
        quit, exit, \\q  leaves
      """;

  private static final Set<String> LEAVE = Set.of("quit", "exit", "\\q", ".quit", ".exit");
  private static final Set<String> ASK_HELP = Set.of("help", "?", "\\?", "\\h", ".help");

  private static final List<String> KEYWORDS =
      List.of(
          "ALL",
          "AND",
          "AS",
          "ASC",
          "AVG",
          "BETWEEN",
          "BY",
          "CASE",
          "CAST",
          "COUNT",
          "CREATE",
          "CROSS",
          "DESC",
          "DESCRIBE",
          "DISTINCT",
          "ELSE",
          "END",
          "EXCEPT",
          "EXISTS",
          "EXPLAIN",
          "FALSE",
          "FILTER",
          "FROM",
          "FULL",
          "GROUP",
          "HAVING",
          "IN",
          "INNER",
          "INTERSECT",
          "IS",
          "JOIN",
          "LEFT",
          "LIKE",
          "LIMIT",
          "MAX",
          "MIN",
          "NOT",
          "NULL",
          "NULLS",
          "ON",
          "OR",
          "ORDER",
          "OUTER",
          "OVER",
          "PARTITION",
          "RIGHT",
          "ROUND",
          "SELECT",
          "SHOW",
          "SUM",
          "TABLES",
          "TEMPORARY",
          "THEN",
          "TRUE",
          "UNION",
          "USING",
          "VIEW",
          "WHEN",
          "WHERE",
          "WITH");

  private final Database database;
  private final ResultFormat format;
  private final Terminal terminal;
  private final PrintStream out;
  private final LineReader reader;

  /**
   * @param history the file that keeps what was typed; without it, or where it cannot be written,
   *     only this session does
   */
  public Prompt(Terminal terminal, Database database, ResultFormat format, Optional<Path> history) {
    this.terminal = terminal;
    this.database = database;
    this.format = format;
    this.out = new PrintStream(terminal.output(), true, StandardCharsets.UTF_8);
    this.reader =
        LineReaderBuilder.builder()
            .terminal(terminal)
            .appName("cliffwatch")
            .parser(new StatementParser())
            .completer((line, parsed, candidates) -> complete(parsed.word(), candidates))
            .option(LineReader.Option.CASE_INSENSITIVE, true)
            .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
            .variable(LineReader.SECONDARY_PROMPT_PATTERN, "%P -> ")
            .build();
    history.filter(Prompt::canKeep).ifPresent(f -> reader.setVariable(LineReader.HISTORY_FILE, f));
  }

  /** Where the XDG base directories have a program's history. */
  public static Optional<Path> historyFile(Map<String, String> environment) {
    String state = environment.getOrDefault("XDG_STATE_HOME", "");
    String home = environment.getOrDefault("HOME", "");
    try {
      return state.isEmpty() && home.isEmpty()
          ? Optional.empty()
          : Optional.of(
              (state.isEmpty() ? Path.of(home, ".local", "state") : Path.of(state))
                  .resolve(Path.of("cliffwatch", "sql_history")));
    } catch (InvalidPathException e) {
      return Optional.empty();
    }
  }

  private static boolean canKeep(Path history) {
    try {
      Files.createDirectories(history.getParent());
      return Files.isWritable(Files.exists(history) ? history : history.getParent());
    } catch (IOException e) {
      return false;
    }
  }

  /** Reads and runs statements until the user leaves. */
  public void run() {
    out.println("Statements end with ';'. help tells more.");
    while (true) {
      String text;
      try {
        text = reader.readLine("cliffwatch> ");
      } catch (UserInterruptException e) {
        continue;
      } catch (EndOfFileException e) {
        return;
      }
      if (isCommand(text)) {
        String command = withoutEnd(text);
        if (LEAVE.contains(command.toLowerCase(Locale.ROOT))) {
          return;
        }
        obey(command);
      } else {
        Statements.of(text).all().forEach(this::answer);
      }
    }
  }

  /** Whether a line is for the prompt itself and needs no semicolon. */
  private static boolean isCommand(String line) {
    String command = withoutEnd(line);
    String lower = command.toLowerCase(Locale.ROOT);
    return command.startsWith("\\")
        || command.startsWith(".")
        || LEAVE.contains(lower)
        || ASK_HELP.contains(lower);
  }

  private static String withoutEnd(String line) {
    String command = line.strip();
    return command.endsWith(";") ? command.substring(0, command.length() - 1).strip() : command;
  }

  private void obey(String command) {
    String[] words = command.split("\\s+", 2);
    String argument = words.length > 1 ? words[1] : "";
    switch (words[0].toLowerCase(Locale.ROOT)) {
      case "\\d", ".tables", ".schema" ->
          answer(argument.isEmpty() ? "SHOW TABLES" : "DESCRIBE " + argument);
      case "\\i", ".read" -> runFile(argument);
      case "help", "?", "\\?", "\\h", ".help" -> out.print(HELP);
      default ->
          out.println("error: found " + words[0] + ", expected one of those that help lists");
    }
  }

  private void runFile(String file) {
    try {
      Statements.of(Files.readString(Path.of(file))).all().forEach(this::answer);
    } catch (IOException | InvalidPathException e) {
      out.println("error: " + file + ": found nothing readable, expected a file of statements");
    }
  }

  /** Ctrl-C stops the statement, and not the prompt. */
  private void answer(String statement) {
    AtomicBoolean stopped = new AtomicBoolean();
    SignalHandler before =
        terminal.handle(
            Terminal.Signal.INT,
            signal -> {
              stopped.set(true);
              database.cancel();
            });
    long start = System.nanoTime();
    try {
      OptionalLong rows = database.run(statement, format, out);
      double seconds = (System.nanoTime() - start) * 1e-9;
      out.println(
          String.format(Locale.ROOT, "Time taken: %.2f seconds", seconds)
              + (rows.isPresent() ? ", fetched " + rows.getAsLong() + " row(s)" : ""));
    } catch (RuntimeException e) {
      String what = e instanceof InvalidInputException ? e.getMessage() : e.toString();
      out.println(stopped.get() ? "stopped" : "error: " + what);
    } finally {
      terminal.handle(Terminal.Signal.INT, before);
    }
  }

  /**
   * After {@code name.} columns: of a table by that name, else, since it may be an alias, of all.
   */
  private void complete(String word, List<Candidate> candidates) {
    Map<String, List<String>> names = database.names();
    int dot = word.lastIndexOf('.');
    String prefix = word.substring(0, dot + 1);
    List<String> columns =
        dot > 0 && names.containsKey(word.substring(0, dot))
            ? names.get(word.substring(0, dot))
            : names.values().stream().flatMap(List::stream).toList();
    boolean upper = word.equals(word.toUpperCase(Locale.ROOT));
    Stream<String> keywords =
        dot > 0
            ? Stream.empty()
            : KEYWORDS.stream().map(k -> upper ? k : k.toLowerCase(Locale.ROOT));
    Set<String> all = new TreeSet<>(names.keySet());
    columns.forEach(column -> all.add(prefix + column));
    keywords.forEach(all::add);
    all.forEach(name -> candidates.add(new Candidate(name)));
  }

  /** A line is whole when its last statement is; the word to complete is an identifier. */
  private static final class StatementParser implements Parser {
    private final DefaultParser lines = new DefaultParser();

    @Override
    public ParsedLine parse(String line, int cursor, ParseContext context) {
      if (context == ParseContext.COMPLETE) {
        int start = cursor;
        while (start > 0 && isName(line.charAt(start - 1))) {
          start--;
        }
        return words(line, line.substring(start, cursor), cursor);
      }
      if (context == ParseContext.ACCEPT_LINE
          && !isCommand(line)
          && !Statements.of(line).isEnded()) {
        throw new EOFError(-1, -1, "found no ';' at the end of the statement");
      }
      return words(line, line, cursor);
    }

    private ParsedLine words(String line, String word, int cursor) {
      int at = Math.min(cursor, word.length());
      return lines.new ArgumentList(line, List.of(word), 0, at, cursor, null, at, word.length());
    }

    private static boolean isName(char c) {
      return Character.isLetterOrDigit(c) || c == '_' || c == '.';
    }
  }
}
