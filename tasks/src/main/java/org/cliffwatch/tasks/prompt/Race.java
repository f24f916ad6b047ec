package org.cliffwatch.tasks.prompt;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * lm-evaluation-harness's {@code tasks/race/preprocess_race.py}: the questions of an article but
 * the last are asked and answered in the context, as examples.
 */
final class Race {
  private static final String LETTERS = "ABCD";

  /** What ends a question that is a sentence to complete; the answer takes the blank's place. */
  private static final String BLANK = "  _  .";

  private Race() {}

  /** {@code questions}, {@code options} and {@code answers}, lists of equal length, as problems. */
  static void gather(ObjectNode doc) {
    JsonNode questions = doc.remove("questions");
    JsonNode options = doc.remove("options");
    JsonNode answers = doc.remove("answers");
    int n = questions.size();
    if (options == null || options.size() != n || answers.size() != n) {
      throw new PromptException(
          "found "
              + n
              + " questions, "
              + (options == null ? 0 : options.size())
              + " lists of options and "
              + answers.size()
              + " answers, expected as many of each");
    }
    ArrayNode problems = doc.putArray("problems");
    for (int i = 0; i < n; i++) {
      ObjectNode problem = problems.addObject();
      problem.set("question", questions.get(i));
      problem.set("answer", answers.get(i));
      problem.set("options", options.get(i));
    }
  }

  /**
   * The last question's prompt, choices and answer.
   *
   * @param doc {@code article} and {@code problems}, a list or the text of one in Python's literals
   */
  static Map<String, String> process(ObjectNode doc) {
    JsonNode given = doc.path("problems");
    JsonNode problems = given.isTextual() ? PythonLiteral.read(given.textValue()) : given;
    if (!problems.isArray() || problems.isEmpty()) {
      throw new PromptException("problems: found no list, expected questions with their options");
    }
    StringBuilder text = new StringBuilder("Article: ");
    text.append(text(doc, "article")).append("\n\n");
    for (int i = 0; i + 1 < problems.size(); i++) {
      String question = text(problems.get(i), "question");
      String answer = option(problems.get(i), answer(problems.get(i)));
      if (question.endsWith(BLANK)) {
        text.append(question, 0, question.length() - BLANK.length() + 1).append(answer);
      } else {
        text.append("Question: ").append(question).append("\nAnswer: ").append(answer);
      }
      text.append('\n');
    }
    JsonNode last = problems.get(problems.size() - 1);
    Map<String, String> derived = new LinkedHashMap<>();
    derived.put("query", text.append(text(last, "question")).toString());
    for (int i = 0; i < LETTERS.length(); i++) {
      derived.put("choice_" + i, option(last, i));
    }
    derived.put("answer", Integer.toString(answer(last)));
    return derived;
  }

  private static int answer(JsonNode problem) {
    String letter = text(problem, "answer");
    int answer = letter.length() == 1 ? LETTERS.indexOf(letter) : -1;
    if (answer < 0) {
      throw new PromptException("problems: found answer '" + letter + "', expected A, B, C or D");
    }
    return answer;
  }

  private static String option(JsonNode problem, int index) {
    JsonNode option = problem.path("options").path(index);
    if (!option.isTextual()) {
      throw new PromptException("problems: found no text for option " + LETTERS.charAt(index));
    }
    return option.textValue();
  }

  private static String text(JsonNode object, String field) {
    JsonNode value = object.path(field);
    if (!value.isTextual()) {
      throw new PromptException("found no text '" + field + "', expected article and problems");
    }
    return value.textValue();
  }
}
