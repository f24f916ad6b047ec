package org.cliffwatch.tasks.definition;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.IntNode;

/** What a layout expects in a field. */
public enum FieldType {
  /** A text. */
  @JsonProperty("text")
  TEXT("a text") {
    @Override
    JsonNode accept(JsonNode value) {
      return value.isTextual() ? value : null;
    }
  },
  /** A list of texts. */
  @JsonProperty("texts")
  TEXTS("a list of texts") {
    @Override
    JsonNode accept(JsonNode value) {
      if (!value.isArray() || value.isEmpty()) {
        return null;
      }
      for (JsonNode element : value) {
        if (!element.isTextual()) {
          return null;
        }
      }
      return value;
    }
  },
  /** A list of integers. */
  @JsonProperty("integers")
  INTEGERS("a list of integers") {
    @Override
    JsonNode accept(JsonNode value) {
      if (!value.isArray() || value.isEmpty()) {
        return null;
      }
      for (JsonNode element : value) {
        if (!element.isIntegralNumber()) {
          return null;
        }
      }
      return value;
    }
  },
  /** An integer; the digits that a text file holds become one. */
  @JsonProperty("integer")
  INTEGER("an integer") {
    @Override
    JsonNode accept(JsonNode value) {
      if (value.isTextual() && value.textValue().matches("-?[0-9]{1,9}")) {
        return IntNode.valueOf(Integer.parseInt(value.textValue()));
      }
      return value.isIntegralNumber() && value.canConvertToInt()
          ? IntNode.valueOf(value.intValue())
          : null;
    }
  },
  /** An integer or a text of its digits, left as it is. */
  @JsonProperty("index")
  INDEX("an index") {
    @Override
    JsonNode accept(JsonNode value) {
      return INTEGER.accept(value) == null ? null : value;
    }
  },
  /** An answer counted from 1, which becomes an index from 0. */
  @JsonProperty("one_based")
  ONE_BASED("an integer from 1") {
    @Override
    JsonNode accept(JsonNode value) {
      JsonNode integer = INTEGER.accept(value);
      return integer == null ? null : IntNode.valueOf(integer.intValue() - 1);
    }
  },
  /** True or false, which become 1 and 0. */
  @JsonProperty("flag")
  FLAG("true or false") {
    @Override
    JsonNode accept(JsonNode value) {
      if (value.isTextual() && value.textValue().matches("(?i)true|false")) {
        return IntNode.valueOf(value.textValue().equalsIgnoreCase("true") ? 1 : 0);
      }
      return value.isBoolean() ? IntNode.valueOf(value.booleanValue() ? 1 : 0) : null;
    }
  },
  /** An object, whose inside is a document step's business. */
  @JsonProperty("object")
  OBJECT("an object") {
    @Override
    JsonNode accept(JsonNode value) {
      return value.isObject() ? value : null;
    }
  };

  private final String description;

  FieldType(String description) {
    this.description = description;
  }

  /** The value in the form a document holds it, or null where it is of another type. */
  abstract JsonNode accept(JsonNode value);

  /** With an article, for messages. */
  @Override
  public String toString() {
    return description;
  }
}
