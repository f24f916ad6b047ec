package org.cliffwatch.jobs.plan;

import java.util.List;
import org.cliffwatch.jobs.suite.Suite;

/**
 * Checkpoints to analyse.
 *
 * @param kernel identity of the backend that text goes through
 * @param text where it is
 * @param textHash sha256 of its content
 * @param checkpoints in the suite's order
 * @param warnings to tell before
 */
public record AnalysisPlan(
    Suite suite,
    String kernel,
    String text,
    String textHash,
    List<FingerprintedCheckpoint> checkpoints,
    List<String> warnings) {}
