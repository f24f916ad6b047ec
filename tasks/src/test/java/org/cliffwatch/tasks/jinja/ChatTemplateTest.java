package org.cliffwatch.tasks.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.Sha256;
import org.junit.jupiter.api.Test;

class ChatTemplateTest {
  private static final String QUESTION = "{{ bos_token }}{{ messages[-1].content }}?";

  private static ChatTemplate of(String name, Map<String, String> files) {
    return ChatTemplate.of("/m", name, files::get);
  }

  private static ChatTemplate of(String config) {
    return of(ChatTemplate.DEFAULT, Map.of("tokenizer_config.json", config));
  }

  @Test
  void theTemplateIsTheFilesOrTheConfigurations() {
    String config =
        "{\"chat_template\": \"c{{ eos_token }}\", \"eos_token\": {\"content\": \"</s>\"}}";
    assertThat(of(config).render(List.of(ChatMessage.user("q")))).isEqualTo("c</s>");
    ChatTemplate own =
        of(
            ChatTemplate.DEFAULT,
            Map.of(
                "tokenizer_config.json",
                "{\"chat_template\": \"c\", \"bos_token\": \"<s>\", \"eos_token\": null}",
                "chat_template.jinja",
                QUESTION + "\n"));
    assertThat(own.render(List.of(ChatMessage.user("q")))).isEqualTo("<s>q?");
    assertThat(own.hash()).isEqualTo(Sha256.of(QUESTION + "\n"));
  }

  @Test
  void ofSeveralTheNamedOneIsTaken() {
    String config =
        "{\"chat_template\": [{\"name\": \"default\", \"template\": \"a\"}, "
            + "{\"name\": \"rag\", \"template\": \"b\"}]}";
    assertThat(of(config).render(List.of(ChatMessage.user("q")))).isEqualTo("a");
    Map<String, String> files = Map.of("tokenizer_config.json", config);
    assertThat(of("rag", files).render(List.of(ChatMessage.user("q")))).isEqualTo("b");
    assertThatThrownBy(() -> of("rg", files))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("/m: found no chat template named 'rg'; did you mean 'rag'?");
  }

  @Test
  void withoutOneOrWithOneThatIsNotKnownItSaysSo() {
    assertThatThrownBy(() -> of(ChatTemplate.DEFAULT, Map.of()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("/m: found no chat template, expected chat_template.jinja or");
    assertThatThrownBy(() -> of("{\"chat_template\": \"\\n{% include 'x' %}\"}"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("/m/tokenizer_config.json: chat template: line 2: the tag include");
    assertThatThrownBy(() -> of("{"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("/m/tokenizer_config.json: ");
  }

  @Test
  void asksAsTransformersDoesAndWithoutTheSystemWhereItIsRefused() throws IOException {
    JsonNode golden;
    try (InputStream in =
        ChatTemplateTest.class.getResourceAsStream("/golden/chat-templates/renderings.json")) {
      golden = new ObjectMapper().readTree(in);
    }
    int refused = 0;
    for (JsonNode row : golden.get("rendered")) {
      if (!row.get("add_generation_prompt").booleanValue()) {
        continue;
      }
      ObjectNode config = (ObjectNode) golden.get("tokens").deepCopy();
      config.set("chat_template", golden.get("templates").get(row.get("template").textValue()));
      String conversation = row.get("conversation").textValue();
      List<ChatMessage> messages = new ArrayList<>();
      for (JsonNode message : golden.get("conversations").get(conversation)) {
        messages.add(
            new ChatMessage(message.get("role").textValue(), message.get("content").textValue()));
      }
      ChatTemplate template = of(config.toString());
      if (!row.get("text").isNull()) {
        assertThat(template.render(messages)).isEqualTo(row.get("text").textValue());
      } else if (messages.size() == 2 && messages.get(0).role().equals("system")) {
        assertThat(template.render(messages)).isEqualTo(template.render(List.of(messages.get(1))));
        refused++;
      }
    }
    assertThat(refused).isEqualTo(2);
  }
}
