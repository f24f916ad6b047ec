package org.cliffwatch.jobs.table;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Options.Rename;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.util.HadoopOutputFile;
import org.apache.parquet.io.LocalOutputFile;
import org.apache.parquet.io.OutputFile;

/** What a file system can do in one step. */
final class Storage {
  /**
   * Where a file appears, whole, when its writer closes it, where a rename copies, and where a
   * listing of everything below a folder is one request for many files.
   */
  private static final Set<String> OBJECT_STORES =
      Set.of("s3a", "s3", "s3n", "gs", "oss", "cosn", "obs", "swift", "wasb", "wasbs");

  private Storage() {}

  static boolean isObjectStore(Path path, Configuration configuration) throws IOException {
    return OBJECT_STORES.contains(path.getFileSystem(configuration).getUri().getScheme());
  }

  /** Where a Parquet file is written, which must not be there or is replaced on an object store. */
  static OutputFile output(Path file, Configuration configuration) throws IOException {
    if (file.getFileSystem(configuration) instanceof LocalFileSystem local) {
      // Hadoop starts a process for each file it makes here, to set its permissions, and writes a
      // checksum file beside it.
      java.nio.file.Path path = local.pathToFile(file).toPath();
      Files.createDirectories(path.getParent());
      return new LocalOutputFile(path);
    }
    return HadoopOutputFile.fromPath(file, configuration);
  }

  /** Moves a file in one step, in the place of one that may be there: not on an object store. */
  static void replace(Path file, Path by, Configuration configuration) throws IOException {
    FileSystem files = file.getFileSystem(configuration);
    if (files instanceof LocalFileSystem local) {
      // Hadoop would delete first and rename then.
      Files.createDirectories(local.pathToFile(file.getParent()).toPath());
      Files.deleteIfExists(local.pathToFile(local.getChecksumFile(file)).toPath());
      Files.move(
          local.pathToFile(by).toPath(),
          local.pathToFile(file).toPath(),
          StandardCopyOption.ATOMIC_MOVE);
    } else {
      // A path may leave the host to the configuration (hdfs:/out), which a context does not.
      FileContext context = FileContext.getFileContext(files.getUri(), configuration);
      Path target = files.makeQualified(file);
      context.mkdir(target.getParent(), null, true);
      context.rename(files.makeQualified(by), target, Rename.OVERWRITE);
    }
  }
}
