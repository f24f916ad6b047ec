package org.cliffwatch.tasks.definition;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.cliffwatch.tasks.prompt.DocumentStep;
import org.cliffwatch.tasks.prompt.PromptException;
import org.cliffwatch.tasks.prompt.PythonJson;

/**
 * One of the forms a task's items are published in: which fields a record has, and how they become
 * the document the prompt is made from.
 *
 * @param name recorded as the variant that was read
 * @param fields the fields a document must have, after renaming, and their types; {@code a.b} is
 *     field b inside object a
 * @param absent fields whose presence tells that a record has another layout
 * @param rename the record's names to the document's
 * @param ignore fields a record of this layout has, but the document, and so its hash, does not
 * @param document the document's fields as templates of the record's, where renaming is not enough
 *     to make it; null where the record's fields are the document's
 * @param processDocs steps applied to the document, in order
 */
public record Layout(
    String name,
    Map<String, FieldType> fields,
    List<String> absent,
    Map<String, String> rename,
    List<String> ignore,
    DocumentTemplate document,
    @JsonFormat(with = JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY)
        List<DocumentStep> processDocs,
    PromptKeys prompt,
    PromptKeys promptV0) {

  public Layout {
    fields = fields == null ? Map.of() : new LinkedHashMap<>(fields);
    absent = absent == null ? List.of() : List.copyOf(absent);
    rename = rename == null ? Map.of() : Map.copyOf(rename);
    ignore = ignore == null ? List.of() : List.copyOf(ignore);
    processDocs = processDocs == null ? List.of() : List.copyOf(processDocs);
    prompt = prompt == null ? PromptKeys.NONE : prompt;
    promptV0 = promptV0 == null ? PromptKeys.NONE : promptV0;
  }

  /** Whether a record has this layout's fields, of its types. */
  public boolean fits(ObjectNode record) {
    if (!hasFields(record)) {
      return false;
    }
    try {
      document(record);
      return true;
    } catch (PromptException e) {
      return false;
    }
  }

  /** Whether a record has this layout's fields, whatever is in them. */
  public boolean hasFields(ObjectNode record) {
    List<String> names = new ArrayList<>();
    record.fieldNames().forEachRemaining(field -> names.add(rename.getOrDefault(field, field)));
    return fields.keySet().stream().allMatch(field -> names.contains(outer(field)))
        && ignore.stream().allMatch(record::has)
        && absent.stream().noneMatch(record::has);
  }

  /**
   * The document of a record: renamed, checked, numbers that were texts made numbers.
   *
   * @throws PromptException naming the field, what was found and what was expected
   */
  public ObjectNode document(ObjectNode record) {
    ObjectNode doc = record.objectNode();
    record
        .properties()
        .forEach(
            field -> {
              if (!ignore.contains(field.getKey())) {
                doc.set(rename.getOrDefault(field.getKey(), field.getKey()), field.getValue());
              }
            });
    fields.forEach((field, type) -> check(doc, field, type));
    return document == null ? doc : document.fill(doc);
  }

  private static void check(ObjectNode doc, String field, FieldType type) {
    int dot = field.indexOf('.');
    ObjectNode owner = doc;
    String name = field;
    if (dot >= 0 && doc.get(outer(field)) instanceof ObjectNode inner) {
      owner = inner;
      name = field.substring(dot + 1);
    }
    JsonNode value = owner.get(name);
    if (value == null) {
      throw new PromptException("field '" + field + "' is missing, expected " + type);
    }
    JsonNode accepted = type.accept(value);
    if (accepted == null) {
      throw new PromptException(
          "field '" + field + "': found " + shortened(value) + ", expected " + type);
    }
    owner.set(name, accepted);
  }

  private static String outer(String field) {
    int dot = field.indexOf('.');
    return dot < 0 ? field : field.substring(0, dot);
  }

  private static String shortened(JsonNode value) {
    String text = PythonJson.line(value);
    return text.length() <= 60 ? text : text.substring(0, 57) + "...";
  }
}
