package org.cliffwatch.tasks.item;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Item files in this machine's file system; locations are paths, {@code file:} URIs too. */
public final class LocalFiles implements DataSource {
  private static final String SCHEME = "file:";

  @Override
  public boolean isFolder(String location) {
    return Files.isDirectory(path(location));
  }

  @Override
  public boolean isFile(String location) {
    return Files.isRegularFile(path(location));
  }

  @Override
  public List<String> list(String folder) throws IOException {
    try (Stream<Path> entries = Files.list(path(folder))) {
      return entries
          .filter(Files::isRegularFile)
          .map(entry -> entry.getFileName().toString())
          .toList();
    }
  }

  @Override
  public List<String> folders(String folder) throws IOException {
    try (Stream<Path> entries = Files.list(path(folder))) {
      return entries
          .filter(Files::isDirectory)
          .map(entry -> entry.getFileName().toString())
          .toList();
    }
  }

  @Override
  public InputStream open(String file) throws IOException {
    return Files.newInputStream(path(file));
  }

  private static Path path(String location) {
    return location.startsWith(SCHEME)
        ? Path.of(location.substring(SCHEME.length()).replaceFirst("^/{2,}", "/"))
        : Path.of(location);
  }
}
