package org.cliffwatch.jobs.run;

import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.cliffwatch.jobs.plan.Sha256;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.calibration.CalibrationText;

/**
 * A text that a run was planned with.
 *
 * @param uri where it is
 * @param hash sha256 of its content
 */
record HashedText(String uri, String hash) implements Serializable {
  private static final long serialVersionUID = 1L;

  /**
   * Reads it.
   *
   * @throws InvalidInputException if it is another by now
   */
  CalibrationText read(Configuration hadoop) throws IOException {
    Path file = new Path(uri);
    MessageDigest digest = Sha256.digest();
    CalibrationText text;
    try (InputStream in = new DigestInputStream(file.getFileSystem(hadoop).open(file), digest)) {
      text = CalibrationText.read(uri, in);
    }
    String found = Sha256.hex(digest);
    if (!found.equals(hash)) {
      throw new InvalidInputException(
          uri
              + ": found content "
              + found
              + ", expected "
              + hash
              + ": it was replaced since the run was planned");
    }
    return text;
  }
}
