package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.quantizer.kernel.Rows;
import org.cliffwatch.quantizer.kernel.Session;

/**
 * The rows that forward passes on one thread work in, kept for the next: nothing is allocated a
 * layer. Sized for the largest batch it has seen.
 */
final class Workspace implements AutoCloseable {
  private static final int STEP = 256;

  /** (rows, hidden): the residual stream. */
  Rows x;

  /** (rows, hidden): x normalized. */
  Rows normalized;

  /** (rows, heads · head size). */
  Rows query;

  /** (rows, key heads · head size). */
  Rows key;

  /** (rows, key heads · head size). */
  Rows value;

  /** (rows, heads · head size). */
  Rows attended;

  /** (rows, intermediate): what is activated. */
  Rows gate;

  /** (rows, intermediate): what the activated is multiplied by, or null: nothing is. */
  Rows up;

  /** (rows, embedding width), or null where that is the hidden width. */
  Rows embedded;

  /** (rows, experts): the router's logits, or null where there are no experts. */
  Rows routes;

  /** (rows, hidden): the rows that one expert was chosen by. */
  Rows gathered;

  /** (rows · chosen experts, hidden): what experts give, one expert's rows after another's. */
  Rows mixed;

  /** As {@code gate}, of experts. */
  Rows expertGate;

  /** As {@code up}, of experts. */
  Rows expertUp;

  private final Session session;
  private final Architecture architecture;
  private final List<Rows> all = new ArrayList<>();
  private Rows waiting;
  private int capacity;

  /** As {@code routes}, where experts are chosen. */
  private float[] routerLogits = {};

  Workspace(Session session, Architecture architecture) {
    this.session = session;
    this.architecture = architecture;
  }

  Session session() {
    return session;
  }

  /**
   * Makes room for a batch: in steps, so that batches a little larger need no new rows.
   *
   * @param most rows there can be, at least {@code wanted}
   */
  void reserve(int wanted, int most) {
    if (wanted <= capacity) {
      return;
    }
    release();
    Architecture a = architecture;
    int rows = (int) Math.min(most, ((long) wanted + STEP - 1) / STEP * STEP);
    x = rows(rows, a.hidden());
    normalized = rows(rows, a.hidden());
    query = rows(rows, queries(a));
    key = rows(rows, keys(a));
    value = rows(rows, keys(a));
    attended = rows(rows, queries(a));
    gate = rows(rows, a.intermediate());
    up = a.gated() ? rows(rows, a.intermediate()) : null;
    embedded = isProjected(a) ? rows(rows, a.embeddingWidth()) : null;
    if (a.experts() != null) {
      Architecture.Experts experts = a.experts();
      routes = rows(rows, experts.count());
      gathered = rows(rows, a.hidden());
      mixed = rows(Math.multiplyExact(rows, experts.chosen()), a.hidden());
      boolean isAlike = experts.intermediate() == a.intermediate();
      expertGate = isAlike ? gate : rows(rows, experts.intermediate());
      expertUp = isAlike ? up : rows(rows, experts.intermediate());
      routerLogits = new float[rows * experts.count()];
    }
    capacity = rows;
  }

  /** (capacity, experts): room for {@code routes} where experts are chosen. */
  float[] routerLogits() {
    return routerLogits;
  }

  private Rows rows(int count, int width) {
    Rows rows = session.rows(count, width);
    all.add(rows);
    return rows;
  }

  private void release() {
    all.forEach(Rows::close);
    all.clear();
    capacity = 0;
  }

  /**
   * (rows, embedding width): outputs that wait for others before they go through the vocabulary
   * projection.
   */
  Rows waiting(int rows) {
    if (waiting == null) {
      waiting = session.rows(rows, architecture.embeddingWidth());
    }
    return waiting;
  }

  /** Rows there is room for. */
  int capacity() {
    return capacity;
  }

  /** Floats a row takes in the widest of the rows. */
  static int widest(Architecture a) {
    int inBlock = Math.max(a.intermediate(), Math.max(queries(a), keys(a)));
    int widest = Math.max(inBlock, Math.max(a.hidden(), a.embeddingWidth()));
    if (a.experts() != null) {
      Architecture.Experts experts = a.experts();
      widest = Math.max(widest, Math.multiplyExact(experts.chosen(), a.hidden()));
      widest = Math.max(widest, Math.max(experts.count(), experts.intermediate()));
    }
    return widest;
  }

  /**
   * Bytes a row takes in all of them, with its position and what is added to the residual stream.
   */
  static long rowBytes(Architecture a) {
    long floats = 3L * a.hidden() + 2L * queries(a) + 2L * keys(a);
    floats += (a.gated() ? 2L : 1L) * a.intermediate();
    floats += isProjected(a) ? a.embeddingWidth() : 0;
    return Float.BYTES * (floats + expertFloats(a)) + Integer.BYTES;
  }

  /** Floats a row takes in what experts have, with its weights and places. */
  private static long expertFloats(Architecture a) {
    Architecture.Experts experts = a.experts();
    if (experts == null) {
      return 0;
    }
    long floats = (1L + experts.chosen()) * a.hidden() + 2L * experts.count();
    floats += experts.intermediate() == a.intermediate() ? 0 : 2L * experts.intermediate();
    return floats + 5L * experts.chosen();
  }

  private static boolean isProjected(Architecture a) {
    return a.embeddingWidth() != a.hidden();
  }

  private static int queries(Architecture a) {
    return a.attention().stream().mapToInt(s -> s.heads() * s.headSize()).max().orElse(0);
  }

  private static int keys(Architecture a) {
    return a.attention().stream().mapToInt(s -> s.keyHeads() * s.headSize()).max().orElse(0);
  }

  @Override
  public void close() {
    release();
    if (waiting != null) {
      waiting.close();
      waiting = null;
    }
    session.close();
  }
}
