package org.cliffwatch.jobs.table;

import java.io.Serializable;
import java.util.List;

/**
 * A row of {@code checkpoints}: what reading a checkpoint told, kept so that it is not read again
 * while its files are the same. Partitioned by model.
 *
 * @param uri folder or .gguf file
 * @param identity sha256 of weights, configuration and tokenizer
 * @param family transformers' {@code model_type}
 * @param parameters elements of its tensors; a packed weight counts as what it unpacks to
 * @param quantizedParameters of these, of the linear layers that a precision quantizes
 * @param keptParameters elements of the other matrices that are held in memory: the vocabulary
 *     projection, tied or not, learned positions, projections of the embedding
 * @param quantization how its file is quantized, in words, and precisions other than {@code stored}
 *     begin with its weights dequantized; null where it is not
 * @param bytes size of its weights as stored
 * @param context tokens of its window; null where the configuration states none
 * @param addsBos whether its tokenizer begins a text with BOS of itself
 * @param tokenizer sha256 of its tokenizer; null where an older program read it
 * @param files what it was made of
 * @param readAt when it was read, milliseconds since 1970
 */
public record CheckpointRow(
    long step,
    String uri,
    String identity,
    String family,
    long parameters,
    long quantizedParameters,
    long keptParameters,
    String quantization,
    long bytes,
    Integer context,
    boolean addsBos,
    String tokenizer,
    List<File> files,
    long readAt)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  /**
   * A file of a checkpoint.
   *
   * @param modified milliseconds since 1970, by the file system's clock
   */
  public record File(String name, long size, long modified) implements Serializable {
    private static final long serialVersionUID = 1L;
  }
}
