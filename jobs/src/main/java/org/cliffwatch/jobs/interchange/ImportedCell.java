package org.cliffwatch.jobs.interchange;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import org.cliffwatch.jobs.plan.ComparableKey;
import org.cliffwatch.jobs.plan.ItemsDigest;
import org.cliffwatch.jobs.table.DocumentRow;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.tasks.Sha256;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.interchange.LmEvalLog;
import org.cliffwatch.tasks.interchange.LmEvalSample;
import org.cliffwatch.tasks.metric.Interval;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.metric.MetricState;
import org.cliffwatch.tasks.prompt.PythonJson;

/**
 * One task of a log as our tables have it.
 *
 * @param id a content hash, as every cell's
 * @param results the samples' results in item order; empty where only results were logged
 */
record ImportedCell(
    Slice slice,
    LmEvalLog log,
    TaskDefinition task,
    String id,
    String comparableKey,
    List<LmEvalSample> samples,
    List<ItemResult> results) {
  /** From this version on the tokenizer's own rule decides whether a BOS is put first. */
  private static final int[] BOS_BY_TOKENIZER = {0, 4, 9, 2};

  static ImportedCell of(LmEvalLog log, TaskDefinition task, Slice slice) {
    List<LmEvalSample> samples = log.samples().getOrDefault(task.name(), List.of());
    ItemsDigest items = new ItemsDigest();
    StringBuilder content = new StringBuilder(slice + log.results().path("results").toString());
    List<ItemResult> results = new ArrayList<>();
    for (LmEvalSample sample : samples) {
      sample.checkHashes();
      items.item(sample.item(), sample.docHash(), sample.promptHash(), sample.targetHash());
      content.append(PythonJson.line(sample.row())).append('\n');
      results.add(sample.result(task));
    }
    String key =
        ComparableKey.of(
            task,
            items.hash(),
            log.isOfVersionZero() ? PromptVersion.V0 : PromptVersion.V1,
            log.shots(task.name()),
            bos(log),
            null);
    return new ImportedCell(
        slice, log, task, Sha256.of(task.name() + "\n" + content), key, samples, results);
  }

  /** What made the scores, in the place of a kernel's identity. */
  static String kernel(LmEvalLog log) {
    return "lm-evaluation-harness" + log.version().map(version -> "-" + version).orElse("");
  }

  List<ScoreRow> scores() {
    List<ScoreRow> rows = new ArrayList<>();
    for (int i = 0; i < samples.size(); i++) {
      ItemResult result = results.get(i);
      rows.add(
          new ScoreRow(
              id,
              0,
              result.item(),
              samples.get(i).docHash(),
              result.gold(),
              result.chosen(),
              result.chosenNorm(),
              result.chosenBytes(),
              result.correct(),
              result.correctNorm(),
              result.choices().stream()
                  .map(
                      choice ->
                          new ScoreRow.Choice(
                              choice.logLikelihood(),
                              choice.tokens(),
                              choice.characters(),
                              choice.words(),
                              choice.bytes(),
                              choice.greedy(),
                              false, // truncated and straddled are not logged
                              false,
                              null,
                              null,
                              choice.rightAnswer()))
                  .toList(),
              ScoreRow.OK,
              null));
    }
    return rows;
  }

  List<DocumentRow> documents() {
    return samples.stream()
        .map(
            sample ->
                new DocumentRow(
                    sample.item(),
                    sample.row().has("doc") ? PythonJson.line(sample.row().get("doc")) : null,
                    PythonJson.line(sample.row().get("target")),
                    PythonJson.line(sample.row().get("arguments")),
                    sample.promptHash(),
                    sample.targetHash()))
        .toList();
  }

  /** The metric of the samples, or without them as logged; none where it was not logged. */
  Optional<MetricRow> metric(Metric metric) {
    if (samples.isEmpty()) {
      OptionalDouble logged = log.value(task.name(), metric);
      return logged.isEmpty()
          ? Optional.empty()
          : Optional.of(
              row(
                  metric,
                  logged.getAsDouble(),
                  log.stderr(task.name(), metric),
                  new Interval(Double.NaN, Double.NaN),
                  log.results().at("/n-samples/" + task.name() + "/effective").asLong()));
    }
    MetricState state = metric.over(results);
    return Optional.of(row(metric, state.value(), state.stderr(), state.interval(), state.items()));
  }

  private MetricRow row(
      Metric metric, double value, OptionalDouble stderr, Interval interval, long items) {
    return new MetricRow(
        slice.precision(),
        slice.step(),
        id,
        task.name(),
        metric.toString(),
        metric.higherIsBetter(),
        value,
        stderr.isPresent() ? (Double) stderr.getAsDouble() : null,
        Double.isNaN(interval.low()) ? null : (Double) interval.low(),
        Double.isNaN(interval.high()) ? null : (Double) interval.high(),
        1,
        null,
        items,
        0,
        null,
        null,
        kernel(log),
        log.results().path("versions").path(task.name()).asText(String.valueOf(task.version())),
        task.hash(),
        comparableKey,
        ComparableKey.part(log.shots(task.name())),
        null);
  }

  private static String bos(LmEvalLog log) {
    if (log.version().isEmpty()) {
      return "unknown";
    }
    String[] parts = log.version().get().split("\\D+", -1);
    for (int i = 0; i < BOS_BY_TOKENIZER.length; i++) {
      int part = i < parts.length && !parts[i].isEmpty() ? Integer.parseInt(parts[i]) : 0;
      if (part != BOS_BY_TOKENIZER[i]) {
        return part > BOS_BY_TOKENIZER[i] ? "auto" : "never";
      }
    }
    return "auto";
  }
}
