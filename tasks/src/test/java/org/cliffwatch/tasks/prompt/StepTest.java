package org.cliffwatch.tasks.prompt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Every step; expected values are those of lm-evaluation-harness's own functions in Python. */
class StepTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  static Stream<Arguments> hellaswagTextCases() {
    return Stream.of(
        Arguments.of("", ""),
        Arguments.of("  a  b  ", "a b"),
        Arguments.of("\u00a0x\u2003", "x"),
        Arguments.of("A [title] B [title] C", "A. B. C"),
        Arguments.of("[header] x [title] y", " x. y"),
        Arguments.of("a [b\nc] d", "a [b\nc] d"),
        Arguments.of("a [b\u0085c] d", "a d"),
        Arguments.of("[[x]] y", "] y"),
        Arguments.of("a   b    c", "a  b  c"),
        Arguments.of("\r\n x [step] y\r\n", "x y"),
        Arguments.of("\ud83d\ude00 [x\ud83d\ude00] e\u0301", "\ud83d\ude00 e\u0301"),
        Arguments.of("[]", ""),
        Arguments.of(" [title]", ""),
        Arguments.of("x\u200b ", "x\u200b"),
        Arguments.of("a [b", "a [b"),
        Arguments.of("\u0130 [title]", "\u0130. "));
  }

  @ParameterizedTest
  @MethodSource("hellaswagTextCases")
  void hellaswagText(String text, String expected) {
    assertThat(apply(Step.HELLASWAG_TEXT, text)).isEqualTo(expected);
  }

  static Stream<Arguments> wikitextDetokenizeCases() {
    return Stream.of(
        Arguments.of("", ""),
        Arguments.of(" \n = A = \n", "\n= A =\n"),
        Arguments.of(" = = B = = \n", " == B ==\n"),
        Arguments.of(" = = = C = = = \n", " === C ===\n"),
        Arguments.of(" = = = = D = = = = \n", " ==== D ====\n"),
        Arguments.of("x @-@ y @,@ z @.@ w", "x-y,z.w"),
        Arguments.of("a : b ; c . d ! e ? f , g", "a: b; c. d! e? f, g"),
        Arguments.of("( a )(\u00a0b\u2003)[ c ]{ d }", "(a)(b)[c]{d}"),
        Arguments.of("\" a \" b \" c \"", "\"a\" b \"c\""),
        Arguments.of("' a ' b ' c '", "'a' b 'c'"),
        Arguments.of("s ' x", "s' x"),
        Arguments.of("it 's", "it's"),
        Arguments.of("N N N", "N 1 N"),
        Arguments.of(" N  N ", " 1  1 "),
        Arguments.of("5 \u00b0 C", "5\u00b0C"),
        Arguments.of("a\u00a0, b", "a\u00a0, b"),
        Arguments.of("/' 5/", "/'[0-9]/"),
        Arguments.of("( a", "( a"),
        Arguments.of("e\u0301 , \ud83d\ude00 . ", "e\u0301, \ud83d\ude00. "),
        Arguments.of("( a\nb )", "(a\nb)"),
        Arguments.of("\r\n , \r\n", "\r\n, \r\n"),
        Arguments.of("a ' s ' b's '", "a's' b's'"),
        Arguments.of("( ) [ ]", "() []"),
        Arguments.of("( ( a ) )", "(( a) )"));
  }

  @ParameterizedTest
  @MethodSource("wikitextDetokenizeCases")
  void wikitextDetokenize(String text, String expected) {
    assertThat(apply(Step.WIKITEXT_DETOKENIZE, text)).isEqualTo(expected);
  }

  static Stream<Arguments> lowerFirstCases() {
    return Stream.of(
        Arguments.of("A", "a"),
        Arguments.of("I cut", "i cut"),
        Arguments.of("\u0130x", "i\u0307x"),
        Arguments.of("\u00c9COLE", "\u00e9COLE"),
        Arguments.of("\ud801\udc00\ud801\udc00", "\ud801\udc28\ud801\udc00"),
        Arguments.of("\u03a3", "\u03c3"),
        Arguments.of(" A", " A"),
        Arguments.of("E\u0301", "e\u0301"));
  }

  @ParameterizedTest
  @MethodSource("lowerFirstCases")
  void lowerFirst(String text, String expected) {
    assertThat(apply(Step.LOWER_FIRST, text)).isEqualTo(expected);
  }

  static Stream<Arguments> stripStepCases() {
    return Stream.of(
        Arguments.of("", ""),
        Arguments.of(" a ", "a"),
        Arguments.of("\u00a0a\u00a0", "a"),
        Arguments.of("\u0085a\u2028", "a"),
        Arguments.of("\u200ba\u200b", "\u200ba\u200b"),
        Arguments.of("\u001ca\u001f", "a"),
        Arguments.of("\ufeffa", "\ufeffa"),
        Arguments.of("\u3000\u2007a\u202f", "a"),
        Arguments.of("a\r\n", "a"),
        Arguments.of("\u001b a", "\u001b a"));
  }

  @ParameterizedTest
  @MethodSource("stripStepCases")
  void stripStep(String text, String expected) {
    assertThat(apply(Step.STRIP, text)).isEqualTo(expected);
  }

  static Stream<Arguments> words() {
    return Stream.of(
        Arguments.of("a b c", "a b", " c"),
        Arguments.of("abc", "", " abc"),
        Arguments.of("double  space", "double ", " space"),
        Arguments.of("saw the \n\nrec", "saw the", " \n\nrec"),
        Arguments.of("", "", " "),
        Arguments.of("a ", "a", " "),
        Arguments.of("nb\u00a0sp x\u00a0y", "nb\u00a0sp", " x\u00a0y"),
        Arguments.of(" a", "", " a"));
  }

  @ParameterizedTest
  @MethodSource("words")
  void lambada(String text, String context, String continuation) {
    assertThat(apply(Step.ALL_BUT_LAST_WORD, text)).isEqualTo(context);
    assertThat(" " + apply(Step.LAST_WORD, text)).isEqualTo(continuation);
  }

  static Stream<Arguments> schemas() {
    return Stream.of(
        Arguments.of(
            "Bob met  Al. He ran.",
            "He",
            12,
            List.of("Bob", "The man"),
            List.of("Bob met Al. Bob", "Bob met Al. The man"),
            " ran."),
        Arguments.of(
            "\ud83d\ude00\ud83d\ude00 saw it, because they ran",
            "they",
            20,
            List.of("The The cats", "They"),
            List.of(
                "\ud83d\ude00\ud83d\ude00 saw it, because tthe the cats",
                "\ud83d\ude00\ud83d\ude00 saw it, because tthey"),
            "ran"),
        Arguments.of(
            "Ann took his hat.",
            "his",
            9,
            List.of("The The man", "A boy"),
            List.of("Ann took the the man's", "Ann took a boy's"),
            " hat."),
        Arguments.of(
            "e\u0301 . Its end",
            "It",
            5,
            List.of("An An\u00a0ant", "My dog"),
            List.of("e\u0301 . An An\u00a0ant", "e\u0301 . My dog"),
            "s end"),
        Arguments.of(
            "It broke.",
            "It",
            0,
            List.of("The cup", "A glass"),
            List.of("the cup", "a glass"),
            " broke."),
        Arguments.of(
            "So: they",
            "they",
            4,
            List.of("The\u00a0cats", "They"),
            List.of("So: the\u00a0cats", "So: they"),
            ""));
  }

  @ParameterizedTest
  @MethodSource("schemas")
  void wsc273(
      String text,
      String pronoun,
      int location,
      List<String> options,
      List<String> contexts,
      String continuation) {
    ObjectNode doc = JSON.createObjectNode();
    doc.put("text", text).put("pronoun", pronoun).put("pronoun_loc", location);
    doc.set("options", JSON.valueToTree(options));
    var derived = DocumentStep.WSC273.apply(doc);
    for (int i = 0; i < options.size(); i++) {
      assertThat(derived.get("before_pronoun") + doc.get("options").get(i).textValue())
          .isEqualTo(contexts.get(i));
    }
    assertThat(derived.get("after_pronoun")).isEqualTo(continuation);
  }

  @Test
  void wsc273RefusesPlacesOutsideTheText() {
    ObjectNode doc = JSON.createObjectNode();
    doc.put("text", "It.").put("pronoun", "It").put("pronoun_loc", 2);
    doc.putArray("options").add("A").add("B");
    assertThatThrownBy(() -> DocumentStep.WSC273.apply(doc))
        .isInstanceOf(PromptException.class)
        .hasMessageContaining("found pronoun_loc 2 in a text of 3 characters");
    doc.put("pronoun_loc", -1);
    assertThatThrownBy(() -> DocumentStep.WSC273.apply(doc)).isInstanceOf(PromptException.class);
    doc.put("pronoun_loc", 0).putArray("options").add("\u00a0").add("B");
    assertThatThrownBy(() -> DocumentStep.WSC273.apply(doc))
        .hasMessageContaining("found an empty option");
  }

  @Test
  void hellaswagAddsWhatItsPromptNames() {
    ObjectNode doc = JSON.createObjectNode();
    doc.put("activity_label", "A").put("ctx_a", "b [c] d.").put("ctx_b", "\u00cdX y");
    doc.putArray("endings").add(" [x] e ").add("\ud83d\ude00");
    doc.put("label", "1");
    assertThat(DocumentStep.HELLASWAG.apply(doc)).isEmpty();
    assertThat(doc.get("query").textValue()).isEqualTo("A: b d. \u00cdx y");
    assertThat(doc.get("choices").toString()).isEqualTo("[\" e\",\"\ud83d\ude00\"]");
    assertThat(doc.get("gold").isInt()).isTrue();
    assertThat(doc.get("gold").intValue()).isEqualTo(1);
  }

  @Test
  void logiqaReadsItsLines() throws Exception {
    ObjectNode doc =
        (ObjectNode)
            JSON.readTree("{\"lines\": [\"b \", \"One.Two.\", \"Which?\", \"A.x.\", \"B.y\"]}");
    DocumentStep.LOGIQA_LINES.apply(doc);
    assertThat(doc.toString())
        .isEqualTo(
            "{\"label\":\"b\",\"context\":\"One. Two.\",\"question\":\"Which?\",\"options\":[\"x.\",\"y\"]}");
    ObjectNode tooFew = (ObjectNode) JSON.readTree("{\"lines\": [\"b\", \"One\", \"Which?\"]}");
    assertThatThrownBy(() -> DocumentStep.LOGIQA_LINES.apply(tooFew))
        .hasMessageContaining("found 3 lines");
  }

  @Test
  void questionsWithChoicesTakeTheHubsShape() throws Exception {
    String record =
        "{\"id\":\"q\",\"question\":{\"stem\":\"S?\",\"choices\":[{\"text\":\"x\",\"label\":\"A\"},"
            + "{\"text\":\"y\",\"label\":\"B\"}]},\"answerKey\":\"B\"}";
    ObjectNode arc = (ObjectNode) JSON.readTree(record);
    DocumentStep.ARC_QUESTION.apply(arc);
    assertThat(arc.toString())
        .isEqualTo(
            "{\"id\":\"q\",\"question\":\"S?\",\"choices\":{\"text\":[\"x\",\"y\"],\"label\":[\"A\",\"B\"]},"
                + "\"answerKey\":\"B\"}");
    ObjectNode openBook = (ObjectNode) JSON.readTree(record);
    DocumentStep.OPENBOOKQA_QUESTION.apply(openBook);
    assertThat(openBook.get("question_stem").textValue()).isEqualTo("S?");
    assertThat(openBook.has("question")).isFalse();
    ObjectNode damaged =
        (ObjectNode) JSON.readTree("{\"question\":{\"stem\":3},\"answerKey\":\"B\"}");
    assertThatThrownBy(() -> DocumentStep.ARC_QUESTION.apply(damaged))
        .hasMessageContaining("found no text 'stem'");
  }

  @ParameterizedTest
  @CsvSource({
    "without_last_character, 'Ab.', 'Ab'",
    "without_last_character, 'A\ud83d\ude00', 'A'",
    "without_last_character, '', ''",
    "lstrip, '\u00a0 a ', 'a '",
    "own_line, ' s ', 's \n'",
    "own_line, '\u00a0', ''",
    "own_line, '', ''",
    "copa_connector, cause, because",
    "copa_connector, effect, therefore",
    "before_blank, 'a\ud83d\ude00_b_c', 'a\ud83d\ude00'",
    "after_blank, 'a_b_c', 'b_c'",
    "after_blank, 'a_', ''",
    "one_based, 2, 1",
    "one_minus, 0, 1",
    "letter_index, d, 3",
    "letter_index, A, 0",
  })
  void smallSteps(String step, String value, String expected) {
    assertThat(PythonJson.text(Step.byName().get(step).apply(JSON.valueToTree(value), null)))
        .isEqualTo(expected);
  }

  @Test
  void listsGiveTheFirstPosition() {
    JsonNode list = JSON.valueToTree(List.of("a", "b", "b"));
    assertThat(Step.INDEX_IN.apply(JSON.valueToTree("b"), list).intValue()).isEqualTo(1);
    assertThat(Step.ELEMENT_OF.apply(JSON.valueToTree(2), list).textValue()).isEqualTo("b");
    assertThatThrownBy(() -> Step.INDEX_IN.apply(JSON.valueToTree("c"), list))
        .hasMessage("found \"c\", expected one of [\"a\", \"b\", \"b\"]");
    assertThatThrownBy(() -> Step.ELEMENT_OF.apply(JSON.valueToTree(3), list))
        .hasMessage("found index 3, expected 0 to 2");
  }

  @Test
  void objectsGiveTheirNamesAndValuesInOrder() throws Exception {
    JsonNode answers = JSON.readTree("{\"b.\": 1, \"a\": 0}");
    assertThat(Step.KEYS.apply(answers, null).toString()).isEqualTo("[\"b.\",\"a\"]");
    assertThat(Step.VALUES.apply(answers, null).toString()).isEqualTo("[1,0]");
    assertThatThrownBy(() -> Step.KEYS.apply(JSON.valueToTree(1), null))
        .hasMessage("found 1, expected an object");
  }

  /** Expected by Python's {@code re.findall} and {@code rstrip}. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      value = {
        "a ) 38 , b ) 27.675 rs , c ) 30 , d ) none , e ) all ~ 38|27.675 rs|30|none|all",
        "a ) 1 , 000 , b ) x , e ) y ,,  ~ 1|x|y",
        "bad ) a , e ) b\u00a0 ~ a|b\u00a0",
        "a ) 1 ~ ''",
      })
  void mathqaOptions(String options, String expected) {
    List<String> found = new ArrayList<>();
    Step.MATHQA_OPTIONS
        .apply(JSON.valueToTree(options), null)
        .forEach(option -> found.add(option.textValue()));
    assertThat(String.join("|", found)).isEqualTo(expected);
  }

  @Test
  void raceLendsTheLastQuestion() throws Exception {
    ObjectNode doc =
        (ObjectNode)
            JSON.readTree(
                "{\"article\": \"A.\", \"questions\": [\"It is  _  .\", \"Why?\", \"Who\"],"
                    + " \"options\": [[\"w\",\"x\",\"y\",\"z\"], [\"a\",\"b\",\"c\",\"d\"],"
                    + " [\"1\",\"2\",\"3\",\"4\"]], \"answers\": [\"D\", \"A\", \"C\"], \"id\": \"i\"}");
    ObjectNode uneven = doc.deepCopy();
    DocumentStep.RACE_EXAM.apply(doc);
    ObjectNode before = doc.deepCopy();
    assertThat(DocumentStep.RACE.apply(doc))
        .containsEntry("query", "Article: A.\n\nIt is z\nQuestion: Why?\nAnswer: a\nWho")
        .containsEntry("choice_1", "2")
        .containsEntry("answer", "2");
    assertThat(doc).isEqualTo(before);
    uneven.putArray("answers").add("A");
    assertThatThrownBy(() -> DocumentStep.RACE_EXAM.apply(uneven))
        .hasMessage(
            "found 3 questions, 3 lists of options and 1 answers, expected as many of each");
    ((ObjectNode) doc.get("problems").get(2)).put("answer", "E");
    assertThatThrownBy(() -> DocumentStep.RACE.apply(doc))
        .hasMessage("problems: found answer 'E', expected A, B, C or D");
  }

  /** The left side as CPython's {@code str} writes the right side. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      quoteCharacter = '`',
      value = {
        "[] ~ []",
        "[{'a': \"it's\", 'b': ['x', 'y']}] ~ [{\"a\":\"it's\",\"b\":[\"x\",\"y\"]}]",
        "['both \\' and \"'] ~ [\"both ' and \\\"\"]",
        "['\\xa0\\u2028\\U0001f600\\x07'] ~ [\"\\u00a0\\u2028\\ud83d\\ude00\\u0007\"]",
        "['back\\\\slash \\n'] ~ [\"back\\\\slash \\n\"]",
      })
  void pythonsLiterals(String literal, String json) throws Exception {
    assertThat(PythonLiteral.read(literal)).isEqualTo(JSON.readTree(json));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      quoteCharacter = '`',
      value = {
        "['a' ~ found the end at character 4",
        "['a] ~ found the end at character 4",
        "['a' 'b'] ~ at character 5 of a Python literal, expected ','",
        "[open('f')] ~ found 'o' at character 1",
        "{'a' 1} ~ expected ':'",
        "{1: 2} ~ expected a text as key",
        "['\\q'] ~ expected one of the escapes",
        "['\\u12'] ~ expected 4 hexadecimal digits",
        "['\\Uffffffff'] ~ expected a code point",
        "[] x ~ found 'x' at character 3 of a Python literal, expected the end",
      })
  void whatIsNoLiteralIsRefusedByItsPlace(String literal, String message) {
    assertThatThrownBy(() -> PythonLiteral.read(literal))
        .isInstanceOf(PromptException.class)
        .hasMessageContaining(message);
  }

  @Test
  void literalsNestedTooDeeplyAreRefused() {
    assertThatThrownBy(() -> PythonLiteral.read("[".repeat(100_000)))
        .hasMessageContaining("expected less nesting");
  }

  @ParameterizedTest
  @CsvSource({
    "lower_first, ''",
    "copa_connector, why",
    "before_blank, none",
    "after_blank, none",
    "one_based, '\u0661'",
    "one_based, ''",
    "letter_index, ab",
    "letter_index, '\u00e9'",
  })
  void refusesWhatItIsNotFor(String step, String value) {
    assertThatThrownBy(() -> Step.byName().get(step).apply(JSON.valueToTree(value), null))
        .isInstanceOf(PromptException.class)
        .hasMessageContaining("found")
        .hasMessageContaining("expected");
  }

  /** A step without a case here would go untested. */
  @Test
  void everyStepIsTestedHere() {
    Set<Step> tested =
        Set.of(
            Step.HELLASWAG_TEXT,
            Step.WIKITEXT_DETOKENIZE,
            Step.LOWER_FIRST,
            Step.STRIP,
            Step.ALL_BUT_LAST_WORD,
            Step.LAST_WORD,
            Step.INDEX_IN,
            Step.ELEMENT_OF,
            Step.WITHOUT_LAST_CHARACTER,
            Step.LSTRIP,
            Step.OWN_LINE,
            Step.COPA_CONNECTOR,
            Step.BEFORE_BLANK,
            Step.AFTER_BLANK,
            Step.ONE_BASED,
            Step.ONE_MINUS,
            Step.LETTER_INDEX,
            Step.MATHQA_OPTIONS,
            Step.KEYS,
            Step.VALUES);
    assertThat(tested).containsExactlyInAnyOrder(Step.values());
  }

  private static String apply(Step step, String text) {
    return step.apply(JSON.valueToTree(text), null).textValue();
  }
}
