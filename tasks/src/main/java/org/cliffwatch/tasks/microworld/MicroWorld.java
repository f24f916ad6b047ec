package org.cliffwatch.tasks.microworld;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Writes a micro-world to a folder:
 *
 * <ul>
 *   <li>{@code training.jsonl}, {@code calibration.jsonl}: documents, {@code {"text": …}} a line
 *   <li>{@code tokenizer.json}, {@code tokenizer_config.json}: Hugging Face's form
 *   <li>{@code TASK/…}: held-out items in the files of the task's own release
 *   <li>{@code wikitext/test.jsonl}: as many documents that the training text has not, another draw
 *       of its side, {@code {"page": …}} a line
 * </ul>
 *
 * The same seed and sizes give the same bytes.
 */
public final class MicroWorld {
  private static final int MAX_PASSAGES = 3;
  private static final int MODEL_MAX_LENGTH = 256;
  private static final ObjectMapper JSON = new ObjectMapper();

  private final World world = World.load();
  private final List<Scenario> scenarios =
      List.of(
          new PhysicalChoice(world),
          new PronounResolution(world),
          new CauseAndEffect(world),
          new LastWord(world),
          new NextStep(world),
          new StoryEnding(world),
          new Paraphrase(world));
  private final List<Scenario> byWeight = new ArrayList<>();
  private final long seed;

  public MicroWorld(long seed) {
    this.seed = seed;
    for (Scenario scenario : scenarios) {
      for (int i = 0; i < scenario.weight(); i++) {
        byWeight.add(scenario);
      }
    }
  }

  /**
   * Writes all files; those that exist are replaced.
   *
   * @param documents number of documents of the training text
   * @param calibration number of documents of the calibration text
   * @param items held-out items a task
   */
  public void write(Path folder, int documents, int calibration, int items) throws IOException {
    List<String> training = documents(documents, seed);
    writeDocuments(folder.resolve("training.jsonl"), "text", training);
    writeDocuments(folder.resolve("calibration.jsonl"), "text", documents(calibration, seed + 1));
    Set<String> seen = new HashSet<>(training);
    List<String> unseen =
        documents(2 * items, seed + 2).stream().filter(seen::add).limit(items).toList();
    writeDocuments(folder.resolve("wikitext/test.jsonl"), "page", unseen);
    List<String> lastParts = new ArrayList<>(world.people().she());
    lastParts.addAll(world.people().he());
    BytePairEncoding encoding = BytePairEncoding.of(training, world.people().first(), lastParts);
    writeJson(folder.resolve("tokenizer.json"), encoding.tokenizerJson());
    writeJson(
        folder.resolve("tokenizer_config.json"),
        BytePairEncoding.tokenizerConfig(MODEL_MAX_LENGTH));
    for (Scenario scenario : scenarios) {
      Draw draw = new Draw(world, Draw.Side.HELD_OUT, seed + scenario.task().hashCode());
      for (Map.Entry<String, String> file : scenario.items(draw, items).entrySet()) {
        writeText(folder.resolve(scenario.task()).resolve(file.getKey()), file.getValue());
      }
    }
  }

  /** Documents of one to three passages about the same two people. */
  List<String> documents(int count, long drawSeed) {
    Draw draw = new Draw(world, Draw.Side.TRAINING, drawSeed);
    List<String> documents = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      Draw.Cast cast = draw.cast();
      List<String> passages = new ArrayList<>();
      int length = 1 + draw.below(MAX_PASSAGES);
      for (int p = 0; p < length; p++) {
        passages.add(draw.pick(byWeight).passage(draw, cast));
      }
      documents.add(String.join(" ", passages));
    }
    return documents;
  }

  private static void writeDocuments(Path file, String field, List<String> documents)
      throws IOException {
    ItemLines lines = new ItemLines();
    documents.forEach(document -> lines.json(Map.of(field, document)));
    writeText(file, lines.toString());
  }

  private static void writeJson(Path file, ObjectNode content) throws IOException {
    writeText(file, JSON.writerWithDefaultPrettyPrinter().writeValueAsString(content) + "\n");
  }

  private static void writeText(Path file, String content) throws IOException {
    Files.createDirectories(file.toAbsolutePath().getParent());
    Files.writeString(file, content, StandardCharsets.UTF_8);
  }
}
