package org.cliffwatch.tasks.microworld;

import java.util.LinkedHashMap;
import java.util.Map;

/** Which of two a reason speaks of, asked as WinoGrande does. */
record PronounResolution(World world) implements Scenario {
  /** A sentence with the one meant left out as "_". */
  private record Riddle(String sentence, String a, String b, boolean aboutA) {}

  @Override
  public String task() {
    return "winogrande";
  }

  @Override
  public int weight() {
    return 6;
  }

  private Riddle riddle(Draw draw, Draw.Cast cast) {
    World.Frame frame = draw.pick(world.frames());
    boolean people = frame.a().contains(World.Frame.PERSON);
    String a = people ? cast.a().name() : draw.thing(draw.pick(frame.a()), frame.tell());
    String b = people ? cast.b().name() : draw.anyThing(draw.pick(frame.b()));
    String tell = frame.tell();
    if (tell.contains("X")) {
      tell = tell.replace("X", draw.thing(frame.tell()));
    }
    boolean aboutA = draw.chance(0.5);
    String sentence =
        tell.replaceFirst("\\bA\\b", a).replaceFirst("\\bB\\b", b)
            + (people ? " because _ " : " because the _ ")
            + draw.pick(aboutA ? frame.first() : frame.second())
            + ".";
    return new Riddle(sentence, a, b, aboutA);
  }

  @Override
  public String passage(Draw draw, Draw.Cast cast) {
    Riddle riddle = riddle(draw, cast);
    return riddle.sentence().replace("_", riddle.aboutA() ? riddle.a() : riddle.b());
  }

  @Override
  public Map<String, String> items(Draw draw, int count) {
    ItemLines items = new ItemLines();
    ItemLines labels = new ItemLines();
    for (int i = 0; i < count; ) {
      Riddle riddle = riddle(draw, draw.cast());
      if (!items.isNew(riddle)) {
        continue;
      }
      boolean optionsInOrder = draw.chance(0.5);
      String answer = riddle.aboutA() == optionsInOrder ? "1" : "2";
      Map<String, Object> fields = new LinkedHashMap<>();
      fields.put("qID", "microworld-winogrande-" + i);
      fields.put("sentence", riddle.sentence());
      fields.put("option1", optionsInOrder ? riddle.a() : riddle.b());
      fields.put("option2", optionsInOrder ? riddle.b() : riddle.a());
      fields.put("answer", answer);
      items.json(fields);
      labels.line(answer);
      i++;
    }
    return Map.of("dev.jsonl", items.toString(), "dev-labels.lst", labels.toString());
  }
}
