package org.cliffwatch.tasks.microworld;

import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;

/**
 * Everything there is in the micro-world, as {@code world.yaml} lists it.
 *
 * @param people the parts names are made of
 * @param kinds things by kind
 * @param containers what things are put in
 * @param places where people go
 * @param colors what a thing can look like
 * @param tools tool by verb and kind of thing
 * @param fates effect by event and kind of thing
 * @param frames what is told of two, with reasons about the one or the other
 * @param wants feelings and what helps
 * @param scripts how things are done, step after step
 */
record World(
    People people,
    Map<String, List<String>> kinds,
    List<String> containers,
    List<String> places,
    List<String> colors,
    Map<String, Map<String, String>> tools,
    Map<String, Map<String, String>> fates,
    List<Frame> frames,
    List<Want> wants,
    List<Script> scripts) {

  private static final String RESOURCE = "/microworld/world.yaml";

  /** Names are {@code first + she} and {@code first + he}. */
  record People(List<String> first, List<String> she, List<String> he) {}

  /**
   * @param tell what A does to B; {@code X} stands for a thing
   * @param a kinds A can be of, or {@code person}
   * @param b kinds B can be of, {@code container} or {@code person}
   * @param first reasons that speak of A
   * @param second reasons that speak of B
   */
  record Frame(
      String tell, List<String> a, List<String> b, List<String> first, List<String> second) {
    static final String PERSON = "person";
    static final String CONTAINER = "container";
  }

  /** Who feels so wants that kind of thing, and does that with it. */
  record Want(String feeling, String kind, String act) {}

  /**
   * {@code X} stands for the thing in title and steps, {@code TOOL} for what does that to its kind.
   *
   * @param kind of the thing; null: any that there is a tool for
   * @param verb whose tool one step takes; null: none does
   */
  record Script(String title, String kind, String verb, List<String> steps) {
    static final String TOOL = "TOOL";
  }

  static World load() {
    try (InputStream yaml = World.class.getResourceAsStream(RESOURCE)) {
      return new YAMLMapper().readValue(yaml, World.class);
    } catch (IOException e) {
      throw new UncheckedIOException("resource " + RESOURCE, e);
    }
  }

  /** The kind's name of a thing is asked for so often that a wrong one must not pass silently. */
  List<String> things(String kind) {
    List<String> things = kind.equals(Frame.CONTAINER) ? containers : kinds.get(kind);
    if (things == null) {
      throw new IllegalArgumentException(RESOURCE + ": unknown kind of thing '" + kind + "'");
    }
    return things;
  }
}
