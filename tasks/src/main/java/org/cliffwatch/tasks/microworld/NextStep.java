package org.cliffwatch.tasks.microworld;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/** What comes next in a known procedure, asked as HellaSwag does. */
record NextStep(World world) implements Scenario {
  private static final int ENDINGS = 4;

  @Override
  public String task() {
    return "hellaswag";
  }

  @Override
  public int weight() {
    return 2;
  }

  /** A procedure with its thing, and the tool for it; null where none is taken. */
  private record Procedure(World.Script script, String thing, String tool) {
    String title() {
      return fill(script.title());
    }

    int length() {
      return script.steps().size();
    }

    String step(int s) {
      return fill(script.steps().get(s));
    }

    /** Which step takes the tool; negative: none. */
    int toolStep() {
      return IntStream.range(0, length())
          .filter(s -> script.steps().get(s).contains(World.Script.TOOL))
          .findFirst()
          .orElse(-1);
    }

    String fill(String template) {
      String filled = template.replace("X", thing);
      return tool == null ? filled : filled.replace(World.Script.TOOL, tool);
    }

    Procedure with(String otherTool) {
      return new Procedure(script, thing, otherTool);
    }
  }

  private Procedure procedure(Draw draw) {
    World.Script script = draw.pick(world.scripts());
    if (script.verb() == null) {
      return new Procedure(script, draw.thing(script.kind(), script.title()), null);
    }
    Map<String, String> tools = world.tools().get(script.verb());
    String kind = draw.pick(List.copyOf(tools.keySet()));
    return new Procedure(script, draw.thing(kind, script.verb() + kind), tools.get(kind));
  }

  @Override
  public String passage(Draw draw, Draw.Cast cast) {
    Procedure procedure = procedure(draw);
    StringBuilder passage = new StringBuilder(procedure.title() + ":");
    int last = 1 + draw.below(procedure.length() - 1);
    for (int s = 0; s <= last; s++) {
      passage.append(s == 0 ? " " + cast.a().name() : " " + cast.a().capitalPronoun());
      passage.append(' ').append(procedure.step(s)).append('.');
    }
    return passage.toString();
  }

  @Override
  public Map<String, String> items(Draw draw, int count) {
    ItemLines items = new ItemLines();
    for (int i = 0; i < count; ) {
      Procedure procedure = procedure(draw);
      Draw.Person person = draw.person(null);
      int next =
          procedure.tool() == null ? 1 + draw.below(procedure.length() - 1) : procedure.toolStep();
      StringBuilder before = new StringBuilder();
      for (int s = 0; s < next; s++) {
        before.append(s == 0 ? person.name() : " " + person.capitalPronoun());
        before.append(' ').append(procedure.step(s)).append('.');
      }
      if (!items.isNew(before.toString())) {
        continue;
      }
      String right = procedure.step(next) + ".";
      List<String> endings = new ArrayList<>(wrongEndings(draw, procedure, next));
      int label = draw.below(ENDINGS);
      endings.add(label, right);
      Map<String, Object> fields = new LinkedHashMap<>();
      fields.put("ind", i);
      fields.put("activity_label", procedure.title());
      fields.put("ctx_a", before.toString());
      fields.put("ctx_b", person.pronoun());
      fields.put("ctx", before + " " + person.pronoun());
      fields.put("split", "val");
      fields.put("split_type", "indomain");
      fields.put("label", label);
      fields.put("endings", endings);
      fields.put("source_id", "microworld~" + i);
      items.json(fields);
      i++;
    }
    return Map.of("hellaswag_val.jsonl", items.toString());
  }

  private List<String> wrongEndings(Draw draw, Procedure procedure, int next) {
    Set<String> wrong =
        procedure.tool() == null
            ? otherSteps(draw, procedure, next)
            : otherTools(draw, procedure, next);
    return draw.shuffled(List.copyOf(wrong));
  }

  /** Other tools, for other kinds of things first. */
  private Set<String> otherTools(Draw draw, Procedure procedure, int next) {
    Map<String, String> byKind = world.tools().get(procedure.script().verb());
    List<String> tools = new ArrayList<>(draw.shuffled(List.copyOf(byKind.values())));
    world.tools().values().forEach(each -> tools.addAll(each.values()));
    Set<String> wrong = new LinkedHashSet<>();
    tools.stream()
        .distinct()
        .filter(tool -> !tool.equals(procedure.tool()))
        .limit(ENDINGS - 1)
        .forEach(tool -> wrong.add(procedure.with(tool).step(next) + "."));
    return wrong;
  }

  /** Another step of the same procedure, and steps of two others with the same thing. */
  private Set<String> otherSteps(Draw draw, Procedure procedure, int next) {
    World.Script script = procedure.script();
    Set<String> wrong = new LinkedHashSet<>();
    wrong.add(procedure.fill(draw.pickBesides(script.steps().get(next), script.steps())) + ".");
    List<World.Script> others =
        world.scripts().stream().filter(other -> other.verb() == null).toList();
    while (wrong.size() < ENDINGS - 1) {
      World.Script other = draw.pickBesides(script, others);
      wrong.add(procedure.fill(draw.pick(other.steps())) + ".");
    }
    return wrong;
  }
}
