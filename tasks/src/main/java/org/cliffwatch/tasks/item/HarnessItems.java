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
  private final Set<String> columns = new LinkedHashSet<>();

  /**
   * @param records all of the file's, since a data set has the columns of all its rows; null for
   *     one that cannot be read
   */
  HarnessItems(TaskDefinition task, List<ObjectNode> records) {
    this.task = task;
    this.prompt = task.harness();
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
  public Item item(int index, Scope document, String shots) {
    ObjectNode doc = document.doc();
    return switch (task.outputType()) {
      case MULTIPLE_CHOICE -> multipleChoice(index, doc, shots);
      case LOGLIKELIHOOD -> logLikelihood(index, doc, shots);
      case LOGLIKELIHOOD_ROLLING -> rolling(index, doc);
    };
  }

  @Override
  public String shot(Scope document) {
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
    return ItemBuilder.shot(
        text(question), prompt.targetDelimiter(), text(answer), prompt.fewshotDelimiter());
  }

  private Item multipleChoice(int index, ObjectNode doc, String shots) {
    List<String> choices = prompt.choices(doc);
    JsonNode text = prompt.text(doc);
    JsonNode target = prompt.target(doc);
    String before = prompt.description(doc) + shots;
    boolean contexts = text.isIntegralNumber();
    if (!contexts && !text.isTextual()) {
      throw new PromptException(
          "doc_to_text: found " + PythonJson.line(text) + ", expected a text");
    }
    String shared = contexts ? null : before + text.textValue();
    List<ItemRequest> requests = new ArrayList<>();
    for (String choice : choices) {
      requests.add(
          contexts
              ? request(before + choice, PythonJson.text(target), choice)
              : request(shared, choice, choice));
    }
    return ItemBuilder.item(
        index,
        gold(contexts ? text : target, choices),
        requests,
        PythonJson.text(target),
        doc,
        requests.get(0).context());
  }

  private ItemRequest request(String context, String continuation, String choice) {
    return new ItemRequest(
        context,
        prompt.targetDelimiter() + continuation,
        PythonText.length(choice),
        0,
        ItemBuilder.bytes(choice));
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

  private Item logLikelihood(int index, ObjectNode doc, String shots) {
    JsonNode text = prompt.text(doc);
    String target = text(prompt.target(doc));
    String context = prompt.description(doc) + shots + text(text);
    ItemRequest request =
        new ItemRequest(context, target, PythonText.length(target), 0, ItemBuilder.bytes(target));
    return ItemBuilder.item(index, null, List.of(request), target, doc, context);
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
