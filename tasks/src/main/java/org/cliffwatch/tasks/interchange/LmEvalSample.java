package org.cliffwatch.tasks.interchange;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.Sha256;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.metric.ChoiceScore;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.OutputType;
import org.cliffwatch.tasks.prompt.PromptException;
import org.cliffwatch.tasks.prompt.PythonJson;
import org.cliffwatch.tasks.prompt.PythonText;
import org.cliffwatch.tasks.prompt.Scope;
import org.cliffwatch.tasks.prompt.Template;

/**
 * A row of lm-evaluation-harness's samples. Its files say numbers and truth as texts ({@code
 * "-1.5"}, {@code "False"}) and arguments as {@code gen_args_0.arg_0}; its own Python objects,
 * dumped, say them as JSON. Both are understood.
 *
 * @param place file and line, for messages
 * @param row the row's fields as they stand there
 */
public record LmEvalSample(String place, ObjectNode row) {
  private static final String DELIMITER = " ";

  /** {@code doc_id}: the position in the task's data. */
  public int item() {
    JsonNode item = field("doc_id");
    if (!item.canConvertToInt() || !item.isIntegralNumber() || item.intValue() < 0) {
      throw invalid("doc_id: found " + PythonJson.line(item) + ", expected a position from 0");
    }
    return item.intValue();
  }

  public String docHash() {
    return hash("doc_hash");
  }

  public String promptHash() {
    return hash("prompt_hash");
  }

  public String targetHash() {
    return hash("target_hash");
  }

  /**
   * Checks that the hashes are those of the sample's own document, prompt and target.
   *
   * @throws InvalidInputException naming the hash, what was found and what was expected
   */
  public void checkHashes() {
    if (row.get("doc") instanceof ObjectNode doc) {
      checkHash("doc_hash", PythonJson.indented(doc));
    }
    checkHash("prompt_hash", arguments().get(0).get(0));
    checkHash("target_hash", text("target", field("target")));
  }

  /** Each request's texts: context and continuation, or the text alone for a rolling task. */
  public List<List<String>> arguments() {
    List<List<String>> requests = new ArrayList<>();
    for (JsonNode request : field("arguments")) {
      List<String> texts = new ArrayList<>();
      request.forEach(argument -> texts.add(text("arguments", argument)));
      requests.add(List.copyOf(texts));
    }
    if (requests.isEmpty() || requests.get(0).isEmpty()) {
      throw invalid("arguments: found none, expected a list for each request");
    }
    return requests;
  }

  /**
   * What the sample's scores decide. Token counts are not logged and are 0.
   *
   * @throws InvalidInputException where scores or answer are not those of the task's output type
   */
  public ItemResult result(TaskDefinition task) {
    JsonNode filter = row.path("filter");
    if (!filter.isMissingNode() && !filter.asText().equals("none")) {
      throw invalid("filter: found '" + filter.asText() + "', expected 'none'");
    }
    List<List<String>> arguments = arguments();
    JsonNode scores = field("filtered_resps");
    if (scores.size() != arguments.size()) {
      throw invalid(
          "filtered_resps: found "
              + scores.size()
              + ", expected "
              + arguments.size()
              + ", one a request");
    }
    JsonNode right = rightAnswers(task, scores.size());
    List<ChoiceScore> choices = new ArrayList<>();
    for (int i = 0; i < scores.size(); i++) {
      Boolean rightAnswer = right == null ? null : (Boolean) (right.get(i).asInt() == 1);
      choices.add(
          task.outputType() == OutputType.LOGLIKELIHOOD_ROLLING
              ? rolling(scores.get(i), arguments.get(i))
              : choice(task.outputType(), scores.get(i), arguments.get(i), rightAnswer));
    }
    if (task.outputType() != OutputType.MULTIPLE_CHOICE) {
      return new ItemResult(task.outputType(), item(), null, choices);
    }
    int gold = task.multipleInput() ? goldByOutcome(choices) : goldByTarget(arguments);
    if (gold < 0 || gold >= choices.size()) {
      throw invalid("target: found index " + gold + ", expected 0 to " + (choices.size() - 1));
    }
    return new ItemResult(task.outputType(), item(), gold, choices);
  }

