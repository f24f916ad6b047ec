package org.cliffwatch.tasks.format;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * Arrow's IPC streams and files, as Hugging Face's datasets keep them. Arrow's own library reads
 * them; it is Spark's, and a class of its own holds what names it, so that all else works without.
 */
final class ArrowFormat implements Format {
  @Override
  public List<SourceRecord> read(byte[] file) throws FormatException {
    if (!ByteBuffer.class.getModule().isOpen("java.nio", ArrowFormat.class.getModule())) {
      throw new FormatException(
          "cannot be read as Arrow: found java.nio closed to Arrow's library, expected"
              + " --add-opens=java.base/java.nio=ALL-UNNAMED among Java's options, as submit/ and"
              + " spark-submit have it");
    }
    try {
      ArrowFraming.check(file);
      return new ArrowRecords(file).read();
    } catch (NoClassDefFoundError e) {
      throw new FormatException(
          "cannot be read as Arrow: found no "
              + e.getMessage()
              + ", expected Spark's jars on the class path (arrow-vector, arrow-memory-netty)",
          e);
    }
  }
}
