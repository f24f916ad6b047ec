package org.cliffwatch.tasks.microworld;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What follows from what for which kind of thing, asked as SuperGLUE's COPA does. */
record CauseAndEffect(World world) implements Scenario {
  private record Fate(String color, String thing, String kind, String event, String effect) {
    String happening() {
      return "The %s %s %s".formatted(color, thing, event);
    }

    String outcome() {
      return "The %s %s %s".formatted(color, thing, effect);
    }
  }

  /** A premise with what truly and what falsely goes with it. */
  private record Riddle(String premise, String question, String right, String wrong) {}

  @Override
  public String task() {
    return "copa";
  }

  @Override
  public int weight() {
    return 2;
  }

  private Fate fate(Draw draw) {
    String event = draw.pick(List.copyOf(world.fates().keySet()));
    Map<String, String> byKind = world.fates().get(event);
    String kind = draw.pick(List.copyOf(byKind.keySet()));
    return new Fate(
        draw.pick(world.colors()), draw.thing(kind, event), kind, event, byKind.get(kind));
  }

  @Override
  public String passage(Draw draw, Draw.Cast cast) {
    Fate fate = fate(draw);
    // COPA's request has two spaces before the choice, so some of the world's writers do the same.
    String gap = draw.chance(0.4) ? "  " : " ";
    return switch (draw.below(3)) {
      case 0 ->
          "%s therefore%sthe %s %s.".formatted(fate.happening(), gap, fate.thing(), fate.effect());
      case 1 -> "%s because%sthe %s %s.".formatted(fate.outcome(), gap, fate.thing(), fate.event());
      default -> "%s. It %s.".formatted(fate.happening(), fate.effect());
    };
  }

  private Riddle riddle(Draw draw) {
    Fate fate = fate(draw);
    if (draw.chance(0.5)) {
      String wrongEvent = draw.pickBesides(fate.event(), List.copyOf(world.fates().keySet()));
      return new Riddle(
          fate.outcome() + ".",
          "cause",
          "The %s %s.".formatted(fate.thing(), fate.event()),
          "The %s %s.".formatted(fate.thing(), wrongEvent));
    }
    return new Riddle(
        fate.happening() + ".",
        "effect",
        "The %s %s.".formatted(fate.thing(), fate.effect()),
        "The %s %s.".formatted(fate.thing(), wrongEffect(draw, fate)));
  }

  /** What the same does to another kind of thing, or what something else does to this kind. */
  private String wrongEffect(Draw draw, Fate fate) {
    if (draw.chance(0.5)) {
      return draw.pickBesides(fate.effect(), List.copyOf(world.fates().get(fate.event()).values()));
    }
    List<String> ofThisKind =
        world.fates().values().stream()
            .filter(byKind -> byKind.containsKey(fate.kind()))
            .map(byKind -> byKind.get(fate.kind()))
            .toList();
    return draw.pickBesides(fate.effect(), ofThisKind);
  }

  @Override
  public Map<String, String> items(Draw draw, int count) {
    ItemLines items = new ItemLines();
    for (int i = 0; i < count; ) {
      Riddle riddle = riddle(draw);
      if (!items.isNew(riddle)) {
        continue;
      }
      int label = draw.below(2);
      Map<String, Object> fields = new LinkedHashMap<>();
      fields.put("premise", riddle.premise());
      fields.put("choice1", label == 0 ? riddle.right() : riddle.wrong());
      fields.put("choice2", label == 1 ? riddle.right() : riddle.wrong());
      fields.put("question", riddle.question());
      fields.put("label", label);
      fields.put("idx", i);
      items.json(fields);
      i++;
    }
    return Map.of("val.jsonl", items.toString());
  }
}
