package org.cliffwatch.jobs.table;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.HashSet;
import java.util.Set;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Options.Rename;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.StreamCapabilities;
import org.apache.hadoop.fs.UnsupportedFileSystemException;

/** What a file system can do in one step, and how a file appears on it: whole or not at all. */
final class Storage {
  /** A Hadoop setting: schemes, with commas, of further object stores. */
  static final String MORE_OBJECT_STORES = "cliffwatch.object.stores";

  /**
   * Where a file appears, whole, when its writer closes it, where a rename copies, and where a
   * listing of everything below a folder is one request for many files.
   */
  private static final Set<String> OBJECT_STORES =
      Set.of("s3a", "s3", "s3n", "gs", "oss", "cosn", "obs", "swift", "wasb", "wasbs");

  private Storage() {}

  static boolean isObjectStore(Path path, Configuration configuration) throws IOException {
    Set<String> schemes = new HashSet<>(OBJECT_STORES);
    schemes.addAll(configuration.getTrimmedStringCollection(MORE_OBJECT_STORES));
    return schemes.contains(path.getFileSystem(configuration).getUri().getScheme());
  }

  /**
   * Makes a file, or replaces it: written beside the tables and then moved into place in one step,
   * or on an object store in one request.
   *
   * @param staging a folder on the same file system, outside every table
   * @param superseded files that no reader shall see together with this one: removed when all but
   *     the last step is done, so that a full disk costs nothing that is there
   */
  static void put(
      Path file,
      byte[] content,
      Path staging,
      Collection<Path> superseded,
      Configuration configuration)
      throws IOException {
    FileSystem files = file.getFileSystem(configuration);
    if (isObjectStore(file, configuration)) {
      for (Path old : superseded) {
        files.delete(old, false);
      }
      putObject(files, file, content);
      return;
    }
    Path unfinished = new Path(staging, file.getName() + "." + UUID.randomUUID());
    try {
      write(files, unfinished, content);
      for (Path old : superseded) {
        files.delete(old, false);
      }
      replace(files, file, unfinished, configuration);
    } catch (IOException | RuntimeException e) {
      try {
        files.delete(unfinished, false);
      } catch (IOException left) {
        e.addSuppressed(left);
      }
      throw e;
    }
  }

  /** As {@link #put}, of a file on this machine. */
  static void upload(
      java.nio.file.Path content, Path file, Path staging, Configuration configuration)
      throws IOException {
    FileSystem files = file.getFileSystem(configuration);
    Path here = new Path(content.toUri());
    if (isObjectStore(file, configuration)) {
      files.copyFromLocalFile(false, true, here, file);
      return;
    }
    Path unfinished = new Path(staging, file.getName() + "." + UUID.randomUUID());
    files.copyFromLocalFile(false, true, here, unfinished);
    if (files instanceof LocalFileSystem local) {
      Files.deleteIfExists(local.pathToFile(local.getChecksumFile(unfinished)).toPath());
    }
    replace(files, file, unfinished, configuration);
  }

  private static void putObject(FileSystem files, Path file, byte[] content) throws IOException {
    FSDataOutputStream out = files.create(file, true);
    try {
      out.write(content);
    } catch (IOException | RuntimeException e) {
      // Closing would make the object appear with what has been written so far.
      if (out.hasCapability(StreamCapabilities.ABORTABLE_STREAM)) {
        out.abort();
      }
      throw e;
    }
    out.close();
  }

  private static void write(FileSystem files, Path unfinished, byte[] content) throws IOException {
    if (files instanceof LocalFileSystem local) {
      // Hadoop starts a process for each file it makes here, to set its permissions, and writes a
      // checksum file beside it.
      java.nio.file.Path path = local.pathToFile(unfinished).toPath();
      Files.createDirectories(path.getParent());
      Files.write(path, content, StandardOpenOption.CREATE_NEW);
    } else {
      try (FSDataOutputStream out = files.create(unfinished, false)) {
        out.write(content);
      }
    }
  }

  /** Moves a file in the place of one that may be there. */
  private static void replace(FileSystem files, Path file, Path by, Configuration configuration)
      throws IOException {
    if (files instanceof LocalFileSystem local) {
      // Hadoop would delete first and rename then.
      Files.createDirectories(local.pathToFile(file.getParent()).toPath());
      Files.deleteIfExists(local.pathToFile(local.getChecksumFile(file)).toPath());
      Files.move(
          local.pathToFile(by).toPath(),
          local.pathToFile(file).toPath(),
          StandardCopyOption.ATOMIC_MOVE);
      return;
    }
    // A path may leave the host to the configuration (hdfs:/out), which a context does not.
    Path target = files.makeQualified(file);
    files.mkdirs(target.getParent());
    try {
      FileContext.getFileContext(files.getUri(), configuration)
          .rename(files.makeQualified(by), target, Rename.OVERWRITE);
    } catch (UnsupportedFileSystemException e) {
      replaceInTwoSteps(files, file, by);
    }
  }

  /** The best that a file system can do which has no rename onto a file. */
  private static void replaceInTwoSteps(FileSystem files, Path file, Path by) throws IOException {
    if (!files.rename(by, file)) {
      files.delete(file, false);
      if (!files.rename(by, file)) {
        throw new IOException("cannot rename " + by + " to it");
      }
    }
  }
}
