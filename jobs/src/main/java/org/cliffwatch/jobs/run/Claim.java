package org.cliffwatch.jobs.run;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Timer;
import java.util.TimerTask;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.cliffwatch.jobs.plan.Plan;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.jobs.table.StorageException;
import org.cliffwatch.jobs.table.Tables;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says that a run writes into an output. Two runs of one plan may do so at once: they write the
 * same bytes. A run of another plan is refused while this one lives: it would replace cells under
 * it.
 *
 * <p>A file beside the tables, {@code .staging/runs/<run>}, written again while the run lives; one
 * that was not for {@link #LIVES_MILLIS} is a dead run's. Times are the file system's own.
 */
final class Claim implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Claim.class);

  private static final long BEATS_MILLIS = 20_000;
  private static final long LIVES_MILLIS = 6 * BEATS_MILLIS;

  private final FileSystem files;
  private final Path own;
  private final String text;
  private final Timer heart = new Timer("claim", true);
  private boolean closed;

  private Claim(FileSystem files, Path own, String text) {
    this.files = files;
    this.own = own;
    this.text = text;
  }

  /**
   * Claims the output for a run.
   *
   * @throws SuiteException if a run of another plan writes there now
   */
  static Claim take(Tables tables, Plan plan, String runId, Configuration configuration) {
    Path folder = new Path(tables.staging(), "runs");
    String identity = plan.identity();
    try {
      FileSystem files = folder.getFileSystem(configuration);
      Claim claim =
          new Claim(files, new Path(folder, runId), identity + "\n" + plan.suite().name() + "\n");
      try {
        claim.write();
        claim.requireNoOther(identity, tables);
      } catch (IOException | RuntimeException e) {
        claim.close();
        throw e;
      }
      claim.heart.schedule(claim.new Beat(), BEATS_MILLIS, BEATS_MILLIS);
      return claim;
    } catch (IOException e) {
      throw new StorageException("--output: cannot keep a file of this run in " + folder, e);
    }
  }

  private void requireNoOther(String identity, Tables tables) throws IOException {
    long now = now();
    for (FileStatus status : others()) {
      String[] other = read(status.getPath());
      if (status.getModificationTime() + LIVES_MILLIS < now) {
        files.delete(status.getPath(), false);
      } else if (other.length > 1 && !other[0].equals(identity)) {
        throw new SuiteException(
            "--output: found run %s of suite '%s' writing into %s, of other cells than this one;"
                    .formatted(
                        status.getPath().getName(), other[1], tables.table("scores").getParent())
                + " expected no other run, one of the same plan, or another output (a run that was"
                + " killed counts for two minutes)");
      }
    }
  }

  /** By the file system's clock, unless what was just written is not seen yet. */
  private long now() throws IOException {
    try {
      return files.getFileStatus(own).getModificationTime();
    } catch (FileNotFoundException e) {
      return System.currentTimeMillis();
    }
  }

  private List<FileStatus> others() throws IOException {
    try {
      return List.of(files.listStatus(own.getParent()));
    } catch (FileNotFoundException e) {
      return List.of(); // a listing that is late
    }
  }

  String runId() {
    return own.getName();
  }

  private String[] read(Path file) throws IOException {
    try (InputStream in = files.open(file)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).split("\n", -1);
    } catch (FileNotFoundException e) {
      return new String[0]; // it has ended meanwhile
    }
  }

  private void write() throws IOException {
    try (OutputStream out = files.create(own, true)) {
      out.write(text.getBytes(StandardCharsets.UTF_8));
    }
  }

  private final class Beat extends TimerTask {
    @Override
    public void run() {
      synchronized (Claim.this) {
        try {
          if (!closed) {
            write();
          }
        } catch (IOException e) {
          LOG.warn("cannot write {}", own, e);
        }
      }
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
    heart.cancel();
    try {
      files.delete(own, false);
    } catch (IOException e) {
      LOG.warn("cannot delete {}", own, e);
    }
  }
}
