package org.cliffwatch.jobs.plan;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.TinyWorld;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.SuiteReader;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.tasks.definition.Tasks;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A plan of 1 000 checkpoints × 6 precisions × 15 tasks; again with every cell committed. Prints
 * how long both took.
 */
class PlanAtScaleTest {
  private static final int CHECKPOINTS = 1000;

  private static final List<String> PRECISIONS =
      List.of("fp32", "bf16", "w8", "w4", "w8a8", "w8a8-bf16");

  private static final List<String> CLOZE =
      List.of("ar", "en", "es", "eu", "hi", "id", "my", "ru", "sw", "te", "zh");

  @TempDir Path folder;

  @Test
  @Tag("slow")
  void aLargePlanIsMadeByListing() throws IOException {
    Path first = TinyWorld.checkpoint(folder.resolve("step1"), 1);
    for (int step = 2; step <= CHECKPOINTS; step++) {
      Path copy = Files.createDirectory(folder.resolve("step" + step));
      for (String file : List.of("config.json", "tokenizer.json", "model.safetensors")) {
        Files.createLink(copy.resolve(file), first.resolve(file));
      }
    }
    Path items = Path.of("../data/microworld").toAbsolutePath().normalize();
    List<String> tasks = new ArrayList<>();
    for (String name : List.of("piqa", "hellaswag", "lambada_openai", "copa")) {
      tasks.add("{task: " + name + ", data: " + items.resolve(name) + "}");
    }
    for (String language : CLOZE) {
      Path lines = folder.resolve("cloze-" + language + ".tsv");
      Files.writeString(lines, cloze(language));
      tasks.add("{task: xstorycloze_" + language + ", data: " + lines + "}");
    }
    Files.writeString(
        folder.resolve("suite.yaml"),
        """
        checkpoints: [{model: tiny, path: "%s/step{step}", steps: all}]
        precisions: %s
        tasks: %s
        """
            .formatted(folder, PRECISIONS, tasks));
    Suite suite =
        new SuiteReader(Precisions.packaged(), Tasks.builtIn(), Map.of())
            .read(folder.resolve("suite.yaml"), List.of());
    try (SparkSession session =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .getOrCreate()) {
      JavaSparkContext spark = JavaSparkContext.fromSparkContext(session.sparkContext());
      String output = folder.resolve("out").toString();
      Plan plan = timed("planned", () -> new Planner(spark, output).plan(suite));
      assertThat(plan.cells()).hasSize(CHECKPOINTS * PRECISIONS.size() * 15);
      assertThat(plan.cells()).noneMatch(Cell::committed);
      Tables tables = new Tables(new org.apache.hadoop.fs.Path(output), new Configuration());
      for (Cell cell : plan.cells()) {
        Path file = Path.of(tables.scores(cell.stored()).path().toString());
        Files.createDirectories(file.getParent());
        Files.createFile(file);
      }
      spoil(first.resolve("model.safetensors"));
      Plan again = timed("planned again", () -> new Planner(spark, output).plan(suite));
      assertThat(again.identity()).isEqualTo(plan.identity());
      assertThat(again.cells()).allMatch(Cell::committed);
    }
  }

  private static Plan timed(String what, java.util.function.Supplier<Plan> planning) {
    long start = System.nanoTime();
    Plan plan = planning.get();
    System.err.printf(
        "%s %d cells in %.1f s%n", what, plan.cells().size(), (System.nanoTime() - start) / 1e9);
    return plan;
  }

  /** Whoever reads the checkpoint now finds another one; its listing is the same. */
  private static void spoil(Path file) throws IOException {
    FileTime time = Files.getLastModifiedTime(file);
    try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "rw")) {
      bytes.seek(bytes.length() - 8);
      bytes.writeLong(0x3f8000003f800000L);
    }
    Files.setLastModifiedTime(file, time);
  }

  private static String cloze(String language) {
    StringBuilder lines =
        new StringBuilder(
            String.join(
                    "\t",
                    "InputStoryid",
                    "InputSentence1",
                    "InputSentence2",
                    "InputSentence3",
                    "InputSentence4",
                    "RandomFifthSentenceQuiz1",
                    "RandomFifthSentenceQuiz2",
                    "AnswerRightEnding")
                + "\n");
    for (int i = 0; i < 100; i++) {
      lines.append(
          String.join("\t", language + i, "a" + i, "b", "c", "d", "e", "f", i % 2 == 0 ? "1" : "2")
              + "\n");
    }
    return lines.toString();
  }
}
