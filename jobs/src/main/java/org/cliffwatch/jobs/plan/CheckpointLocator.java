package org.cliffwatch.jobs.plan;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.cliffwatch.jobs.suite.Suite.CheckpointSeries;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.jobs.table.StorageException;

/** Finds the checkpoints a suite's series stand for, on any Hadoop file system. */
final class CheckpointLocator {
  private final Configuration configuration;

  CheckpointLocator(Configuration configuration) {
    this.configuration = configuration;
  }

  /**
   * Lists a series' checkpoints by ascending step.
   *
   * @throws SuiteException where a folder is missing or none matches
   */
  List<CheckpointAt> locate(CheckpointSeries series) {
    if (!series.isSeries()) {
      requireExists(series, series.path());
      return List.of(new CheckpointAt(series.model(), series.step().orElse(0), series.path()));
    }
    Map<String, CheckpointAt> there = matching(series);
    List<CheckpointAt> found = new ArrayList<>();
    if (series.steps().isPresent()) {
      for (long step : series.steps().get()) {
        String path = series.path().replace(CheckpointSeries.STEP, Long.toString(step));
        if (!there.containsKey(path)) {
          throw absent(series, path);
        }
        found.add(there.get(path));
      }
    } else {
      found.addAll(there.values());
      if (found.isEmpty()) {
        throw new SuiteException(
            series.place()
                + ": found no folder that matches "
                + series.path()
                + ", expected at least one, {step} being digits");
      }
    }
    found.sort(Comparator.comparingLong(CheckpointAt::step));
    return found;
  }

  private static SuiteException absent(CheckpointSeries series, String path) {
    return new SuiteException(
        series.place()
            + ": found no "
            + path
            + ", expected a checkpoint folder (config.json, *.safetensors, tokenizer.json)"
            + " or a .gguf file; nothing is downloaded: 'hf download ORG/NAME --local-dir DIR' gets"
            + " a checkpoint of the Hugging Face Hub");
  }

  private void requireExists(CheckpointSeries series, String path) {
    try {
      Path location = new Path(path);
      if (!location.getFileSystem(configuration).exists(location)) {
        throw absent(series, path);
      }
    } catch (IOException e) {
      throw new StorageException(series.place() + ": cannot look for " + path, e);
    }
  }

  /** What a series' folder holds, by path: one listing, whatever the number of steps. */
  private Map<String, CheckpointAt> matching(CheckpointSeries series) {
    String path = series.path();
    // Only the first {step} is listed; a second one (step5/model-5.gguf) then has one value.
    int at = path.indexOf(CheckpointSeries.STEP);
    int slash = path.lastIndexOf('/', at);
    int end = path.indexOf('/', at);
    String segment = path.substring(slash + 1, end < 0 ? path.length() : end);
    Pattern pattern =
        Pattern.compile(
            Pattern.quote(segment).replace(CheckpointSeries.STEP, "\\E([0-9]{1,18})\\Q"));
    Map<String, CheckpointAt> found = new LinkedHashMap<>();
    try {
      Path parent = new Path(slash <= 0 ? "/" : path.substring(0, slash));
      FileSystem files = parent.getFileSystem(configuration);
      if (!files.exists(parent)) {
        return Map.of();
      }
      for (FileStatus status : files.listStatus(parent)) {
        Matcher matcher = pattern.matcher(status.getPath().getName());
        if (matcher.matches()) {
          String digits = matcher.group(1);
          String whole = path.replace(CheckpointSeries.STEP, digits);
          if (end < 0 || files.exists(new Path(whole))) {
            found.put(whole, new CheckpointAt(series.model(), Long.parseLong(digits), whole));
          }
        }
      }
    } catch (IOException e) {
      throw new StorageException(series.place() + ": cannot list " + path, e);
    }
    return found;
  }
}
