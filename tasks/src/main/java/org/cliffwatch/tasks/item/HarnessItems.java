package org.cliffwatch.tasks.item;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.cliffwatch.tasks.definition.HarnessPrompt;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.metric.OutputType;
import org.cliffwatch.tasks.prompt.PromptException;
import org.cliffwatch.tasks.prompt.PythonJson;
import org.cliffwatch.tasks.prompt.PythonText;
import org.cliffwatch.tasks.prompt.Scope;

/**
 * Records → items of a definition in lm-evaluation-harness's own YAML, as its {@code
 * construct_requests} and {@code process_results} have it.
 */
final class HarnessItems implements Asker {
  private final TaskDefinition task;
  private final HarnessPrompt prompt;
  private final ChatPrompt chat;
  private final Set<String> columns = new LinkedHashSet<>();

  /**
   * @param records all of the file's, since a data set has the columns of all its rows; null for
   *     one that cannot be read
   * @param chat how a chat model is asked, or null
   */
  HarnessItems(TaskDefinition task, List<ObjectNode> records, ChatPrompt chat) {
    this.task = task;
    this.prompt = task.harness();
    this.chat = chat;
    records.stream()
        .filter(Objects::nonNull)
        .forEach(record -> record.fieldNames().forEachRemaining(columns::add));
  }

  @Override
  public Scope document(ObjectNode record) {
    ObjectNode doc = record.objectNode();
    for (String column : columns) {
      JsonNode value = record.get(column);
      doc.set(column, value == null ? doc.nullNode() : value);
    }
    ItemBuilder.refuseLoneSurrogates(doc);
    return new Scope(doc, doc.objectNode());
  }

  @Override
  public Item item(int index, Scope document, List<Shot> shots) {
    ObjectNode doc = document.doc();
    return switch (task.outputType()) {
      case MULTIPLE_CHOICE -> multipleChoice(index, doc, preface(doc, shots));
      case LOGLIKELIHOOD -> logLikelihood(index, doc, preface(doc, shots));
      case LOGLIKELIHOOD_ROLLING -> rolling(index, doc);
    };
  }

  private Preface preface(ObjectNode doc, List<Shot> shots) {
    return new Preface(chat, prompt.description(doc), prompt.fewshotDelimiter(), shots);
  }

  @Override
  public Shot shot(Scope document) {
    ObjectNode doc = document.doc();
    JsonNode question = prompt.text(doc);
    JsonNode answer = prompt.target(doc);
    if (task.outputType() == OutputType.MULTIPLE_CHOICE) {
      List<String> choices = prompt.choices(doc);
      if (question.isIntegralNumber()) {
        question = TextNode.valueOf(choices.get(gold(question, choices)));
      } else if (!answer.isTextual()) {
        answer = TextNode.valueOf(choices.get(gold(answer, choices)));
      }
    }
    return new Shot(
        text(question), prompt.targetDelimiter(), text(answer), prompt.fewshotDelimiter());
  }

  private Item multipleChoice(int index, ObjectNode doc, Preface before) {
    List<String> choices = prompt.choices(doc);
    JsonNode text = prompt.text(doc);
    JsonNode target = prompt.target(doc);
    boolean contexts = text.isIntegralNumber();
    if (!contexts && !text.isTextual()) {
      throw new PromptException(
          "doc_to_text: found " + PythonJson.line(text) + ", expected a text");
    }
    Preface.Asked shared = contexts ? null : before.ask(text.textValue());
    String delimiter = before.choiceDelimiter(prompt.targetDelimiter());
    List<ItemRequest> requests = new ArrayList<>();
    for (String choice : choices) {
      requests.add(
          contexts
              ? ItemBuilder.asked(
                  before.ask(choice), delimiter + PythonJson.text(target), choice, null)
              : ItemBuilder.asked(shared, delimiter + choice, choice, null));
    }
    return ItemBuilder.item(
        index,
        gold(contexts ? text : target, choices),
        requests,
        PythonJson.text(target),
        doc,
        requests.get(0).context());
  }

  /** An index, or a text that is one of the choices: digits in a column are a text. */
  private static int gold(JsonNode answer, List<String> choices) {
    int gold =
        answer.isTextual()
            ? choices.indexOf(answer.textValue())
            : answer.isBoolean()
                ? (answer.booleanValue() ? 1 : 0)
                : answer.isInt() ? answer.intValue() : -1;
    if (gold < 0 || gold >= choices.size()) {
      throw new PromptException(
          "found answer "
              + PythonJson.line(answer)
              + ", expected one of 0 to "
              + (choices.size() - 1)
              + " or of the choices");
    }
    return gold;
  }

  private Item logLikelihood(int index, ObjectNode doc, Preface before) {
    Preface.Asked asked = before.ask(text(prompt.text(doc)));
    String target = text(prompt.target(doc));
    ItemRequest request = ItemBuilder.asked(asked, target, target, null);
    return ItemBuilder.item(index, null, List.of(request), target, doc, asked.context());
  }

  private Item rolling(int index, ObjectNode doc) {
    String text = text(prompt.target(doc));
    ItemRequest request =
        new ItemRequest(
            "",
            text,
            PythonText.length(text),
            PythonText.whitespaceFields(text),
            ItemBuilder.bytes(text));
    return ItemBuilder.item(index, null, List.of(request), text, doc, text);
  }

  private static String text(JsonNode value) {
    if (!value.isTextual()) {
      throw new PromptException("found " + PythonJson.line(value) + ", expected a text");
    }
    return value.textValue();
  }
}
