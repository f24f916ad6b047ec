package org.cliffwatch.jobs.plan;

import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalInt;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.function.Function;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.cliffwatch.jobs.executor.LocalCheckpoints;
import org.cliffwatch.jobs.table.CheckpointRow;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.tokenizer.Tokenizer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs on an executor: lists a checkpoint's files, and reads them where they are not those of the
 * table {@code checkpoints}.
 */
final class CheckpointReading
    implements Function<CheckpointReading.Known, FingerprintedCheckpoint> {
  private static final long serialVersionUID = 1L;

  private static final Logger LOG = LoggerFactory.getLogger(CheckpointReading.class);

  /**
   * A file may change again within the step of its file system's clock, with the same size: one
   * that was this young when it was read is read again.
   */
  private static final long CLOCK_STEP_MILLIS = 2000;

  /**
   * @param row what the table says of it; null if nothing
   */
  record Known(CheckpointAt checkpoint, CheckpointRow row) implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  private final Broadcast<SerializableConfiguration> hadoop;

  CheckpointReading(Broadcast<SerializableConfiguration> hadoop) {
    this.hadoop = hadoop;
  }

  @Override
  public FingerprintedCheckpoint call(Known known) {
    CheckpointAt at = known.checkpoint();
    try {
      List<CheckpointRow.File> files = files(at.uri());
      return isCurrent(known.row(), at.uri(), files)
          ? new FingerprintedCheckpoint(at, known.row(), null, List.of())
          : read(at, files);
    } catch (IOException e) {
      return FingerprintedCheckpoint.refused(at, at.uri() + ": cannot be listed: " + e);
    }
  }

  private static boolean isCurrent(CheckpointRow row, String uri, List<CheckpointRow.File> files) {
    return row != null
        && row.tokenizer() != null
        && row.uri().equals(uri)
        && row.files().equals(files)
        && files.stream().allMatch(file -> file.modified() + CLOCK_STEP_MILLIS <= row.readAt());
  }

  private List<CheckpointRow.File> files(String uri) throws IOException {
    Path path = new Path(uri);
    FileSystem files = path.getFileSystem(configuration());
    return Arrays.stream(files.listStatus(path))
        .filter(FileStatus::isFile)
        .map(
            file ->
                new CheckpointRow.File(
                    file.getPath().getName(), file.getLen(), file.getModificationTime()))
        .sorted(Comparator.comparing(CheckpointRow.File::name))
        .toList();
  }

  private Configuration configuration() {
    return hadoop.value().value();
  }

  private FingerprintedCheckpoint read(CheckpointAt at, List<CheckpointRow.File> files) {
    long now = System.currentTimeMillis();
    try (Checkpoint checkpoint = new LocalCheckpoints(configuration()).open(at.uri())) {
      // Whatever we cannot run must be said before anything is scored.
      Inventory inventory = Inventory.of(checkpoint);
      Tokenizer tokenizer = Tokenizer.open(checkpoint);
      tokenizer.requireFits(checkpoint.tensor(inventory.embedding().name()));
      OptionalInt context = inventory.architecture().contextLength();
      CheckpointRow row =
          new CheckpointRow(
              at.step(),
              at.uri(),
              checkpoint.identity(),
              inventory.architecture().family(),
              inventory.parameters(checkpoint),
              elements(inventory.quantized()),
              elements(inventory.kept().subList(1, inventory.kept().size())),
              inventory.quantization().orElse(null),
              bytes(checkpoint),
              context.isPresent() ? (Integer) context.getAsInt() : null,
              tokenizer.addsBos(),
              tokenizerHash(checkpoint),
              files,
              now);
      return new FingerprintedCheckpoint(at, row, null, inventory.ignoredFields());
    } catch (InvalidInputException | UncheckedIOException e) {
      return FingerprintedCheckpoint.refused(at, e.getMessage());
    } catch (RuntimeException | InternalError e) {
      // A fault of ours, or of the machine that read it, which the other checkpoints need not
      // share.
      LOG.error("{} cannot be read", at.uri(), e);
      return FingerprintedCheckpoint.refused(at, at.uri() + ": " + e);
    }
  }

  private static String tokenizerHash(Checkpoint checkpoint) {
    return Sha256.of("tokenizer", checkpoint.tokenizerFiles().orElseThrow().text());
  }

  private static long elements(List<Inventory.Matrix> matrices) {
    return matrices.stream().mapToLong(Inventory.Matrix::elements).sum();
  }

  private static long bytes(Checkpoint checkpoint) {
    return checkpoint.tensorNames().stream()
        .mapToLong(name -> checkpoint.tensor(name).bytes())
        .sum();
  }
}
