package org.cliffwatch.jobs.plan;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.cliffwatch.tasks.item.DataSource;

/** Item files on any Hadoop file system. */
public final class HadoopFiles implements DataSource {
  private final Configuration configuration;

  public HadoopFiles(Configuration configuration) {
    this.configuration = configuration;
  }

  @Override
  public boolean isFolder(String location) throws IOException {
    Path path = new Path(location);
    FileSystem files = path.getFileSystem(configuration);
    return files.exists(path) && files.getFileStatus(path).isDirectory();
  }

  @Override
  public boolean isFile(String location) throws IOException {
    Path path = new Path(location);
    FileSystem files = path.getFileSystem(configuration);
    return files.exists(path) && files.getFileStatus(path).isFile();
  }

  @Override
  public List<String> list(String folder) throws IOException {
    return names(folder, FileStatus::isFile);
  }

  @Override
  public List<String> folders(String folder) throws IOException {
    return names(folder, FileStatus::isDirectory);
  }

  private List<String> names(String folder, Predicate<FileStatus> which) throws IOException {
    Path path = new Path(folder);
    return Arrays.stream(path.getFileSystem(configuration).listStatus(path))
        .filter(which)
        .map(status -> status.getPath().getName())
        .toList();
  }

  @Override
  public InputStream open(String file) throws IOException {
    Path path = new Path(file);
    return path.getFileSystem(configuration).open(path);
  }
}
