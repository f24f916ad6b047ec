package org.cliffwatch.jobs.gate;

import static org.assertj.core.api.Assertions.assertThat;

import org.cliffwatch.jobs.table.Tables.Slice;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RecordedCellTest {
  private static final String PARTS =
      "task definition t1, items i1, prompt version v1, shots 5-default-1234, bos auto,"
          + " scoring version 1, tokenizer k1";

  private static RecordedCell cell(
      String key, String parts, String kernel, int replicas, String error) {
    return new RecordedCell(
        new Slice("m", "w8a8", 0),
        "piqa",
        "id " + parts,
        "scores",
        key,
        parts,
        kernel,
        replicas,
        null,
        null,
        true,
        error);
  }

  @Test
  void equalPartsMayBeCompared() {
    RecordedCell cell = cell("key", PARTS, "onednn-1", 4, null);
    assertThat(cell.unlike(cell)).isEmpty();
    assertThat(cell.unlike(cell("key", null, "onednn-1", 4, null))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "task definition t1",
        "items i1",
        "prompt version v1",
        "shots 5-default-1234",
        "bos auto",
        "scoring version 1",
        "tokenizer k1"
      })
  void eachPartThatDiffersIsNamed(String part) {
    String name = part.substring(0, part.lastIndexOf(' '));
    RecordedCell now = cell("key2", PARTS.replace(part, name + " other"), "onednn-1", 4, null);
    assertThat(now.unlike(cell("key", PARTS, "onednn-1", 4, null)))
        .contains(
            "differs in "
                + name
                + ": other now, "
                + part.substring(part.lastIndexOf(' ') + 1)
                + " accepted");
  }

  @Test
  void kernelAndReplicasAreNamedToo() {
    RecordedCell accepted = cell("key", PARTS, "onednn-1", 4, null);
    assertThat(cell("key", PARTS, "cuda-1", 1, null).unlike(accepted))
        .contains(
            "differs in kernel: cuda-1 now, onednn-1 accepted;"
                + " differs in replicas: 1 now, 4 accepted");
  }

  @Test
  void whatOlderTablesDoNotTellIsSaid() {
    assertThat(
            cell("key2", PARTS, "onednn-1", 4, null).unlike(cell("key", null, "onednn-1", 4, null)))
        .get()
        .asString()
        .startsWith("differs in comparable_key: key2 now, key accepted (older tables");
  }

  @Test
  void aFailedCellIsComparedWithNothing() {
    RecordedCell good = cell("key", PARTS, "onednn-1", 4, null);
    RecordedCell bad = cell("key", PARTS, "onednn-1", 4, "no memory");
    assertThat(bad.unlike(good)).contains("failed: no memory");
    assertThat(good.unlike(bad)).contains("the accepted cell had failed: no memory");
  }
}
