package org.cliffwatch.jobs.suite;

import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.item.ChatPrompt;

/**
 * What to evaluate: checkpoints × precisions × tasks, and how.
 *
 * @param name the suite's name in {@code runs}
 * @param origin the suite's file, or {@code command line}
 * @param precisions rows of {@code conf/precisions.yaml}, of a file like it, or of the suite's own
 * @param calibration text for precisions that look at some and whose rows name none: a path or URI;
 *     or null
 * @param baseline name of one of {@code precisions}: what degradation is measured against
 * @param known the tasks that could be asked: ours and those of {@code tasks_path}
 * @param shardItems items scored together, unless they are long
 * @param seed of replicas' nudges, of the self-check's sample and of bootstraps
 * @param backend reference, onednn, cuda or auto
 * @param kernel a kernel identity (onednn-3.11-avx512_vnni), or auto: what all executors have
 * @param bos auto, never or always
 * @param chat how a chat model is asked; null for no chat template and no system instruction
 * @param kl whether the scores of other precisions hold their divergence from the baseline's
 * @param replicas how often every cell is scored, at least 1
 * @param selfCheck share of the items scored again in another layout, 0 to 1
 * @param maxRejectedItems items of a cell that may be rejected before the cell fails
 * @param configuration every setting as {@code key: value} lines, after environment and flags
 */
public record Suite(
    String name,
    String origin,
    List<CheckpointSeries> checkpoints,
    List<Precision> precisions,
    String calibration,
    String baseline,
    Tasks known,
    List<TaskData> tasks,
    int shardItems,
    long seed,
    String backend,
    String kernel,
    String bos,
    ChatPrompt chat,
    boolean kl,
    int replicas,
    double selfCheck,
    int maxRejectedItems,
    String configuration) {

  /** The same with other precisions of the same names. */
  public Suite with(List<Precision> others) {
    return new Suite(
        name,
        origin,
        checkpoints,
        others,
        calibration,
        baseline,
        known,
        tasks,
        shardItems,
        seed,
        backend,
        kernel,
        bos,
        chat,
        kl,
        replicas,
        selfCheck,
        maxRejectedItems,
        configuration);
  }

  /** Those whose degradation is measured. */
  public List<Precision> comparedPrecisions() {
    return precisions.stream().filter(row -> !row.name().equals(baseline)).toList();
  }

  /** The precision that degradation is measured against. */
  public Precision baselinePrecision() {
    return precisions.stream().filter(row -> row.name().equals(baseline)).findFirst().orElseThrow();
  }

  /**
   * One model: a single checkpoint, or a series over training steps.
   *
   * @param model the name in the tables
   * @param path folder or .gguf; absolute or with a scheme; may hold {@code {step}}
   * @param steps the listed steps; empty with {@code {step}} in the path: every folder that matches
   * @param step of a single checkpoint, 0 where not given
   * @param place where the suite says it, for messages
   */
  public record CheckpointSeries(
      String model, String path, Optional<List<Long>> steps, OptionalLong step, String place) {
    public static final String STEP = "{step}";

    public boolean isSeries() {
      return path.contains(STEP);
    }
  }

  /**
   * A task and its items.
   *
   * @param data file or folder; absolute or with a scheme
   * @param limit first N items only
   * @param numFewshot shots before each question; empty: as many as the task's definition says
   * @param fewshotData file or folder that shots are drawn from, absolute or with a scheme; null:
   *     the folder of the items
   * @param group the name that stands for it and others, where the suite has that; null where it
   *     has the task's own
   */
  public record TaskData(
      String task,
      String data,
      OptionalInt limit,
      OptionalInt numFewshot,
      String fewshotData,
      String place,
      String group) {}
}