  private ChoiceScore choice(
      OutputType type, JsonNode score, List<String> request, Boolean rightAnswer) {
    if (score.size() != 2 || request.size() != 2) {
      throw invalid(
          "filtered_resps: found "
              + PythonJson.line(score)
              + ", expected a log-likelihood and whether it is greedy");
    }
    String choice = request.get(1);
    if (type == OutputType.MULTIPLE_CHOICE && choice.startsWith(DELIMITER)) {
      choice = choice.substring(DELIMITER.length());
    }
    return new ChoiceScore(
        number(score.get(0)),
        0,
        PythonText.length(choice),
        0,
        choice.getBytes(StandardCharsets.UTF_8).length,
        truth(score.get(1)),
        rightAnswer,
        null);
  }

  /** Of a task with several right answers, which they are: the document tells. */
  private JsonNode rightAnswers(TaskDefinition task, int choices) {
    Template rightAnswers = task.prompt(task.layouts().get(0), PromptVersion.V1).rightAnswers();
    if (rightAnswers == null) {
      return null;
    }
    if (!(field("doc") instanceof ObjectNode doc)) {
      throw invalid("doc: found no object, expected the document");
    }
    try {
      JsonNode right = rightAnswers.value(new Scope(doc, doc.objectNode()));
      if (right.size() != choices) {
        throw invalid("doc: found " + right.size() + " labels, expected " + choices);
      }
      return right;
    } catch (PromptException e) {
      throw invalid("doc: " + e.getMessage());
    }
  }

  /** Words and bytes of the page stand beside its score in the sample's metrics. */
  private ChoiceScore rolling(JsonNode score, List<String> request) {
    JsonNode logLikelihood = score.isArray() ? score.path(0) : score;
    return new ChoiceScore(
        number(logLikelihood),
        0,
        PythonText.length(request.get(0)),
        weight("word_perplexity"),
        weight("byte_perplexity"),
        false);
  }

  private int weight(String metric) {
    JsonNode weight = field(metric).path(1);
    if (!weight.isIntegralNumber() || !weight.canConvertToInt()) {
      throw invalid(
          metric
              + ": found "
              + PythonJson.line(field(metric))
              + ", expected a log-likelihood and a count");
    }
    return weight.intValue();
  }

  private int goldByTarget(List<List<String>> arguments) {
    String target = text("target", field("target"));
    if (target.matches("[0-9]{1,9}")) {
      return Integer.parseInt(target);
    }
    for (int i = 0; i < arguments.size(); i++) {
      if (arguments.get(i).get(1).equals(DELIMITER + target)) {
        return i;
      }
    }
    throw invalid("target: found '" + target + "', expected an index or one of the choices");
  }

  /**
   * Where the choices are contexts, the target is what follows them and the log does not say which
   * is right; of two, whether the chosen one was right does.
   */
  private int goldByOutcome(List<ChoiceScore> choices) {
    if (choices.size() != 2) {
      throw invalid("found " + choices.size() + " contexts, expected 2 to tell the right one of");
    }
    int chosen = choices.get(1).logLikelihood() > choices.get(0).logLikelihood() ? 1 : 0;
    return number(field("acc")) == 1 ? chosen : 1 - chosen;
  }

  private void checkHash(String name, String hashed) {
    String expected = Sha256.of(hashed);
    if (!hash(name).equals(expected)) {
      throw invalid(name + ": found " + hash(name) + ", expected " + expected);
    }
  }

  private String hash(String name) {
    return text(name, field(name));
  }

  private String text(String name, JsonNode value) {
    try {
      return PythonJson.text(value);
    } catch (PromptException e) {
      throw invalid(name + ": " + e.getMessage());
    }
  }

  private double number(JsonNode value) {
    if (value.isNumber()) {
      return value.doubleValue();
    }
    try {
      return switch (value.asText()) {
        case "-inf" -> Double.NEGATIVE_INFINITY;
        default -> Double.parseDouble(value.asText());
      };
    } catch (NumberFormatException e) {
      throw invalid("found " + PythonJson.line(value) + ", expected a number");
    }
  }

  private boolean truth(JsonNode value) {
    return switch (value.asText()) {
      case "true", "True" -> true;
      case "false", "False" -> false;
      default -> throw invalid("found " + PythonJson.line(value) + ", expected True or False");
    };
  }

  private JsonNode field(String name) {
    JsonNode value = row.get(name);
    if (value == null) {
      throw invalid("field '" + name + "' is missing");
    }
    return value;
  }

  private InvalidInputException invalid(String what) {
    return new InvalidInputException(place + ": " + what);
  }
}
