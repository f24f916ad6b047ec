package org.cliffwatch.tasks.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JinjaTemplateTest {
  /** A refusal takes a second on the slowest machine seen; a bomb that goes off takes years. */
  private static final Duration BOUNDED = Duration.ofSeconds(30);

  private static final String DOCUMENT =
      "{\"text\": \"ab\", \"n\": 3, \"none\": null, \"list\": [\"x\", \"y'\"], \"d\": {\"k\": 1.5}}";

  private static Map<String, JsonNode> document() {
    try {
      Map<String, JsonNode> variables = new HashMap<>();
      new ObjectMapper()
          .readTree(DOCUMENT)
          .properties()
          .forEach(field -> variables.put(field.getKey(), field.getValue()));
      return variables;
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** What Jinja2 3.1.6 renders in lm-evaluation-harness's environment. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '§',
      quoteCharacter = '`',
      value = {
        "{{ list }} § ['x', \"y'\"]",
        "{{ list.index('x') }}{{ d.k }}{{ d['k'] }} § 01.51.5",
        "{{ none }} {{ none is none }} § None True",
        "{{ '1' == 1 }} {{ 1 == 1.0 }} {{ 1 == true }} § False True True",
        "{{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** -1 }} § -4 2 3.5 0.5",
        "{{ not n == 4 }} {{ not n in [3] }} § True False",
        "{{ (1 + 2) ~ 3 }} {{ n|string + 'a' }} § 33 3a",
        "{{ text[::-1] }}{{ list[-1] }}{{ text[5:] }} § bay'",
        "{{ 'a' if n > 5 else 'b' }}{{ n < 4 < 5 }} § bTrue",
        "{% for x in list if x != 'x' %}{{ loop.index }}{{ loop.last }}{% else %}no{% endfor %} § 1True",
        "{% set x = 1 %}{% for y in list %}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }} § 221",
        "{{ missing is defined }}{{ missing | default('z') }} § Falsez",
        "{{ ' a b '.strip().split(' ') | join('-') }} § a-b",
        "{{ (1,) }} {{ {'a': [true, 2.0]} }} § (1,) {'a': [True, 2.0]}",
        "{{ 'xay'.strip('xy') | capitalize }} § A",
        "{{ \"\\u00e9\\n\\x41\" | length }} § 3",
        "{{ none or 'left' }}{{ 0 and 1 }} § left0",
        "{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, b=3) }} § 1213",
        "{% set a, b = 1, 2 %}{{ b }}{{ a }} § 21",
        "{% raw %}{{ x }}{% endraw %} § {{ x }}",
        "{{ ['b', 'A', 'c'] | sort | join }}{{ [2, 1] | sort(reverse=true) }} § Abc[2, 1]",
        "{{ {'b': 1, 'A': 2} | dictsort }} § [('A', 2), ('b', 1)]",
        "{{ none | selectattr('a') | list }}{{ none | map('upper') | list }} § [][]",
      })
  void rendersAsJinja2Does(String source, String expected) {
    assertThat(JinjaTemplate.prompt(source).render(document())).isEqualTo(expected);
  }

  @Test
  void keepsWhatStandsBetween() {
    assertThat(JinjaTemplate.prompt("a \n{%- if n %}\n b {% endif -%} \n c\n").render(document()))
        .isEqualTo("a\n b c\n");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{{ missing }}",
        "{{ d.missing }}",
        "{{ text.missing }}",
        "{% if missing %}{% endif %}",
        "{{ missing == 1 }}",
        "{{ 'a' + n }}",
        "{{ n < text }}",
        "{{ list.index('z') }}",
        "{{ n / 0 }}",
        "{{ 999999999999999999 * 99 * n }}",
      })
  void refusesWhatPythonRefuses(String source) {
    JinjaTemplate template = JinjaTemplate.prompt(source);
    assertThatThrownBy(() -> template.render(document()))
        .isInstanceOf(JinjaException.class)
        .hasMessageStartingWith("line 1: ");
  }

  /** Unknown things are refused when the template is read, before a document is. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '§',
      quoteCharacter = '`',
      value = {
        "{{ x | batch(2) }} § the filter batch is not known",
        "{{ x is filter }} § the test filter is not known",
        "{% include 'x' %} § the tag include is not known",
        "{% import 'x' as y %} § the tag import is not known",
        "{% unheard %} § ",
        "{% if x %} § ",
        "{% endif %} § ",
        "{{ x § ",
        "{{ f(*x) }} § '*' before an argument",
        "{{ x.__class__ }} § attribute __class__",
        "{{ ''.__class__.__mro__[1].__subclasses__() }} § attribute __class__",
        "{% set x.__class__ = 1 %} § attribute __class__",
        "{% break %} § outside a loop",
        "{{ 'a }} § ",
        "{{ 1 2 }} § found '2'",
        "{{ a; b }} § found ';'",
      })
  void refusesWhatItDoesNotKnowBeforeRendering(String source, String reason) {
    assertThatThrownBy(() -> JinjaTemplate.chat("\n" + source))
        .isInstanceOf(JinjaException.class)
        .hasMessageContaining(reason == null ? "" : reason);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% for i in range(10**9) %}{% for j in range(10**9) %}{% endfor %}{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro a() %}{{ b() }}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{{ 'x' * 10**12 }}",
        "{{ [0] * 10**12 }}",
        "{% set ns = namespace(t='xx') %}{% for i in range(99) %}{% set ns.t = ns.t + ns.t %}{% endfor %}",
        "{% set ns = namespace(t=[1]) %}{% for i in range(60) %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.t }}",
        "{% set ns = namespace(t=[1], u=[1]) %}{% for i in range(60) %}{% set ns.t = [ns.t, ns.t] %}"
            + "{% set ns.u = [ns.u, ns.u] %}{% endfor %}{{ ns.t == ns.u }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.replace('a', 'b' * 9999999) }}",
        "{{ x['__class__'] }}",
        "{{ messages | map(attribute='__class__') | list }}",
        "{{ ''['__class__'] }}",
        "{{ messages.getClass() }}",
        "{{ messages.class }}{{ messages.class.forName('java.lang.Runtime') }}",
        "{{ ''.getClass().forName('java.lang.Runtime').getRuntime().exec('true') }}",
        "{{ ____int3rpr3t3r____.getContext() }}",
        "{{ '{}'.format(messages) }}",
        "{{ messages.append(1) }}",
        "{{ strftime_now('%d %b %Y') }}",
        "{{ raise_exception('no') }}",
      })
  void aBombIsRefusedInBoundedTime(String source) {
    Map<String, JsonNode> variables = new HashMap<>();
    variables.put("messages", document().get("list"));
    variables.put("x", document().get("d"));
    Assertions.assertTimeoutPreemptively(
        BOUNDED,
        () ->
            assertThatThrownBy(() -> JinjaTemplate.chat(source).render(variables))
                .isInstanceOf(JinjaException.class));
  }

  @Test
  void aTemplateWithADateOfItsOwnTakesThat() {
    String source =
        "{% if strftime_now is defined %}{{ strftime_now('%d') }}{% else %}26 Jul 2024{% endif %}";
    assertThat(JinjaTemplate.chat(source).render(Map.of())).isEqualTo("26 Jul 2024");
    assertThatThrownBy(() -> JinjaTemplate.chat("{{ strftime_now('%d') }}").render(Map.of()))
        .hasMessage("line 1: strftime_now, the date that it is today, is undefined");
  }

  @ParameterizedTest
  @ValueSource(strings = {"(", "[", "{{ ", "not ", "-", "{% if x %}", "a if b else ", "x.y[", "{"})
  void nestedWithoutEndIsRefused(String part) {
    String source =
        part.startsWith("{%") ? part.repeat(50_000) : "{{ " + part.repeat(50_000) + " }}";
    Assertions.assertTimeoutPreemptively(
        BOUNDED,
        () ->
            assertThatThrownBy(() -> JinjaTemplate.chat(source))
                .isInstanceOf(JinjaException.class));
  }
}
