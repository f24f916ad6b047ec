package org.cliffwatch.tasks.item;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.cliffwatch.tasks.Sha256;
import org.cliffwatch.tasks.definition.Layout;
import org.cliffwatch.tasks.definition.Prompt;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.metric.OutputType;
import org.cliffwatch.tasks.prompt.DocumentStep;
import org.cliffwatch.tasks.prompt.PromptException;
import org.cliffwatch.tasks.prompt.PythonJson;
import org.cliffwatch.tasks.prompt.PythonText;
import org.cliffwatch.tasks.prompt.Scope;
import org.cliffwatch.tasks.prompt.Template;

/** Documents → items: lm-evaluation-harness's {@code ConfigurableTask.construct_requests}. */
final class ItemBuilder implements Asker {
  /** lm-evaluation-harness's {@code target_delimiter}. */
  static final String DELIMITER = " ";

  /** Its {@code fewshot_delimiter}. */
  private static final String SHOT_DELIMITER = "\n\n";

  private static final String CHOICES = "doc_to_choice";

  private final TaskDefinition task;
  private final Layout layout;
  private final Prompt prompt;
  private final ChatPrompt chat;

  /**
   * @param chat how a chat model is asked, or null
   */
  ItemBuilder(TaskDefinition task, Layout layout, PromptVersion version, ChatPrompt chat) {
    this.task = task;
    this.layout = layout;
    this.prompt = task.prompt(layout, version);
    this.chat = chat;
  }

  /** The document after {@code process_docs}. */
  @Override
  public Scope document(ObjectNode record) {
    ObjectNode doc = layout.document(record);
    ObjectNode derived = doc.objectNode();
    for (DocumentStep step : layout.processDocs()) {
      step.apply(doc).forEach(derived::put);
    }
    refuseLoneSurrogates(doc);
    return new Scope(doc, derived);
  }

  @Override
  public Item item(int index, Scope scope, List<Shot> shots) {
    return switch (task.outputType()) {
      case MULTIPLE_CHOICE -> multipleChoice(index, scope, preface(scope, shots));
      case LOGLIKELIHOOD -> logLikelihood(index, scope, preface(scope, shots));
      case LOGLIKELIHOOD_ROLLING -> rolling(index, scope);
    };
  }

  @Override
  public Shot shot(Scope scope) {
    if (task.outputType() != OutputType.MULTIPLE_CHOICE) {
      return new Shot(
          prompt.docToText().render(scope),
          DELIMITER,
          prompt.docToTarget().render(scope),
          SHOT_DELIMITER);
    }
    List<String> choices = renderedChoices(scope);
    JsonNode target = prompt.docToTarget().value(scope);
    JsonNode context = prompt.docToText().value(scope);
    return task.multipleInput()
        ? new Shot(
            choices.get(gold(context, choices)), DELIMITER, PythonJson.text(target), SHOT_DELIMITER)
        : new Shot(
            PythonJson.text(context),
            DELIMITER,
            choices.get(gold(target, choices)),
            SHOT_DELIMITER);
  }

  private List<String> renderedChoices(Scope scope) {
    List<String> choices = choices(scope);
    ArrayNode rendered = scope.derived().putArray(CHOICES);
    choices.forEach(rendered::add);
    return choices;
  }

  private Item multipleChoice(int index, Scope scope, Preface before) {
    List<String> choices = renderedChoices(scope);
    JsonNode target = prompt.docToTarget().value(scope);
    JsonNode context = prompt.docToText().value(scope);
    // One for all choices: with many shots it is what an item's memory goes into.
    Preface.Asked shared = task.multipleInput() ? null : before.ask(PythonJson.text(context));
    String delimiter = before.choiceDelimiter(DELIMITER);
    String answer = PythonJson.text(target);
    JsonNode right = rightAnswers(scope, choices.size());
    List<ItemRequest> requests = new ArrayList<>();
    for (int i = 0; i < choices.size(); i++) {
      Boolean rightAnswer = right == null ? null : (Boolean) (right.get(i).intValue() == 1);
      requests.add(
          task.multipleInput()
              ? asked(before.ask(choices.get(i)), delimiter + answer, answer, rightAnswer)
              : asked(shared, delimiter + choices.get(i), choices.get(i), rightAnswer));
    }
    int gold = gold(task.multipleInput() ? context : target, choices);
    return item(index, gold, requests, answer, scope.doc(), requests.get(0).context());
  }

