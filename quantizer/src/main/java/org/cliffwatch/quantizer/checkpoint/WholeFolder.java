package org.cliffwatch.quantizer.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.InvalidInputException;

/**
 * Folders that appear whole or not at all: filled under another name, {@code NAME.unfinished}
 * beside it, and renamed.
 */
public final class WholeFolder {
  /** What goes into a folder. */
  public interface Content {
    void write(Path folder) throws IOException;
  }

  private WholeFolder() {}

  /** Writes a folder; one that is there is replaced. */
  public static void replace(Path folder, Content content) throws IOException {
    Path unfinished = fill(folder, content);
    delete(folder);
    Files.move(unfinished, folder, StandardCopyOption.ATOMIC_MOVE);
  }

  /**
   * Writes a folder that is not there yet, or is empty. Nothing is left of one whose content fails.
   *
   * @throws InvalidInputException if there is something of that name
   */
  public static void create(Path folder, Content content) throws IOException {
    requireNew(folder);
    try {
      Path unfinished = fill(folder, content);
      requireNew(folder);
      Files.move(unfinished, folder, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException | RuntimeException | Error e) {
      delete(unfinished(folder));
      throw e;
    }
  }

  /**
   * @throws InvalidInputException if there is something of that name, other than an empty folder
   */
  public static void requireNew(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      long count = files.count();
      if (count > 0) {
        throw new InvalidInputException(
            folder + ": found a folder of " + count + " files, expected a new or an empty one");
      }
    } catch (NoSuchFileException e) {
      // As it should be.
    } catch (NotDirectoryException e) {
      throw new InvalidInputException(folder + ": found a file, expected a new folder", e);
    }
  }

  private static Path fill(Path folder, Content content) throws IOException {
    Path unfinished = unfinished(folder);
    delete(unfinished);
    Files.createDirectories(unfinished);
    content.write(unfinished);
    return unfinished;
  }

  private static Path unfinished(Path folder) {
    return folder.resolveSibling(folder.getFileName() + ".unfinished");
  }

  /** Deletes a folder with all that is in it, if it is there. */
  public static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    } catch (NoSuchFileException e) {
      // Gone is what was wanted.
    }
  }
}
