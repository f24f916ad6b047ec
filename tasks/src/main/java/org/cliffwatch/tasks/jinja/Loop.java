package org.cliffwatch.tasks.jinja;

import java.util.List;

/** A loop's {@code loop}. */
final class Loop implements Attributed {
  private final List<Object> elements;
  private final int depth;
  private int index;

  /**
   * @param depth 1 for a loop within no other
   */
  Loop(List<Object> elements, int depth) {
    this.elements = elements;
    this.depth = depth;
  }

  /** Goes to a turn, from 0. */
  void turn(int at) {
    index = at;
  }

  int depth() {
    return depth;
  }

  @Override
  public Object get(String name) {
    int size = elements.size();
    return switch (name) {
      case "index" -> index + 1L;
      case "index0" -> (long) index;
      case "revindex" -> (long) size - index;
      case "revindex0" -> size - index - 1L;
      case "first" -> index == 0;
      case "last" -> index == size - 1;
      case "length" -> (long) size;
      case "depth" -> (long) depth;
      case "depth0" -> depth - 1L;
      case "previtem" -> index == 0 ? new Undefined("'previtem'") : elements.get(index - 1);
      case "nextitem" -> index == size - 1 ? new Undefined("'nextitem'") : elements.get(index + 1);
      case "cycle" -> (Callable) this::cycle;
      default -> throw new JinjaException("loop." + name + " is not known here");
    };
  }

  private Object cycle(Rendering rendering, Arguments arguments) {
    List<Object> values = arguments.positional();
    if (values.isEmpty()) {
      throw new JinjaException("loop.cycle: found no arguments, expected at least one");
    }
    return values.get(index % values.size());
  }
}
