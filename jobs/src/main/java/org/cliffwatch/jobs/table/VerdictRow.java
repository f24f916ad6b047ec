package org.cliffwatch.jobs.table;

/**
 * A row of {@code verdicts}: what one rule of a gate found. Partitioned by run_id.
 *
 * @param rule its name in the gate's file
 * @param level {@code error} or {@code warn}
 * @param model null where the rule is about all models
 * @param precision null where the rule is about all precisions
 * @param step null where the rule is about all steps
 * @param task the task, {@code mean}: over the tasks, or null: about all of them
 * @param metric what was judged: a metric, {@code flips}, {@code speed}, or null
 * @param unit of value, low, high, margin and minimum_detectable
 * @param outcome {@code pass}, {@code fail}, {@code inconclusive} or {@code incomparable}
 * @param value as in {@code degradation}: negative is worse for accuracies; null where there is
 *     none
 * @param low lower end of the interval of level 1 − 2α
 * @param margin the worst that is still acceptable, as a positive number
 * @param pValue of "not worse than the margin"; null where nothing was tested
 * @param pAdjusted Holm's adjustment of it over all rules of the run
 * @param minimumDetectable the worsening that the rule fails with the gate's power
 * @param items compared
 * @param baselineRun the accepted run or folder compared with; null where the rule needs none
 * @param reason in words
 */
public record VerdictRow(
    String rule,
    String level,
    String model,
    String precision,
    Long step,
    String task,
    String metric,
    String unit,
    String outcome,
    Double value,
    Double low,
    Double high,
    Double margin,
    Double pValue,
    Double pAdjusted,
    Double minimumDetectable,
    Long items,
    String baselineRun,
    String reason) {
  public static final String PASS = "pass";
  public static final String FAIL = "fail";
  public static final String INCONCLUSIVE = "inconclusive";
  public static final String INCOMPARABLE = "incomparable";
  public static final String ERROR = "error";
  public static final String WARN = "warn";

  public boolean is(String wanted) {
    return outcome.equals(wanted);
  }

  /** Whether it counts for the exit code. */
  public boolean isError() {
    return level.equals(ERROR);
  }

  /** Where it looked: the parts that it has. */
  public String place() {
    StringBuilder place = new StringBuilder(model == null ? "" : model);
    place.append(step == null || step == 0 ? "" : " step " + step);
    place.append(precision == null ? "" : " " + precision);
    place.append(task == null ? "" : " " + task);
    return place.toString().strip();
  }
}
