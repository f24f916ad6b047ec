package org.cliffwatch.jobs;

import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Abortable;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.DelegateToFileSystem;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSInputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.StreamCapabilities;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;
import org.cliffwatch.jobs.plan.Sha256;

/**
 * Files of this machine under the scheme {@code faulty}, with the faults that a {@link Builder}
 * puts into Hadoop's configuration: so executors have them too. Whether an operation fails depends
 * on the seed, the operation, the file and how often it was tried: not on how threads interleave.
 */
public final class FaultyFileSystem extends RawLocalFileSystem {
  private static final String SCHEME = "faulty";
  private static final URI ROOT = URI.create(SCHEME + ":///");
  private static final String RATE = "faulty.rate";
  private static final String SEED = "faulty.seed";
  private static final String DELAY = "faulty.delay.millis";
  private static final String LATE_LISTING = "faulty.late.listing.millis";
  private static final String LATE_STATUS = "faulty.late.status.millis";
  private static final String STORE = "faulty.store";
  private static final String ROOM = "faulty.room";
  private static final String ROOM_OF = "faulty.room.of";
  private static final String HALT = "faulty.halt";

  /** Of the names of what is unfinished, and of runs. */
  private static final Pattern RANDOM =
      Pattern.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]{8}T[0-9]{9}Z-[0-9a-f]{8}");

  private static final Map<String, AtomicLong> TRIED = new ConcurrentHashMap<>();

  /** The faults, none at first. */
  public static final class Builder {
    private final Configuration configuration;

    private Builder(Configuration configuration) {
      this.configuration = configuration;
    }

    /** How often an operation fails, from 0 to 1. */
    public Builder fails(double rate, long seed) {
      configuration.setDouble(RATE, rate);
      configuration.setLong(SEED, seed);
      return this;
    }

    /** Every operation takes up to as long. */
    public Builder delays(int millis) {
      configuration.setInt(DELAY, millis);
      return this;
    }

    /** Listings leave out files younger than that. */
    public Builder listsLate(int millis) {
      configuration.setInt(LATE_LISTING, millis);
      return this;
    }

    /** So do questions for one file. */
    public Builder seesLate(int millis) {
      configuration.setInt(LATE_STATUS, millis);
      return listsLate(millis);
    }

    /**
     * As object stores are: a file appears when its writer closes it, and a rename is a copy that
     * may stop half way.
     */
    public Builder isObjectStore() {
      configuration.setBoolean(STORE, true);
      configuration.set("cliffwatch.object.stores", SCHEME);
      return this;
    }

    /** A disk with so many bytes for what lies in a folder, which is there. */
    public Builder hasRoom(long bytes, java.nio.file.Path folder) {
      configuration.setLong(ROOM, bytes);
      configuration.set(ROOM_OF, folder.toString());
      return this;
    }

    /**
     * A process that asks for anything dies as if killed, while the marker is there: for what
     * executors alone ask for then.
     */
    public Builder kills(java.nio.file.Path marker) {
      configuration.set(HALT, marker.toString());
      return this;
    }
  }

  /** Knows the scheme from here on, without any fault. */
  public static Builder in(Configuration configuration) {
    for (String key :
        new String[] {RATE, DELAY, LATE_LISTING, LATE_STATUS, STORE, ROOM, ROOM_OF, HALT}) {
      configuration.unset(key);
    }
    configuration.unset("cliffwatch.object.stores");
    configuration.set("fs.faulty.impl", FaultyFileSystem.class.getName());
    configuration.set("fs.AbstractFileSystem.faulty.impl", Context.class.getName());
    configuration.setBoolean("fs.faulty.impl.disable.cache", true);
    TRIED.clear();
    return new Builder(configuration);
  }

  /** A path's name here. */
  public static String uri(java.nio.file.Path path) {
    return SCHEME + ":" + path.toAbsolutePath();
  }

  /** For FileContext, whose rename replaces in one step. */
  public static final class Context extends DelegateToFileSystem {
    public Context(URI uri, Configuration configuration) throws IOException, URISyntaxException {
      super(uri, made(uri, configuration), configuration, SCHEME, false);
    }

    private static FaultyFileSystem made(URI uri, Configuration configuration) throws IOException {
      FaultyFileSystem files = new FaultyFileSystem();
      files.initialize(uri, configuration);
      return files;
    }

    @Override
    public int getUriDefaultPort() {
      return -1;
    }

    @Override
    public void renameInternal(Path from, Path to, boolean overwrite) throws IOException {
      fsImpl.rename(from, to);
    }
  }

  @Override
  public URI getUri() {
    return ROOT;
  }

  @Override
  public String getScheme() {
    return SCHEME;
  }

  /** Fails or delays now and then. */
  private void meet(String operation, Path path) throws IOException {
    String marker = getConf().get(HALT);
    if (marker != null && Files.exists(java.nio.file.Path.of(marker))) {
      Runtime.getRuntime().halt(137);
    }
    long draw = draw(operation, path);
    int delay = getConf().getInt(DELAY, 0);
    if (delay > 0) {
      try {
        Thread.sleep(Math.floorMod(draw, delay));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException(e);
      }
    }
    if ((draw >>> 11) * 0x1p-53 < getConf().getDouble(RATE, 0)) {
      throw new IOException(operation + " " + path + ": the storage is having a bad day");
    }
  }

  private long draw(String operation, Path path) {
    String name = RANDOM.matcher(path.getName()).replaceAll("");
    long tried = TRIED.computeIfAbsent(operation + name, key -> new AtomicLong()).incrementAndGet();
    return Sha256.seed(
        "seed",
        getConf().get(SEED, "0"),
        "operation",
        operation,
        "name",
        name,
        "tried",
        Long.toString(tried));
  }

  private boolean isYoung(FileStatus status, String limit) {
    return status.isFile()
        && System.currentTimeMillis() - status.getModificationTime() < getConf().getInt(limit, 0);
  }

  @Override
  public FSDataInputStream open(Path path, int buffer) throws IOException {
    meet("open", path);
    requireSeen(path);
    return new FSDataInputStream(new Input(path, super.open(path, buffer)));
  }

  private void requireSeen(Path path) throws IOException {
    if (isYoung(super.getFileStatus(path), LATE_STATUS)) {
      throw new FileNotFoundException("File " + path + " does not exist");
    }
  }

  private final class Input extends FSInputStream {
    private final Path path;
    private final FSDataInputStream in;

    Input(Path path, FSDataInputStream in) {
      this.path = path;
      this.in = in;
    }

    @Override
    public int read() throws IOException {
      return in.read();
    }

    @Override
    public int read(byte[] to, int offset, int length) throws IOException {
      meet("read", path);
      return in.read(to, offset, length);
    }

    @Override
    public void seek(long position) throws IOException {
      in.seek(position);
    }

    @Override
    public long getPos() throws IOException {
      return in.getPos();
    }

    @Override
    public boolean seekToNewSource(long target) {
      return false;
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }

  @Override
  public FSDataOutputStream create(
      Path path,
      FsPermission permission,
      boolean overwrite,
      int buffer,
      short replication,
      long block,
      Progressable progress)
      throws IOException {
    return create(path, overwrite, buffer, replication, block, progress);
  }

  @Override
  public FSDataOutputStream createNonRecursive(
      Path path,
      FsPermission permission,
      EnumSet<CreateFlag> flags,
      int buffer,
      short replication,
      long block,
      Progressable progress)
      throws IOException {
    return create(path, flags.contains(CreateFlag.OVERWRITE), buffer, replication, block, progress);
  }

  @Override
  public FSDataOutputStream create(
      Path path,
      boolean overwrite,
      int buffer,
      short replication,
      long block,
      Progressable progress)
      throws IOException {
    meet("create", path);
    Path written = path;
    if (getConf().getBoolean(STORE, false)) {
      Files.createDirectories(pathToFile(path).getParentFile().toPath());
      File beside = new File(System.getProperty("java.io.tmpdir"), "faulty" + UUID.randomUUID());
      beside.deleteOnExit();
      written = new Path(beside.getPath());
    }
    return new FSDataOutputStream(
        new Output(
            path, written, super.create(written, overwrite, buffer, replication, block, progress)),
        null);
  }

  /** A store's file appears when it is closed, even if not all was written. */
  private final class Output extends OutputStream implements Abortable, StreamCapabilities {
    private final Path path;
    private final Path written;
    private final FSDataOutputStream out;
    private boolean closed;

    Output(Path path, Path written, FSDataOutputStream out) {
      this.path = path;
      this.written = written;
      this.out = out;
    }

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b});
    }

    @Override
    public void write(byte[] from, int offset, int length) throws IOException {
      long room = room(path);
      if (room < length) {
        out.write(from, offset, (int) room);
        throw new IOException("No space left on device");
      }
      try {
        meet("write", path);
      } catch (IOException e) {
        out.write(from, offset, length / 2);
        throw e;
      }
      out.write(from, offset, length);
    }

    @Override
    public void close() throws IOException {
      if (closed) {
        return;
      }
      closed = true;
      out.close();
      meet("close", path);
      if (!written.equals(path)) {
        Files.move(
            pathToFile(written).toPath(),
            pathToFile(path).toPath(),
            StandardCopyOption.ATOMIC_MOVE);
      }
    }

    @Override
    public AbortableResult abort() {
      closed = true;
      return null;
    }

    @Override
    public boolean hasCapability(String capability) {
      return capability.equals(ABORTABLE_STREAM);
    }
  }

  /** Bytes that still fit. */
  private long room(Path path) throws IOException {
    String folder = getConf().get(ROOM_OF);
    if (folder == null || !path.toUri().getPath().startsWith(folder)) {
      return Long.MAX_VALUE;
    }
    try (Stream<java.nio.file.Path> files = Files.walk(java.nio.file.Path.of(folder))) {
      long used =
          files.map(file -> file.toFile()).filter(File::isFile).mapToLong(File::length).sum();
      return Math.max(0, getConf().getLong(ROOM, 0) - used);
    } catch (NoSuchFileException | UncheckedIOException e) {
      return room(path); // a file moved while they were counted
    }
  }

  @Override
  public boolean rename(Path from, Path to) throws IOException {
    if (getConf().getBoolean(STORE, false)) {
      byte[] whole = Files.readAllBytes(pathToFile(from).toPath());
      Files.write(pathToFile(to).toPath(), Arrays.copyOf(whole, whole.length / 2));
      throw new IOException("rename " + from + ": stopped half way");
    }
    meet("rename", to);
    Files.move(pathToFile(from).toPath(), pathToFile(to).toPath(), StandardCopyOption.ATOMIC_MOVE);
    meet("answer a rename to", to);
    return true;
  }

  @Override
  public boolean delete(Path path, boolean recursive) throws IOException {
    meet("delete", path);
    return super.delete(path, recursive);
  }

  @Override
  public boolean mkdirs(Path path) throws IOException {
    meet("mkdirs", path);
    return super.mkdirs(path);
  }

  @Override
  public boolean mkdirs(Path path, FsPermission permission) throws IOException {
    return mkdirs(path);
  }

  @Override
  public FileStatus[] listStatus(Path path) throws IOException {
    meet("list", path);
    return Stream.of(super.listStatus(path))
        .filter(status -> !isYoung(status, LATE_LISTING))
        .map(FaultyFileSystem::withoutPermission)
        .toArray(FileStatus[]::new);
  }

  @Override
  public FileStatus getFileStatus(Path path) throws IOException {
    meet("look for", path);
    requireSeen(path);
    return withoutPermission(super.getFileStatus(path));
  }

  /** The local one starts a process to ask for it. */
  private static FileStatus withoutPermission(FileStatus status) {
    return new FileStatus(
        status.getLen(),
        status.isDirectory(),
        1,
        status.getBlockSize(),
        status.getModificationTime(),
        status.getPath());
  }

  @Override
  public void setPermission(Path path, FsPermission permission) {}
}
