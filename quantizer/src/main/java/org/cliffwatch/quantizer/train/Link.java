package org.cliffwatch.quantizer.train;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/** One end of a way between two neighbouring components; messages keep their order. */
public interface Link extends Closeable {
  /** Sends a message; waits while the other end is far behind. */
  void send(byte[] message);

  /**
   * Waits for the next message.
   *
   * @param length that it must have, in bytes
   * @throws IllegalStateException if it has another
   */
  byte[] receive(int length);

  @Override
  void close() throws IOException;

  /**
   * A component's ways to its neighbours.
   *
   * @param previous null for the first
   * @param next null for the last
   */
  record Neighbours(Link previous, Link next) {}

  /** Of components on threads of this process, in their order. */
  static List<Neighbours> betweenThreads(int components) {
    List<Neighbours> all = new ArrayList<>();
    Link previous = null;
    for (int k = 0; k < components; k++) {
      BlockingQueue<byte[]> there = new ArrayBlockingQueue<>(QueueLink.AHEAD);
      BlockingQueue<byte[]> back = new ArrayBlockingQueue<>(QueueLink.AHEAD);
      all.add(new Neighbours(previous, k == components - 1 ? null : new QueueLink(there, back)));
      previous = new QueueLink(back, there);
    }
    return all;
  }

  /** An end of a way between two processes, over a connected socket that it closes. */
  static Link over(Socket socket) throws IOException {
    socket.setTcpNoDelay(true);
    return new SocketLink(
        socket,
        new DataOutputStream(new BufferedOutputStream(socket.getOutputStream(), 1 << 16)),
        new DataInputStream(new BufferedInputStream(socket.getInputStream(), 1 << 16)));
  }

  /** Between threads. */
  record QueueLink(BlockingQueue<byte[]> out, BlockingQueue<byte[]> in) implements Link {
    /** Messages that wait: those of two steps' slices. */
    static final int AHEAD = 4;

    @Override
    public void send(byte[] message) {
      try {
        out.put(message);
      } catch (InterruptedException e) {
        throw interrupted(e);
      }
    }

    @Override
    public byte[] receive(int length) {
      try {
        byte[] message = in.take();
        checkLength(message.length, length);
        return message;
      } catch (InterruptedException e) {
        throw interrupted(e);
      }
    }

    private static IllegalStateException interrupted(InterruptedException e) {
      Thread.currentThread().interrupt();
      return new IllegalStateException("interrupted, as another component failed", e);
    }

    @Override
    public void close() {
      // nothing is held
    }
  }

  /** Between processes: each message after its length. */
  record SocketLink(Socket socket, DataOutputStream out, DataInputStream in) implements Link {
    @Override
    public void send(byte[] message) {
      try {
        out.writeInt(message.length);
        out.write(message);
        out.flush();
      } catch (IOException e) {
        throw lost(e);
      }
    }

    @Override
    public byte[] receive(int length) {
      try {
        checkLength(in.readInt(), length);
        byte[] message = new byte[length];
        in.readFully(message);
        return message;
      } catch (IOException e) {
        throw lost(e);
      }
    }

    private UncheckedIOException lost(IOException e) {
      return new UncheckedIOException(
          "the component at " + socket.getRemoteSocketAddress() + " was lost: " + e.getMessage(),
          e);
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }

  private static void checkLength(int found, int expected) {
    if (found != expected) {
      throw new IllegalStateException(
          "a message between components: found %s bytes, expected %s".formatted(found, expected));
    }
  }
}
