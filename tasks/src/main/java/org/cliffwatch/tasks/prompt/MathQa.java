package org.cliffwatch.tasks.prompt;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** lm-evaluation-harness's {@code tasks/mathqa/utils.py}. */
final class MathQa {
  /** {@code re.findall}'s; Python's dot and dollar know line feeds only. */
  private static final Pattern OPTION =
      Pattern.compile("[abcd] \\) .*?, |e \\) .*?$", Pattern.UNIX_LINES);

  private static final int LETTER = 4;

  private MathQa() {}

  /** {@code doc_to_choice}. */
  static ArrayNode options(String text) {
    ArrayNode options = JsonNodeFactory.instance.arrayNode();
    Matcher matcher = OPTION.matcher(text);
    while (matcher.find()) {
      String option = matcher.group().substring(LETTER);
      int end = option.length();
      while (end > 0 && (option.charAt(end - 1) == ' ' || option.charAt(end - 1) == ',')) {
        end--;
      }
      options.add(option.substring(0, end));
    }
    return options;
  }
}
