package org.cliffwatch.tasks.prompt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.cliffwatch.tasks.InvalidInputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TemplateTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  private static Scope scope() throws Exception {
    ObjectNode doc =
        (ObjectNode)
            JSON.readTree(
                "{\"goal\": \"Go {{home}}\", \"n\": 3, \"yes\": true, \"none\": null,"
                    + " \"choices\": {\"text\": [\"x\", \"y\"], \"label\": [\"A\", \"B\"]}}");
    return new Scope(doc, JSON.createObjectNode().put("extra", " e "));
  }

  @Test
  void fillsInPathsAndAppliesSteps() throws Exception {
    assertThat(Template.parse("Q: {{goal}}\nA:").render(scope())).isEqualTo("Q: Go {{home}}\nA:");
    assertThat(Template.parse("{{ choices.text[1] }}{{extra|strip}}").render(scope()))
        .isEqualTo("ye");
    assertThat(Template.parse("{{n}} {{yes}} {{none}}").render(scope())).isEqualTo("3 True None");
    assertThat(Template.parse("").render(scope())).isEmpty();
    assertThat(Template.parse("{brace} % 'quoted'").render(scope()))
        .isEqualTo("{brace} % 'quoted'");
  }

  @Test
  void everyElementsFieldIsAList() throws Exception {
    ObjectNode doc =
        (ObjectNode)
            JSON.readTree("{\"q\": {\"c\": [{\"t\": \"x\"}, {\"t\": \"y\"}]}, \"none\": []}");
    Scope scope = new Scope(doc, JSON.createObjectNode());
    assertThat(Template.parse("{{q.c[*].t}}").value(scope).toString()).isEqualTo("[\"x\",\"y\"]");
    assertThat(Template.parse("{{none[*].t}}").value(scope).toString()).isEqualTo("[]");
    assertThatThrownBy(() -> Template.parse("{{q[*].t}}").value(scope))
        .hasMessage("found no 'q.*.t', which the prompt names");
  }

  @Test
  void aSingleExpressionKeepsItsType() throws Exception {
    assertThat(Template.parse("{{n}}").value(scope()).isInt()).isTrue();
    assertThat(Template.parse("{{choices.text}}").value(scope()).isArray()).isTrue();
    assertThat(Template.parse(" {{n}}").value(scope()).textValue()).isEqualTo(" 3");
    assertThat(
            Template.parse("{{choices.label[1] | index_in: choices.label}}")
                .value(scope())
                .intValue())
        .isEqualTo(1);
  }

  @ParameterizedTest
  @CsvSource({
    "'{{goal | stripp}}', did you mean 'strip'",
    "'{{goal | strip: n}}', takes no argument",
    "'{{goal | index_in}}', expects ': path'",
    "'{{goal + 1}}', expected a path",
    "'{{}}', expected a path",
    "'{% if goal %}', 'expected only {{…}} expressions'",
    "'{{goal', 'expected only {{…}} expressions'",
  })
  void refusesMoreThanItsLanguage(String source, String message) {
    assertThatThrownBy(() -> Template.parse(source))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining(source)
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @CsvSource({
    "'{{missing}}', found no field 'missing'",
    "'{{choices.other}}', found no 'choices.other'",
    "'{{choices.text[2]}}', found no 'choices.text.2'",
    "'{{n | strip}}', 'n | strip: found 3, expected a text'",
    "'{{choices}} ', expected a text or a number",
  })
  void saysWhatADocumentLacks(String source, String message) {
    Template template = Template.parse(source);
    assertThatThrownBy(() -> template.render(scope()))
        .isInstanceOf(PromptException.class)
        .hasMessageContaining(message);
  }
}
