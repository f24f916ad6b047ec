package org.cliffwatch.quantizer.kernel;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What scores depend on of a backend, spelled {@code library-version[-instruction set][-digest]}:
 * {@code onednn-3.11-avx512_vnni-5e0c61f2}. The digest is {@link KernelDigest}'s; without it, as
 * identities were spelled before there was one and as people pin them, any digest is meant.
 *
 * @param library backend, library and version: {@code onednn-3.11}, {@code
 *     reference-nd4j-1.0.0-M2.1}
 * @param instructionSet empty where the library does not tell
 * @param digest eight hexadecimal digits, or empty
 */
public record KernelIdentity(
    String library, Optional<InstructionSet> instructionSet, Optional<String> digest) {
  private static final Pattern DIGEST = Pattern.compile("(.+)-([0-9a-f]{8})");
  private static final Pattern INSTRUCTION_SET = Pattern.compile("(.+)-([a-z0-9_]+)");

  /** Reads any spelling; what follows no pattern is the library's. */
  public static KernelIdentity of(String spelled) {
    Matcher digest = DIGEST.matcher(spelled);
    String rest = digest.matches() ? digest.group(1) : spelled;
    Matcher set = INSTRUCTION_SET.matcher(rest);
    Optional<InstructionSet> instructionSet =
        set.matches() ? InstructionSet.of(set.group(2)) : Optional.empty();
    return new KernelIdentity(
        instructionSet.isPresent() ? set.group(1) : rest,
        instructionSet,
        digest.matches() ? Optional.of(digest.group(2)) : Optional.empty());
  }

  /** The backend's name: {@code onednn}. */
  public String backend() {
    int dash = library.indexOf('-');
    return dash < 0 ? library : library.substring(0, dash);
  }

  /** The same library kept to a lesser instruction set; itself where it depends on none. */
  KernelIdentity within(InstructionSet most) {
    return instructionSet.isPresent()
        ? new KernelIdentity(library, Optional.of(most), Optional.empty())
        : this;
  }

  public KernelIdentity withDigest(String of) {
    return new KernelIdentity(library, instructionSet, Optional.of(of));
  }

  /**
   * Requires that a backend is what this identity asks for.
   *
   * @param own the backend's, whole
   * @throws BackendUnavailableException naming both
   */
  public void require(String own) {
    KernelIdentity is = of(own);
    if (!library.equals(is.library) || !instructionSet.equals(is.instructionSet)) {
      throw new BackendUnavailableException("found kernel %s, expected %s".formatted(own, this));
    }
    if (digest.isPresent() && !digest.equals(is.digest)) {
      throw new BackendUnavailableException(
          ("found kernel %s, expected %s: of the same name, but its products round otherwise here;"
                  + " leave the last part out to take them as they are")
              .formatted(own, this));
    }
  }

  @Override
  public String toString() {
    return library
        + instructionSet.map(set -> "-" + set.spelled()).orElse("")
        + digest.map(hex -> "-" + hex).orElse("");
  }
}
