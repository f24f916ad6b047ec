package org.cliffwatch.tasks.definition;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import java.util.Locale;

/**
 * What a task's shots are drawn from, and how: the documents that stand before a question with
 * their answers.
 *
 * @param split the data set's split that lm-evaluation-harness draws from; null where the
 *     definition names none
 * @param files names of that split's file, as {@link TaskDefinition#files()}; not looked at where
 *     the split is the one that is asked
 * @param leaveOneOut whether one shot more is drawn and the item's own document left out: what
 *     lm-evaluation-harness does of a task whose {@code fewshot_split} equals its {@code
 *     test_split}, also where both are absent
 */
public record FewShot(
    String split,
    @JsonFormat(with = JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY) List<String> files,
    Sampler sampler,
    Boolean leaveOneOut) {

  /** Of a definition that says nothing about shots. */
  static final FewShot NONE = new FewShot(null, null, null, false);

  /** lm-evaluation-harness's {@code fewshot_config.sampler}. */
  public enum Sampler {
    /** Others for each item, at random. */
    @JsonProperty("default")
    DEFAULT,
    /** The first ones, the same for all items. */
    @JsonProperty("first_n")
    FIRST_N;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  public FewShot {
    files = files == null ? List.of() : List.copyOf(files);
    sampler = sampler == null ? Sampler.DEFAULT : sampler;
    leaveOneOut = Boolean.TRUE.equals(leaveOneOut);
  }
}
