package org.cliffwatch.quantizer.train;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;

/**
 * The time it would be for a component that has a processor to itself and whose messages take no
 * time (a logical clock, Lamport 1978): its thread's processor time, and on receiving a message the
 * sender's time where that is later. Says how busy components keep their processors, however many
 * of them share one here. Of one thread.
 */
final class Clock {
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private long time;
  private long busy;
  private long seen = THREADS.getCurrentThreadCpuTime();

  /** Nanoseconds since the clock was made. */
  long time() {
    long now = THREADS.getCurrentThreadCpuTime();
    time += now - seen;
    busy += now - seen;
    seen = now;
    return time;
  }

  /** Of {@link #time}, nanoseconds not spent on waiting. */
  long busy() {
    time();
    return busy;
  }

  /** Leaves out what the processor did since {@link #time}. */
  void skip() {
    seen = THREADS.getCurrentThreadCpuTime();
  }

  /** Goes on from the sender's time where it is later. */
  void received(long sent) {
    skip();
    time = Math.max(time, sent);
  }
}