  private Preface preface(Scope scope, List<Shot> shots) {
    String description = prompt.description() == null ? "" : prompt.description().render(scope);
    return new Preface(chat, description, SHOT_DELIMITER, shots);
  }

  /** A list of 1 and 0; null where the gold index tells. */
  private JsonNode rightAnswers(Scope scope, int choices) {
    if (prompt.rightAnswers() == null) {
      return null;
    }
    JsonNode right = prompt.rightAnswers().value(scope);
    boolean told = right.size() == choices;
    for (JsonNode answer : right) {
      told &= answer.isInt() && (answer.intValue() == 0 || answer.intValue() == 1);
    }
    if (!told) {
      throw new PromptException(
          "found "
              + PythonJson.compact(right)
              + ", expected 1 or 0 for each of "
              + choices
              + " choices");
    }
    return right;
  }

  private Item logLikelihood(int index, Scope scope, Preface before) {
    Preface.Asked asked = before.ask(prompt.docToText().render(scope));
    String target = prompt.docToTarget().render(scope);
    ItemRequest request = asked(asked, target, target, null);
    return item(index, null, List.of(request), target, scope.doc(), asked.context());
  }

  private Item rolling(int index, Scope scope) {
    String text = prompt.docToTarget().render(scope);
    String original = prompt.countedText().render(scope);
    ItemRequest request =
        new ItemRequest(
            "",
            text,
            PythonText.length(original),
            PythonText.whitespaceFields(original),
            bytes(original));
    return item(index, null, List.of(request), text, scope.doc(), text);
  }

  private List<String> choices(Scope scope) {
    List<Template> templates = prompt.docToChoice();
    List<String> choices = new ArrayList<>();
    if (templates.size() == 1 && templates.get(0).value(scope) instanceof ArrayNode list) {
      list.forEach(choice -> choices.add(PythonJson.text(choice)));
    } else {
      templates.forEach(template -> choices.add(template.render(scope)));
    }
    if (choices.isEmpty()) {
      throw new PromptException("found no choices, expected at least one");
    }
    return choices;
  }

  /**
   * @param continuation the choice with what stands before it
   */
  static ItemRequest asked(
      Preface.Asked asked, String continuation, String choice, Boolean rightAnswer) {
    return new ItemRequest(
        asked.context(),
        continuation,
        PythonText.length(choice),
        0,
        bytes(choice),
        rightAnswer,
        asked.messages());
  }

  /** An index, or a text that is one of the choices. */
  private static int gold(JsonNode answer, List<String> choices) {
    String text = PythonJson.text(answer);
    int gold = text.matches("[0-9]{1,9}") ? Integer.parseInt(text) : choices.indexOf(text);
    if (gold < 0 || gold >= choices.size()) {
      throw new PromptException(
          "found answer '" + text + "', expected one of 0 to " + (choices.size() - 1));
    }
    return gold;
  }

  /** An item with its hashes. */
  static Item item(
      int index,
      Integer gold,
      List<ItemRequest> requests,
      String target,
      ObjectNode doc,
      String prompt) {
    return new Item(
        index,
        gold,
        requests,
        target,
        Sha256.of(PythonJson.indented(doc)),
        Sha256.of(prompt),
        Sha256.of(target));
  }

  static int bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8).length;
  }

  /** They are no text: UTF-8 has no form for them, and Java would quietly write a '?'. */
  static void refuseLoneSurrogates(JsonNode value) {
    if (value.isTextual()) {
      String text = value.textValue();
      for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
        int codePoint = text.codePointAt(i);
        if (codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE) {
          throw new PromptException(
              "found the unpaired surrogate U+"
                  + Integer.toHexString(codePoint).toUpperCase(Locale.ROOT)
                  + " in a text");
        }
      }
    }
    value.forEach(ItemBuilder::refuseLoneSurrogates);
  }
}
