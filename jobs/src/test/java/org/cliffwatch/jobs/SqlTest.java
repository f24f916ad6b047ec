package org.cliffwatch.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import org.cliffwatch.jobs.present.TextTable;
import org.junit.jupiter.api.Test;

class SqlTest {
  @Test
  void splitsStatementsOutsideQuotesAndComments() {
    assertThat(Sql.statements("SELECT ';' ; -- no; not here\n SELECT `a;b`;; "))
        .containsExactly("SELECT ';'", "SELECT `a;b`");
    assertThat(Sql.statements("SELECT 'it\\'s;'")).containsExactly("SELECT 'it\\'s;'");
    assertThat(Sql.statements("")).isEmpty();
  }

  @Test
  void textTableAlignsNumbersRight() {
    assertThat(
            TextTable.of(
                new String[] {"name", "n"},
                java.util.List.of(new String[] {"a", "1.5"}, new String[] {"bcdef", "-10"})))
        .isEqualTo("name     n\n-----  ---\na      1.5\nbcdef  -10\n");
  }
}
