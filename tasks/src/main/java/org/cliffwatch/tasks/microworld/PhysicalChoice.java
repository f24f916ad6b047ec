package org.cliffwatch.tasks.microworld;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Which tool does what to which kind of thing, asked as PIQA does. */
record PhysicalChoice(World world) implements Scenario {
  /** A verb, a thing it is done to, the tool that does it, and one that does not. */
  private record Job(String verb, String thing, String tool, String wrongTool) {
    String goal() {
      return "How do you " + verb + " the " + thing + "?";
    }
  }

  @Override
  public String task() {
    return "piqa";
  }

  @Override
  public int weight() {
    return 1;
  }

  private Job job(Draw draw) {
    String verb = draw.pick(List.copyOf(world.tools().keySet()));
    Map<String, String> byKind = world.tools().get(verb);
    String kind = draw.pick(List.copyOf(byKind.keySet()));
    String tool = byKind.get(kind);
    // Half of the wrong tools do the same to another kind of thing: the verb alone is not enough.
    String otherVerb = draw.chance(0.5) ? verb : draw.pick(List.copyOf(world.tools().keySet()));
    String wrong = draw.pickBesides(tool, List.copyOf(world.tools().get(otherVerb).values()));
    return new Job(verb, draw.thing(kind, verb + kind), tool, wrong);
  }

  @Override
  public String passage(Draw draw, Draw.Cast cast) {
    Job job = job(draw);
    if (draw.chance(0.5)) {
      return "Question: %s\nAnswer: Use the %s.".formatted(job.goal(), job.tool());
    }
    return "%s wanted to %s the %s. %s used the %s."
        .formatted(cast.a().name(), job.verb(), job.thing(), cast.a().capitalPronoun(), job.tool());
  }

  @Override
  public Map<String, String> items(Draw draw, int count) {
    ItemLines items = new ItemLines();
    ItemLines labels = new ItemLines();
    for (int i = 0; i < count; ) {
      Job job = job(draw);
      if (!items.isNew(job)) {
        continue;
      }
      int label = draw.below(2);
      Map<String, Object> fields = new LinkedHashMap<>();
      fields.put("id", "microworld-piqa-" + i);
      fields.put("goal", job.goal());
      fields.put("sol1", "Use the " + (label == 0 ? job.tool() : job.wrongTool()) + ".");
      fields.put("sol2", "Use the " + (label == 1 ? job.tool() : job.wrongTool()) + ".");
      items.json(fields);
      labels.line(Integer.toString(label));
      i++;
    }
    return Map.of("valid.jsonl", items.toString(), "valid-labels.lst", labels.toString());
  }
}
