package org.cliffwatch.jobs.table;

/**
 * A row of {@code runs}: one call of {@code evaluate.sh}. Partitioned by run_id.
 *
 * @param started ISO 8601, UTC
 * @param finished ISO 8601, UTC
 * @param configuration every setting of the suite, {@code key: value} a line
 * @param codeVersion git commit of the code, {@code -dirty} appended where it was changed
 * @param machine host of the driver
 * @param cpu processor of the driver
 * @param isa instruction set the products use; null where the backend does not tell
 * @param exitCode 0 done, 4 some cells failed, 5 internal error
 */
public record RunRow(
    String started,
    String finished,
    String suite,
    String configuration,
    String codeVersion,
    String sparkVersion,
    String javaVersion,
    String machine,
    String cpu,
    String isa,
    String backend,
    int cellsPlanned,
    int cellsScored,
    int cellsReused,
    int cellsFailed,
    int exitCode) {}
