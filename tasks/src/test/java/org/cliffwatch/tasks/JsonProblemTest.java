package org.cliffwatch.tasks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.regex.Pattern;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.format.RecordFile;
import org.cliffwatch.tasks.format.SourceRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whoever mends a file of items knows JSON, and need not know which library reads it here. */
class JsonProblemTest {
  private static final long SEED = 20_261_129;
  private static final int DAMAGED = 20_000;

  /** Marks of Java's and Jackson's names: quotes of code, packages, classes, constants. */
  private static final Pattern PROGRAMMERS =
      Pattern.compile("`|com\\.|jackson|Feature|Json[A-Z]|ObjectNode|REDACTED|\\b[A-Z]+_[A-Z]+\\b");

  @TempDir Path folder;

  private static String problem(String line) {
    List<SourceRecord> records =
        new RecordFile("x.jsonl", line.getBytes(StandardCharsets.UTF_8)).records();
    return records.get(0).problem();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"a\": NaN}",
        "{\"a\": -Infinity}",
        "{\"a\": +1}",
        "{\"a\": .5}",
        "{\"a\": 5.}",
        "{\"a\": 007}",
        "{\"a\": 0x1f}",
        "{\"a\": 1e}",
        "{'a': 1}",
        "{a: 1}",
        "{\"a\": 1,}",
        "{\"a\": [1,]}",
        "{\"a\": [,1]}",
        "{\"a\": True}",
        "{\"a\": None}",
        "{\"a\": \"\\x\"}",
        "{\"a\": \"\\u12\"}",
        "{\"a\": \"tab\there\"}",
        "{\"a\": 1} // note",
        "/* note */ {\"a\": 1}",
        "# note",
        "{\"a\": 1, \"a\": 2}",
        "{\"a\": {\"b\": 1, \"b\": 2}}",
        "{\"a\": 1} {\"a\": 2}",
        "{\"a\": 1}]",
        "{\"a\": 1",
        "{\"a\": \"",
        "{\"a\" 1}",
        "{\"a\": 1 \"b\": 2}",
        "[1, 2",
        "\u0001",
      })
  void aMessageNamesNoSwitchOfALibrary(String line) {
    assertThat(problem(line)).isNotBlank().doesNotContainPattern(PROGRAMMERS);
  }

  @Test
  void whatTheLibraryLimitsIsSaidWithoutItsNames() {
    assertThat(problem("[".repeat(2000))).isNotBlank().doesNotContainPattern(PROGRAMMERS);
    assertThat(problem("{\"a\": " + "1".repeat(2000) + "}"))
        .isNotBlank()
        .doesNotContainPattern(PROGRAMMERS);
    assertThat(problem("{\"" + "a".repeat(60_000) + "\": 1}"))
        .isNotBlank()
        .doesNotContainPattern(PROGRAMMERS);
  }

  @Test
  void norDoesItForAnyOtherDamage() {
    String whole = "{\"goal\": \"a \\u00e9\", \"n\": [1, -2.5e3, true, null, {\"x\": \"y\"}]}";
    String marks = "{}[]:,\"\\/*#'+-.0eNxaT \t\u0000\u0007_";
    Random random = new Random(SEED);
    for (int i = 0; i < DAMAGED; i++) {
      StringBuilder line = new StringBuilder(whole);
      for (int edits = 1 + random.nextInt(3); edits > 0; edits--) {
        int at = random.nextInt(line.length());
        char mark = marks.charAt(random.nextInt(marks.length()));
        switch (random.nextInt(3)) {
          case 0 -> line.setCharAt(at, mark);
          case 1 -> line.insert(at, mark);
          default -> line.deleteCharAt(at);
        }
      }
      String problem = problem(line.toString());
      if (problem != null) {
        assertThat(problem).as(line.toString()).doesNotContainPattern(PROGRAMMERS);
      }
    }
  }

  @Test
  void aDefinitionsMistakeIsSaidWithoutThemToo() throws IOException {
    for (String yaml :
        List.of("files: a\ntask: a\ntask: b\n", "files: [\n", "files: {a: 1}\n", "layouts: 5\n")) {
      Files.writeString(folder.resolve("task.yaml"), yaml);
      assertThatThrownBy(() -> Tasks.builtIn().including(folder))
          .isInstanceOf(InvalidInputException.class)
          .extracting(e -> e.getMessage().replace(folder.toString(), ""))
          .asString()
          .contains("task.yaml")
          .doesNotContainPattern(PROGRAMMERS);
    }
  }
}
