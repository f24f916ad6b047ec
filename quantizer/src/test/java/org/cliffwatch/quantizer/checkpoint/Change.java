package org.cliffwatch.quantizer.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;

/** What can happen to a checkpoint's file while it is in use. */
public enum Change {
  /** Another file of the same size and time is renamed over it. */
  REPLACED {
    @Override
    public void apply(Path file) throws IOException {
      Path other = file.resolveSibling(file.getFileName() + ".new");
      Files.write(other, changed(Files.readAllBytes(file)));
      Files.setLastModifiedTime(other, Files.getLastModifiedTime(file));
      Files.move(other, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    }
  },

  /** It is written again where it lies. */
  REWRITTEN {
    @Override
    public void apply(Path file) throws IOException {
      FileTime before = Files.getLastModifiedTime(file);
      Files.write(file, changed(Files.readAllBytes(file)), StandardOpenOption.WRITE);
      // The kernel's clock for this ticks some hundred times a second only.
      Files.setLastModifiedTime(file, FileTime.fromMillis(before.toMillis() + 1000));
    }
  },

  /** It is cut off in the middle, where it lies. */
  TRUNCATED {
    @Override
    public void apply(Path file) throws IOException {
      FileTime before = Files.getLastModifiedTime(file);
      byte[] bytes = Files.readAllBytes(file);
      Files.write(file, Arrays.copyOf(bytes, bytes.length / 2));
      Files.setLastModifiedTime(file, before);
    }
  },

  DELETED {
    @Override
    public void apply(Path file) throws IOException {
      Files.delete(file);
    }
  };

  public abstract void apply(Path file) throws IOException;

  /** The same, but for the last bit of a float32 at the end, or for white space. */
  private static byte[] changed(byte[] bytes) {
    int last = bytes.length - 1;
    if (bytes[last] == '\n' || bytes[last] == '}') {
      bytes[last] = (byte) (bytes[last] == '\n' ? ' ' : '}');
    } else {
      bytes[last - 3] ^= 1;
    }
    return bytes;
  }
}
