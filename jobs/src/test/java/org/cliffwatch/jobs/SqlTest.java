package org.cliffwatch.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.cliffwatch.jobs.present.TextTable;
import org.cliffwatch.jobs.table.DocumentRow;
import org.cliffwatch.jobs.table.Tables;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SqlTest {
  @TempDir Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  private int run(String input, String... arguments) {
    Tables tables =
        new Tables(new org.apache.hadoop.fs.Path(folder.toString()), new Configuration());
    tables
        .documents(new Tables.Slice("m", "fp32", 1), "piqa")
        .write(
            tables.staging(),
            Tables.DOCUMENTS,
            Map.of(),
            List.of(new DocumentRow(3, "\"é\", so", "0", "[]", "p", "t")));
    out.reset();
    Sql sql =
        new Sql(
            new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)),
            new PrintStream(out, true, StandardCharsets.UTF_8));
    return Commands.run(
        sql,
        Stream.concat(Stream.of("--tables", folder.toString()), Stream.of(arguments))
            .toArray(String[]::new));
  }

  private String printed() {
    return out.toString(StandardCharsets.UTF_8);
  }

  @Test
  void statementsAreReadFromInputUntilOneFails() {
    assertThat(run("SELECT item,\n  doc FROM documents; SELECT 6 * 7 AS n", "--format", "csv"))
        .isEqualTo(ExitCode.DONE);
    assertThat(printed()).isEqualTo("item,doc\n3,\"\"\"é\"\", so\"\nn\n42\n");
    assertThat(run("SELECT 1 AS one;\nSELECT nope;\nSELECT 2 AS two;\n", "--format", "json"))
        .isEqualTo(ExitCode.BAD_INPUT);
    assertThat(printed()).isEqualTo("{\"one\":1}\n");
  }

  @Test
  void statementsMayBeGivenOrInAFile() throws Exception {
    assertThat(run("SELECT 2;", "-e", "SELECT 1 AS one; SELECT NULL AS none"))
        .isEqualTo(ExitCode.DONE);
    assertThat(printed()).isEqualTo("one\n---\n  1\nnone\n----\nNULL\n");
    Path file = Files.writeString(folder.resolve("q.sql"), "-- One?\nSELECT 1 AS one;\n");
    assertThat(run("", "-f", file.toString(), "--format", "csv")).isEqualTo(ExitCode.DONE);
    assertThat(printed()).isEqualTo("one\n1\n");
  }

  @Test
  void textTableAlignsNumbersRight() {
    assertThat(
            TextTable.of(
                new String[] {"name", "n"},
                List.of(new String[] {"a", "1.5"}, new String[] {"bcdef", "-10"})))
        .isEqualTo("name     n\n-----  ---\na      1.5\nbcdef  -10\n");
  }
}
