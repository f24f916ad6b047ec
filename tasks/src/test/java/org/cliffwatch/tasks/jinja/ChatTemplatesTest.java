package org.cliffwatch.tasks.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.NullNode;
import java.io.IOException;
import java.io.InputStream;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Templates in the shapes that models are published with, rendered by transformers itself; {@code
 * golden/chat-templates/make.py} made the answers.
 */
class ChatTemplatesTest {
  private static final JsonNode GOLDEN = golden();

  private static JsonNode golden() {
    try (InputStream in =
        ChatTemplatesTest.class.getResourceAsStream("/golden/chat-templates/renderings.json")) {
      return new ObjectMapper().readTree(in);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  static Stream<String> templates() {
    return GOLDEN.get("templates").properties().stream().map(Map.Entry::getKey);
  }

  @ParameterizedTest
  @MethodSource("templates")
  void rendersAsTransformersDoes(String name) {
    JinjaTemplate template = JinjaTemplate.chat(GOLDEN.at("/templates/" + name).textValue());
    int compared = 0;
    for (JsonNode golden : GOLDEN.get("rendered")) {
      if (!golden.get("template").textValue().equals(name)) {
        continue;
      }
      String conversation = golden.get("conversation").textValue();
      Map<String, JsonNode> variables = new HashMap<>();
      GOLDEN
          .get("tokens")
          .properties()
          .forEach(token -> variables.put(token.getKey(), token.getValue()));
      variables.put("messages", GOLDEN.get("conversations").get(conversation));
      variables.put(
          "add_generation_prompt",
          BooleanNode.valueOf(golden.get("add_generation_prompt").booleanValue()));
      variables.put("tools", NullNode.instance);
      variables.put("documents", NullNode.instance);
      if (golden.get("text").isNull()) {
        assertThatThrownBy(() -> template.render(variables))
            .as(conversation)
            .isInstanceOf(JinjaException.class)
            .hasMessageContaining("the template refuses: ");
      } else {
        assertThat(template.render(variables))
            .as(conversation)
            .isEqualTo(golden.get("text").textValue());
      }
      compared++;
    }
    assertThat(compared).isEqualTo(2 * GOLDEN.get("conversations").size());
  }
}
