package org.cliffwatch.jobs.table;

/**
 * A row of {@code accepted}: a cell of a run that was accepted, with what later runs need to
 * compare with it. Partitioned by run_id; never written again.
 *
 * @param acceptedAt ISO 8601, UTC
 * @param acceptedBy user and host
 * @param reason why it was accepted
 * @param suite the suite's name
 * @param cpu processor of the driver
 * @param scores name of its copy in {@code accepted_scores}; null where the cell had failed
 * @param comparableKey as in {@code metrics}
 * @param tokensPerSecond a thread's; null where not measured
 * @param error why the cell had failed, else null
 */
public record AcceptedRow(
    String acceptedAt,
    String acceptedBy,
    String reason,
    String suite,
    String cpu,
    String model,
    String precision,
    long step,
    String task,
    String cellId,
    String scores,
    String comparableKey,
    String comparableParts,
    String kernel,
    int replicas,
    Double tokensPerSecond,
    String error) {}
