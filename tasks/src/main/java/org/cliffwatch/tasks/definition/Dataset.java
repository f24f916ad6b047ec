package org.cliffwatch.tasks.definition;

/**
 * Where a task's items come from.
 *
 * @param name the Hugging Face dataset lm-evaluation-harness reads; null where there is none
 * @param config its configuration, or null
 * @param items how many items the split has; null where nobody has published it
 * @param licence as its publisher states it
 */
public record Dataset(String name, String config, String split, Integer items, String licence) {
  /** Another split of the same data set. */
  public Dataset of(String other) {
    return new Dataset(name, config, other, null, licence);
  }
}
