package org.cliffwatch.tasks.microworld;

import java.util.List;
import java.util.Map;

/**
 * Where things are, whose they are and what is needed, asked by a passage's last word as LAMBADA
 * does.
 */
record LastWord(World world) implements Scenario {
  @Override
  public String task() {
    return "lambada_openai";
  }

  @Override
  public int weight() {
    return 16;
  }

  /** A passage without its full stop: the last word follows from the rest. */
  private String unfinished(Draw draw, Draw.Cast cast) {
    return switch (draw.below(3)) {
      case 0 -> whereabouts(draw, cast);
      case 1 -> belonging(draw, cast);
      default -> need(draw, cast);
    };
  }

  private String whereabouts(Draw draw, Draw.Cast cast) {
    String container = draw.pick(world.containers());
    String thing = draw.thing(container);
    String put = "the %s in the %s".formatted(thing, container);
    if (draw.chance(0.5)) {
      String other = thing;
      while (other.equals(thing)) {
        other = draw.anyThing(draw.pick(kinds()));
      }
      String otherContainer = draw.pickBesides(container, world.containers());
      String otherPut = "the %s in the %s".formatted(other, otherContainer);
      put = draw.chance(0.5) ? put + " and " + otherPut : otherPut + " and " + put;
    }
    return "%s put %s. Then %s went to the %s. Later %s found the %s in the %s"
        .formatted(
            cast.a().name(),
            put,
            cast.a().pronoun(),
            draw.pick(world.places()),
            cast.a().pronoun(),
            thing,
            container);
  }

  private String belonging(Draw draw, Draw.Cast cast) {
    String place = draw.pick(world.places());
    String thing = draw.thing(place);
    return "%s found the %s in the %s and gave it to %s. Then %s went to the %s. Now the %s belongs to %s"
        .formatted(
            cast.a().name(),
            thing,
            place,
            cast.b().name(),
            cast.a().pronoun(),
            draw.pickBesides(place, world.places()),
            thing,
            cast.b().name());
  }

  private String need(Draw draw, Draw.Cast cast) {
    String verb = draw.pick(List.copyOf(world.tools().keySet()));
    Map<String, String> byKind = world.tools().get(verb);
    String kind = draw.pick(List.copyOf(byKind.keySet()));
    return "%s wanted to %s the %s in the %s. %s gave some help. They looked for the %s"
        .formatted(
            cast.a().name(),
            verb,
            draw.thing(kind, verb + kind),
            draw.pick(world.places()),
            cast.b().name(),
            byKind.get(kind));
  }

  private List<String> kinds() {
    return List.copyOf(world.kinds().keySet());
  }

  @Override
  public String passage(Draw draw, Draw.Cast cast) {
    return unfinished(draw, cast) + ".";
  }

  @Override
  public Map<String, String> items(Draw draw, int count) {
    ItemLines items = new ItemLines();
    for (int i = 0; i < count; ) {
      String text = unfinished(draw, draw.cast());
      if (items.isNew(text)) {
        items.json(Map.of("text", text));
        i++;
      }
    }
    return Map.of("lambada_test.jsonl", items.toString());
  }
}
