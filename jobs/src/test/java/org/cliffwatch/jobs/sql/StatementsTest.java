package org.cliffwatch.jobs.sql;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class StatementsTest {
  @Test
  void semicolonsInQuotesAndCommentsSplitNothing() {
    assertThat(Statements.of("SELECT ';' ; -- no; not here\n SELECT `a;b`;; ").all())
        .containsExactly("SELECT ';'", "SELECT `a;b`");
    assertThat(Statements.of("SELECT 'it\\'s;'").all()).containsExactly("SELECT 'it\\'s;'");
    assertThat(Statements.of("SELECT /* one; */ 1; /* two; */").all()).containsExactly("SELECT  1");
    assertThat(Statements.of("").all()).isEmpty();
  }

  @Test
  void hintsStay() {
    assertThat(Statements.of("SELECT /*+ BROADCAST(a) */ 1;").all())
        .containsExactly("SELECT /*+ BROADCAST(a) */ 1");
  }

  @Test
  void aStatementEndsWithItsSemicolon() {
    assertThat(Statements.of("SELECT 1;").isEnded()).isTrue();
    assertThat(Statements.of("SELECT 1; -- done").isEnded()).isTrue();
    for (String open :
        new String[] {"SELECT 1", "SELECT 1; SELECT", "SELECT ';", "SELECT 1; /* SELECT 2;"}) {
      assertThat(Statements.of(open).isEnded()).as(open).isFalse();
    }
  }

  @Test
  void theRestGoesOnWhereItStopped() {
    String lines = "SELECT 'a\nb' AS x\n";
    Statements read = Statements.of(lines);
    assertThat(Statements.of(read.rest() + "FROM t;").finished())
        .containsExactly("SELECT 'a\nb' AS x\nFROM t");
  }
}
