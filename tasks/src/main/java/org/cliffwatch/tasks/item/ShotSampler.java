package org.cliffwatch.tasks.item;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.definition.FewShot;
import org.cliffwatch.tasks.metric.MersenneTwister;
import org.cliffwatch.tasks.prompt.Scope;

/**
 * What stands before each question: lm-evaluation-harness's {@code samplers.ContextSampler} and
 * {@code FirstNSampler}. One generator serves all items in their order, so a draw depends on the
 * item's position and not on how many items follow. A document becomes text when it is first drawn.
 */
final class ShotSampler {
  /** lm-evaluation-harness's {@code fewshot_random_seed}. */
  static final int SEED = 1234;

  /** Documents that may be drawn. */
  interface Pool {
    int size();

    /**
     * A document.
     *
     * @throws InvalidInputException where it cannot be one
     */
    Scope document(int position);

    /**
     * A document with its answer.
     *
     * @throws InvalidInputException where the prompt cannot be made of it
     */
    Shot shot(int position, Scope document);

    /** Where it comes from, for messages. */
    String place();
  }

  private final int count;
  private final FewShot how;
  private final Pool pool;
  private final Scope[] documents;
  private final Shot[] shots;
  private final MersenneTwister random = new MersenneTwister(SEED);

  /**
   * @param count shots before each question
   * @throws InvalidInputException where the pool has not as many
   */
  ShotSampler(int count, FewShot how, Pool pool) {
    this.count = count;
    this.how = how;
    this.pool = pool;
    this.documents = new Scope[pool.size()];
    this.shots = new Shot[pool.size()];
    boolean oneMore = how.leaveOneOut() && how.sampler() == FewShot.Sampler.DEFAULT;
    require(pool.size(), count, oneMore ? " and one to leave out" : "", oneMore ? 1 : 0);
  }

  /**
   * The shots before the next item.
   *
   * @param item the item's document; null where it has none
   */
  List<Shot> next(Scope item) {
    List<Shot> next = new ArrayList<>(count);
    for (int position : draw(item)) {
      if (shots[position] == null) {
        shots[position] = pool.shot(position, document(position));
      }
      next.add(shots[position]);
    }
    return next;
  }

  private int[] draw(Scope item) {
    Scope left = how.leaveOneOut() ? item : null;
    if (how.sampler() == FewShot.Sampler.FIRST_N) {
      int[] first = without(left, IntStream.range(0, pool.size()), count);
      require(first.length, count, "", 0);
      return first;
    }
    if (!how.leaveOneOut()) {
      return random.sample(pool.size(), count);
    }
    int[] drawn = without(left, Arrays.stream(random.sample(pool.size(), count + 1)), count);
    if (drawn.length == count) {
      return drawn;
    }
    // Several copies of the document were drawn: again, from a pool that has none.
    int[] others = without(left, IntStream.range(0, pool.size()), pool.size());
    require(others.length, count, "", 0);
    return Arrays.stream(random.sample(others.length, count)).map(i -> others[i]).toArray();
  }

  /** The first of some positions whose documents are not the item's. */
  private int[] without(Scope item, IntStream positions, int most) {
    return positions
        .filter(position -> item == null || !document(position).doc().equals(item.doc()))
        .limit(most)
        .toArray();
  }

  private Scope document(int position) {
    if (documents[position] == null) {
      documents[position] = pool.document(position);
    }
    return documents[position];
  }

  private void require(int found, int wanted, String more, int extra) {
    if (found < wanted + extra) {
      throw new InvalidInputException(
          pool.place()
              + ": found "
              + found
              + (found == 1 ? " document" : " documents")
              + " to draw shots from, expected at least "
              + (wanted + extra)
              + ": num_fewshot "
              + wanted
              + more);
    }
  }
}
