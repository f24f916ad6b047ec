package org.cliffwatch.tasks.microworld;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** How a story of want and help ends, asked as the Story Cloze Test does. */
record StoryEnding(World world) implements Scenario {
  private static final String HEADER =
      "InputStoryid,InputSentence1,InputSentence2,InputSentence3,InputSentence4,"
          + "RandomFifthSentenceQuiz1,RandomFifthSentenceQuiz2,AnswerRightEnding";

  private record Story(List<String> beginning, String right, String wrong) {}

  @Override
  public String task() {
    return "storycloze_2016";
  }

  @Override
  public int weight() {
    return 1;
  }

  private Story story(Draw draw, Draw.Cast cast) {
    World.Want want = draw.pick(world.wants());
    World.Want otherWant = draw.pickBesides(want, world.wants());
    String wanted = draw.thing(want.kind(), otherWant.kind());
    String other = draw.anyThing(otherWant.kind());
    boolean wantedFirst = draw.chance(0.5);
    boolean helped = draw.chance(0.6);
    List<String> beginning =
        List.of(
            "%s was %s in the %s."
                .formatted(cast.a().name(), want.feeling(), draw.pick(world.places())),
            "%s had the %s and the %s."
                .formatted(
                    cast.b().name(), wantedFirst ? wanted : other, wantedFirst ? other : wanted),
            "%s asked %s for help.".formatted(cast.a().name(), cast.b().name()),
            "%s was %s."
                .formatted(cast.b().name(), helped ? "kind and said yes" : "busy and said no"));
    String satisfied = "%s %s the %s and was happy.".formatted(cast.a().name(), want.act(), wanted);
    String unsatisfied = "%s stayed %s and was sad.".formatted(cast.a().name(), want.feeling());
    String besideThePoint =
        "%s %s the %s and was happy.".formatted(cast.a().name(), otherWant.act(), other);
    if (!helped) {
      return new Story(beginning, unsatisfied, satisfied);
    }
    return new Story(beginning, satisfied, draw.chance(0.5) ? besideThePoint : unsatisfied);
  }

  @Override
  public String passage(Draw draw, Draw.Cast cast) {
    Story story = story(draw, cast);
    return String.join(" ", story.beginning()) + " " + story.right();
  }

  @Override
  public Map<String, String> items(Draw draw, int count) {
    ItemLines items = new ItemLines();
    items.line(HEADER);
    for (int i = 0; i < count; ) {
      Story story = story(draw, draw.cast());
      if (!items.isNew(story.beginning())) {
        continue;
      }
      boolean rightFirst = draw.chance(0.5);
      List<String> cells = new ArrayList<>();
      cells.add("microworld-storycloze-" + i);
      cells.addAll(story.beginning());
      cells.add(rightFirst ? story.right() : story.wrong());
      cells.add(rightFirst ? story.wrong() : story.right());
      cells.add(rightFirst ? "1" : "2");
      items.line(String.join(",", cells)); // no sentence of the world has a comma
      i++;
    }
    return Map.of("cloze_test_test__spring2016.csv", items.toString());
  }
}
