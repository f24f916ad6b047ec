package org.cliffwatch.tasks.jinja;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.JsonProblem;
import org.cliffwatch.tasks.Sha256;
import org.cliffwatch.tasks.Suggestion;

/**
 * A checkpoint's chat template, which makes a prompt of a question as transformers' {@code
 * apply_chat_template(tokenize=False, add_generation_prompt=True)} does. Immutable and safe to
 * share between threads.
 */
public final class ChatTemplate {
  /** The name that stands for the template a checkpoint has, or the default of several. */
  public static final String DEFAULT = "default";

  private static final String OWN_FILE = "chat_template.jinja";
  private static final String CONFIG = "tokenizer_config.json";
  private static final String KEY = "chat_template";

  /** transformers' {@code SPECIAL_TOKENS_ATTRIBUTES}. */
  private static final List<String> TOKENS =
      List.of(
          "bos_token",
          "eos_token",
          "unk_token",
          "sep_token",
          "pad_token",
          "cls_token",
          "mask_token");

  private static final ObjectMapper JSON = new ObjectMapper();

  private final JinjaTemplate template;
  private final String hash;
  private final Map<String, JsonNode> variables;

  private ChatTemplate(String source, Map<String, JsonNode> tokens) {
    this.template = JinjaTemplate.chat(source);
    this.hash = Sha256.of(source);
    this.variables = new HashMap<>(tokens);
    variables.put("tools", NullNode.instance);
    variables.put("documents", NullNode.instance);
    variables.put("add_generation_prompt", BooleanNode.TRUE);
  }

  /**
   * Reads a checkpoint's template: {@code chat_template.jinja}, else {@code chat_template} of
   * {@code tokenizer_config.json}, a text or a list of named ones.
   *
   * @param checkpoint its place, for messages
   * @param name which of several; {@link #DEFAULT} also stands for the only one
   * @param files the text of a file of the checkpoint's, or null where there is none
   * @throws InvalidInputException where there is no such template, or one that is not known here
   */
  public static ChatTemplate of(String checkpoint, String name, UnaryOperator<String> files) {
    String config = files.apply(CONFIG);
    JsonNode keys;
    try {
      keys = config == null ? JsonNodeFactory.instance.objectNode() : JSON.readTree(config);
    } catch (JsonProcessingException e) {
      throw new InvalidInputException(checkpoint + "/" + CONFIG + ": " + JsonProblem.of(e), e);
    }
    String own = files.apply(OWN_FILE);
    String source = own == null ? named(checkpoint, keys.path(KEY), name) : own;
    Map<String, JsonNode> tokens = new HashMap<>();
    for (String token : TOKENS) {
      JsonNode value = keys.path(token);
      String text = value.isObject() ? value.path("content").textValue() : value.textValue();
      if (text != null) {
        tokens.put(token, TextNode.valueOf(text));
      }
    }
    try {
      return new ChatTemplate(source, tokens);
    } catch (JinjaException e) {
      throw new InvalidInputException(
          checkpoint
              + "/"
              + (own == null ? CONFIG : OWN_FILE)
              + ": chat template: "
              + e.getMessage(),
          e);
    }
  }

  private static String named(String checkpoint, JsonNode templates, String name) {
    if (templates.isTextual()) {
      return templates.textValue();
    }
    Map<String, String> byName = new TreeMap<>();
    for (JsonNode template : templates) {
      byName.put(template.path("name").asText(), template.path("template").asText());
    }
    if (byName.isEmpty()) {
      throw new InvalidInputException(
          checkpoint
              + ": found no chat template, expected "
              + OWN_FILE
              + " or chat_template in "
              + CONFIG);
    }
    if (!byName.containsKey(name)) {
      throw new InvalidInputException(
          checkpoint
              + ": found no chat template named '"
              + name
              + "'"
              + Suggestion.among(byName.keySet(), name));
    }
    return byName.get(name);
  }

  /** sha256 of the template: lm-evaluation-harness's {@code chat_template_sha}. */
  public String hash() {
    return hash;
  }

  /**
   * The prompt of a conversation. A template that refuses a system message is asked without it, as
   * lm-evaluation-harness does.
   *
   * @param messages the system's first, if there is one
   * @throws JinjaException where the template refuses the others too
   */
  public String render(List<ChatMessage> messages) {
    try {
      return rendered(messages);
    } catch (JinjaException e) {
      if (!e.isTemplates() || !messages.get(0).role().equals("system")) {
        throw e;
      }
      return rendered(messages.subList(1, messages.size()));
    }
  }

  private String rendered(List<ChatMessage> messages) {
    ArrayNode list = JsonNodeFactory.instance.arrayNode();
    messages.forEach(
        message -> list.addObject().put("role", message.role()).put("content", message.content()));
    Map<String, JsonNode> all = new HashMap<>(variables);
    all.put("messages", list);
    return template.render(all);
  }
}
