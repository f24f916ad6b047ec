package org.cliffwatch.jobs.plan;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.cliffwatch.tasks.definition.FewShot.Sampler;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.item.ItemSet.Shots;
import org.junit.jupiter.api.Test;

class ComparableKeyTest {
  private static final TaskDefinition TASK = Tasks.load("piqa");

  private static String key(Shots shots) {
    return key(shots, null);
  }

  private static String key(Shots shots, String chat) {
    return ComparableKey.of(TASK, "items", PromptVersion.V1, shots, "auto", chat);
  }

  @Test
  void theChatTemplateIsInTheKey() {
    assertThat(List.of(key(Shots.NONE), key(Shots.NONE, "a"), key(Shots.NONE, "b")))
        .doesNotHaveDuplicates();
  }

  /** What was scored before there were shots, and without, is not scored again. */
  @Test
  void withoutShotsTheKeyIsWhatItWas() {
    assertThat(key(Shots.NONE)).isEqualTo("0781cdb5b2b1f74e");
  }

  @Test
  void numberSamplerAndSeedOfShotsAreInTheKey() {
    assertThat(
            List.of(
                key(Shots.NONE),
                key(Shots.logged(1, Sampler.DEFAULT, 1234)),
                key(Shots.logged(5, Sampler.DEFAULT, 1234)),
                key(Shots.logged(5, Sampler.DEFAULT, 1)),
                key(Shots.logged(5, Sampler.FIRST_N, 1234))))
        .doesNotHaveDuplicates();
    assertThat(key(Shots.logged(5, Sampler.FIRST_N, 1)))
        .as("nothing is drawn by a seed")
        .isEqualTo(key(Shots.logged(5, Sampler.FIRST_N, 1234)));
  }

  @Test
  void partsTellHowManyShots() {
    assertThat(ComparableKey.shots("items i1, shots 25-default-1234, bos auto")).isEqualTo(25);
    assertThat(ComparableKey.shots(ComparableKey.part(Shots.NONE))).isZero();
    assertThat(ComparableKey.shots("items i1, bos auto")).isZero();
    assertThat(ComparableKey.shots(null)).isZero();
  }
}
