package org.cliffwatch.jobs.plan;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.fs.Path;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.cliffwatch.jobs.table.StorageException;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.item.ChatPrompt;
import org.cliffwatch.tasks.jinja.ChatTemplate;

/**
 * Checkpoints' chat templates, read on executors from where the checkpoints are: two small files
 * each.
 */
public final class ChatTemplates implements Serializable {
  private static final long serialVersionUID = 1L;

  private final ChatPrompt prompt;
  private final Broadcast<SerializableConfiguration> hadoop;

  public ChatTemplates(ChatPrompt prompt, Broadcast<SerializableConfiguration> hadoop) {
    this.prompt = prompt;
    this.hadoop = hadoop;
  }

  /**
   * How a checkpoint is asked, in the words of {@code comparable_parts}: hashes of its template and
   * of the instruction. A template that cannot be read has no hash; its cells fail and say why.
   */
  String asked(String uri) {
    String instruction =
        prompt.systemInstruction() == null
            ? ""
            : "system instruction " + Sha256.of("instruction", prompt.systemInstruction());
    if (prompt.template() == null) {
      return instruction;
    }
    String template;
    try {
      template = of(uri).hash();
    } catch (InvalidInputException e) {
      template = "unread";
    }
    return "chat template "
        + template
        + (prompt.multiturn() ? "" : ", shots in one turn")
        + (instruction.isEmpty() ? "" : ", " + instruction);
  }

  /**
   * A checkpoint's template; null where none is asked for.
   *
   * @throws InvalidInputException where it has none, or one that is not known here
   * @throws StorageException where its files cannot be read
   */
  public ChatTemplate of(String uri) {
    return prompt.template() == null
        ? null
        : ChatTemplate.of(uri, prompt.template(), name -> text(new Path(uri, name)));
  }

  private String text(Path file) {
    try (InputStream in = file.getFileSystem(hadoop.value().value()).open(file)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (FileNotFoundException e) {
      return null;
    } catch (IOException e) {
      throw new StorageException("cannot read " + file, e);
    }
  }
}
