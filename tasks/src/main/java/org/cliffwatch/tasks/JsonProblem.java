package org.cliffwatch.tasks;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.util.List;
import java.util.regex.Pattern;

/** What is wrong with a JSON or YAML text, in Jackson's words without its advice to programmers. */
public final class JsonProblem {
  /** Switches and classes of the library, with the words that lead to them. */
  private static final List<Pattern> ADVICE =
      List.of(
          Pattern.compile("(?s)\n.*"),
          Pattern.compile("^Cannot construct instance of `[^`]*`, problem: "),
          Pattern.compile(": enable `[^`]*` to allow"),
          Pattern.compile("[:;]? ?\\(?(set|use|enable) JsonReadFeature[^)]*\\)?"),
          Pattern.compile("[:;]? ?\\(not recognized as one since Feature [^)]*\\)"),
          Pattern.compile(" \\(bound as [^)]*\\)"),
          Pattern.compile("[:;]? ?not allowed (as per|when) `[^`]*`( enabled)?"),
          Pattern.compile(",? \\(?from `[^`]*`"),
          Pattern.compile(" (for|of type) `[^`]*`"),
          Pattern.compile(" \\((token )?`[^`]*`\\)"),
          Pattern.compile(" \\(of type [A-Z_]*\\)"),
          Pattern.compile(" \\((start marker at|for \\w+ starting at) \\[[^\\]]*\\]\\)"),
          Pattern.compile(" \\(through reference chain: [^)]*\\)"));

  private JsonProblem() {}

  /** One line, without the place. */
  public static String of(JsonProcessingException e) {
    String message = e.getOriginalMessage();
    for (Pattern advice : ADVICE) {
      message = advice.matcher(message).replaceAll("");
    }
    return message;
  }
}
