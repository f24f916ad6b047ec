package org.cliffwatch.tasks.prompt;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * The closed set of steps a definition may name under {@code process_docs}. They change the
 * document before it is hashed and prompted, as lm-evaluation-harness's {@code process_docs} does.
 */
public enum DocumentStep {
  /** HellaSwag: adds {@code query}, {@code choices}, {@code gold}. */
  HELLASWAG(inPlace(HellaSwag::process)),
  /** WSC273: normalized options; lends {@code before_pronoun} and {@code after_pronoun}. */
  WSC273(Wsc273::process),
  /** LogiQA's plain text: {@code lines} become label, context, question and options. */
  LOGIQA_LINES(inPlace(LogiQa::process)),
  /**
   * RACE: lends the last question's {@code query}, {@code choice_0} … {@code 3}, {@code answer}.
   */
  RACE(Race::process),
  /** RACE's own release: questions, options and answers become {@code problems}. */
  RACE_EXAM(inPlace(Race::gather)),
  /** ARC's own release in the Hub's shape. */
  ARC_QUESTION(inPlace(doc -> QuestionWithChoices.process(doc, "question"))),
  /** OpenBookQA's own release in the Hub's shape. */
  OPENBOOKQA_QUESTION(inPlace(doc -> QuestionWithChoices.process(doc, "question_stem")));

  @SuppressWarnings("ImmutableEnumChecker") // functions without state
  private final Function<ObjectNode, Map<String, String>> function;

  DocumentStep(Function<ObjectNode, Map<String, String>> function) {
    this.function = function;
  }

  /** All steps by the name a definition uses. */
  public static Map<String, DocumentStep> byName() {
    Map<String, DocumentStep> names = new TreeMap<>();
    Arrays.stream(values()).forEach(step -> names.put(step.toString(), step));
    return names;
  }

  /**
   * Changes the document in place.
   *
   * @return values that templates may name besides the document's own fields; not hashed
   * @throws PromptException where the document is not one this step is for
   */
  public Map<String, String> apply(ObjectNode doc) {
    return function.apply(doc);
  }

  private static Function<ObjectNode, Map<String, String>> inPlace(Consumer<ObjectNode> change) {
    return doc -> {
      change.accept(doc);
      return Map.of();
    };
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
