package org.cliffwatch.tasks.item;

import java.io.IOException;
import java.io.InputStream;
import java.util.List;

/**
 * Where item files lie: this module knows local folders only ({@link LocalFiles}), and a caller
 * with a cluster file system brings its own. Locations are that system's names, with {@code /}
 * between folder and file.
 */
public interface DataSource {
  /** Whether a location is a folder; false also where there is nothing. */
  boolean isFolder(String location) throws IOException;

  /** Whether a location is a file. */
  boolean isFile(String location) throws IOException;

  /** The names, without the folder, of the files directly in a folder, in any order. */
  List<String> list(String folder) throws IOException;

  /** The names of the folders directly in a folder, in any order. */
  List<String> folders(String folder) throws IOException;

  /** A file's bytes. */
  InputStream open(String file) throws IOException;
}
