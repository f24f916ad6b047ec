package org.cliffwatch.jobs.table;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.sql.types.StructField;
import org.cliffwatch.jobs.plan.Sha256;
import org.junit.jupiter.api.Test;

/** TABLES.md says what the code writes, and a change of it has a version. */
class TablesTest {
  private static final Path PAGE = Path.of("TABLES.md");
  private static final Pattern HEADING = Pattern.compile("## ([A-Za-z]+)");
  private static final Pattern COLUMN = Pattern.compile("\\| ([a-z_]+) \\| ([a-z0-9_:,<>]+) \\|.*");

  private static Map<String, List<String>> written() {
    Map<String, List<String>> tables = new LinkedHashMap<>();
    Tables.schemas()
        .forEach(
            (name, schema) -> {
              List<String> columns = new ArrayList<>();
              for (StructField field : schema.fields()) {
                columns.add(field.name() + " " + field.dataType().catalogString());
              }
              tables.put(name, columns);
            });
    return tables;
  }

  @Test
  void thePageNamesEveryColumn() throws IOException {
    Map<String, List<String>> described = new LinkedHashMap<>();
    List<String> columns = new ArrayList<>();
    for (String line : Files.readAllLines(PAGE)) {
      Matcher heading = HEADING.matcher(line);
      Matcher column = COLUMN.matcher(line);
      if (heading.matches()) {
        columns = described.computeIfAbsent(heading.group(1), name -> new ArrayList<>());
      } else if (column.matches() && !column.group(1).equals("column")) {
        columns.add(column.group(1) + " " + column.group(2));
      }
    }
    assertThat(described).containsAllEntriesOf(written());
  }

  @Test
  void everyChangeHasAVersion() throws IOException {
    String hash = Sha256.of("tables", written().toString()).substring(0, 16);
    assertThat(Files.readString(PAGE))
        .contains("Version " + Tables.VERSION + ";")
        .contains("| " + Tables.VERSION + " | `" + hash + "` |");
  }
}
