package org.cliffwatch.jobs.sql;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What {@code submit/sql/external.sql} has for each engine. */
final class Declarations {
  private static final Path FILE = Path.of("../submit/sql/external.sql");

  private Declarations() {}

  static List<String> of(String engine, Path tables) throws IOException {
    Matcher section =
        Pattern.compile("(?s)-- begin " + engine + "\n(.*?)-- end " + engine + "\n")
            .matcher(Files.readString(FILE));
    if (!section.find()) {
      throw new IllegalArgumentException("found no section " + engine + " in " + FILE);
    }
    return Statements.of(section.group(1).replace("'DIR/", "'" + tables.toAbsolutePath() + "/"))
        .all();
  }
}
