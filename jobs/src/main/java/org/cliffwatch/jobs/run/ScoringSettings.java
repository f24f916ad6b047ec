package org.cliffwatch.jobs.run;

import java.io.Serializable;
import java.util.Map;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.tasks.item.ChatPrompt;

/**
 * What is the same for every cell of a run.
 *
 * @param output folder of the tables
 * @param kernel kernel identity that must be used
 * @param bos auto, never or always
 * @param chat how chat models are asked; null where none is
 * @param baseline what the scores of other precisions are compared with; null where they are not
 * @param selfCheck share of the items of which a choice is scored a second time, alone
 * @param chunk items scored together, between two looks at the clock, unless they are long
 * @param fresh the run's name where committed cells are scored again; else null
 * @param uncalibrated why calibrations were not made, by their keys
 * @param retries whether Spark tries a failed task again
 */
record ScoringSettings(
    String output,
    String kernel,
    String bos,
    ChatPrompt chat,
    long seed,
    Precision baseline,
    int replicas,
    double selfCheck,
    int chunk,
    String fresh,
    Map<String, String> uncalibrated,
    boolean retries)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  boolean compares(Precision precision) {
    return baseline != null && !precision.equals(baseline);
  }
}
