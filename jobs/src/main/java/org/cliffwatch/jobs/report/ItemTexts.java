package org.cliffwatch.jobs.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.cliffwatch.tasks.item.Item;
import org.cliffwatch.tasks.item.ItemRequest;
import org.cliffwatch.tasks.item.ItemSet;

/**
 * What single items ask, by task and document: long texts cut, and no more of them than a page can
 * hold.
 */
final class ItemTexts {
  /** Characters of a context that are kept, its last ones: the continuation follows on them. */
  static final int MOST_CONTEXT = 1_500;

  /** Characters of a continuation that are kept, its first ones. */
  static final int MOST_CONTINUATION = 500;

  /** Of all texts, in UTF-8. */
  static final int MOST_BYTES = 6 << 20;

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String CUT = "…";

  /** The requests of one item; one context where they share it. */
  record Text(List<String> contexts, List<String> continuations) {
    private static Text of(List<String> contexts, List<String> continuations) {
      List<String> different = contexts.stream().distinct().toList();
      return new Text(
          (different.size() == 1 ? different : contexts).stream().map(ItemTexts::end).toList(),
          continuations.stream().map(ItemTexts::beginning).toList());
    }

    private long bytes() {
      return Stream.concat(contexts.stream(), continuations.stream())
          .mapToLong(text -> text.getBytes(StandardCharsets.UTF_8).length)
          .sum();
    }
  }

  private final Map<String, Map<String, Text>> texts = new LinkedHashMap<>();
  private long bytes;

  /** The texts of those of a task's items that are wanted. */
  static Map<String, Text> of(ItemSet items, Set<String> docHashes) {
    Map<String, Text> found = new LinkedHashMap<>();
    for (Item item : items.items()) {
      if (docHashes.contains(item.docHash())) {
        found.putIfAbsent(
            item.docHash(),
            Text.of(
                item.requests().stream().map(ItemRequest::context).toList(),
                item.requests().stream().map(ItemRequest::continuation).toList()));
      }
    }
    return found;
  }

  /**
   * The text that an imported log has.
   *
   * @param arguments JSON: a list of context and continuation for each request
   * @return nothing where they are something else
   */
  static Optional<Text> of(String arguments) {
    List<String> contexts = new ArrayList<>();
    List<String> continuations = new ArrayList<>();
    try {
      for (JsonNode request : JSON.readTree(arguments)) {
        contexts.add(request.path(0).asText());
        continuations.add(request.path(1).asText());
      }
    } catch (JsonProcessingException e) {
      return Optional.empty();
    }
    return contexts.isEmpty() ? Optional.empty() : Optional.of(Text.of(contexts, continuations));
  }

  private static String end(String text) {
    int length = text.length();
    return length <= MOST_CONTEXT
        ? text
        : CUT + text.substring(whole(text, length - MOST_CONTEXT), length);
  }

  private static String beginning(String text) {
    return text.length() <= MOST_CONTINUATION
        ? text
        : text.substring(0, whole(text, MOST_CONTINUATION)) + CUT;
  }

  /** The same place, or the one after where that would part a surrogate pair. */
  private static int whole(String text, int place) {
    return Character.isLowSurrogate(text.charAt(place)) ? place + 1 : place;
  }

  /**
   * Keeps a text if there is room.
   *
   * @return whether it is there now
   */
  boolean keep(String task, String docHash, Text text) {
    Map<String, Text> ofTask = texts.computeIfAbsent(task, t -> new LinkedHashMap<>());
    if (ofTask.containsKey(docHash)) {
      return true;
    }
    long more = bytes + text.bytes();
    if (more > MOST_BYTES) {
      return false;
    }
    bytes = more;
    ofTask.put(docHash, text);
    return true;
  }

  /** By task and document hash. */
  Map<String, Map<String, Text>> all() {
    return texts;
  }
}
