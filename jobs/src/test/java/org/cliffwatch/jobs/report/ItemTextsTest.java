package org.cliffwatch.jobs.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.junit.jupiter.api.Test;

class ItemTextsTest {
  private static ItemTexts.Text text(String context, String continuation) {
    return ItemTexts.of("[[\"" + context + "\", \"" + continuation + "\"]]").orElseThrow();
  }

  @Test
  void longTextsKeepWhatLiesBesideEachOther() {
    String rocket = "\uD83D\uDE80";
    String context = "x" + rocket + "a".repeat(ItemTexts.MOST_CONTEXT - 1);
    String continuation = "b".repeat(ItemTexts.MOST_CONTINUATION) + "c";
    ItemTexts.Text cut = text(context, continuation);
    // The place to cut is inside of the rocket.
    assertThat(cut.contexts()).containsExactly("…" + "a".repeat(ItemTexts.MOST_CONTEXT - 1));
    assertThat(cut.continuations()).containsExactly("b".repeat(ItemTexts.MOST_CONTINUATION) + "…");
    assertThat(text("short", " text").contexts()).containsExactly("short");
  }

  @Test
  void requestsShareTheirContextOrHaveOneEach() {
    assertThat(ItemTexts.of("[[\"a\", \" x\"], [\"a\", \" y\"]]").orElseThrow())
        .isEqualTo(new ItemTexts.Text(java.util.List.of("a"), java.util.List.of(" x", " y")));
    assertThat(ItemTexts.of("[[\"a\", \" x\"], [\"b\", \" x\"]]").orElseThrow().contexts())
        .containsExactly("a", "b");
    assertThat(ItemTexts.of("nonsense")).isEqualTo(Optional.empty());
  }

  @Test
  void thereIsRoomForSoMuch() {
    ItemTexts texts = new ItemTexts();
    ItemTexts.Text large = text("é".repeat(ItemTexts.MOST_CONTEXT), "");
    int room = ItemTexts.MOST_BYTES / (2 * ItemTexts.MOST_CONTEXT);
    for (int i = 0; i < room; i++) {
      assertThat(texts.keep("task", "hash" + i, large)).isTrue();
    }
    assertThat(texts.keep("task", "one more", large)).isFalse();
    assertThat(texts.keep("task", "hash0", large)).isTrue();
    assertThat(texts.all().get("task")).hasSize(room);
  }
}
