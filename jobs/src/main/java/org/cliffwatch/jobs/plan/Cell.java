package org.cliffwatch.jobs.plan;

import java.util.List;
import org.cliffwatch.jobs.suite.Suite.TaskData;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.quantizer.scheme.Precision;

/**
 * Checkpoint × precision × task: what is scored, skipped and committed as a whole.
 *
 * @param id content hash of everything its scores depend on
 * @param comparableKey equal exactly where two cells' metrics may be compared
 * @param chat how a chat model is asked, as {@link ChatTemplates} has it; null where it is not one
 * @param compared whether its scores hold their divergence from the baseline's
 * @param committed whether the table holds this very cell
 * @param superseded ids of what else the table has in its place: other content under its name
 */
public record Cell(
    String id,
    String comparableKey,
    FingerprintedCheckpoint checkpoint,
    Precision precision,
    TaskItems items,
    String chat,
    boolean compared,
    boolean committed,
    List<String> superseded) {

  public String task() {
    return items.definition().name();
  }

  /** Why it cannot be scored at all; null where it can. */
  public String refusal() {
    return checkpoint.refusal();
  }

  public TaskData data() {
    return items.data();
  }

  public Slice slice() {
    CheckpointAt at = checkpoint.checkpoint();
    return new Slice(at.model(), precision.name(), at.step());
  }

  public StoredCell stored() {
    return new StoredCell(slice(), task(), id);
  }

  @Override
  public String toString() {
    return checkpoint.checkpoint() + " " + precision.name() + " " + task();
  }
}
