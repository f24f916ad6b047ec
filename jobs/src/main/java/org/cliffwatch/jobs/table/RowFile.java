package org.cliffwatch.jobs.table;

import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.conf.HadoopParquetConfiguration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.api.ReadSupport;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.hadoop.example.GroupReadSupport;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.io.InputFile;
import org.apache.parquet.io.OutputFile;
import org.apache.parquet.io.PositionOutputStream;

/**
 * One Parquet file, which a reader sees whole or not at all. Equal rows and metadata give equal
 * bytes.
 */
public final class RowFile {
  /** Pauses after each look for a file that must be there. */
  private static final long[] LOOKS_MILLIS = {200, 1_000, 4_000};

  private final Path path;
  private final Configuration configuration;

  public RowFile(Path path, Configuration configuration) {
    this.path = path;
    this.configuration = configuration;
  }

  public Path path() {
    return path;
  }

  /**
   * Replaces the file.
   *
   * @param staging a folder on the same file system, outside every table
   * @param metadata kept in the footer
   */
  public <T extends Record> void write(
      Path staging, Columns<T> columns, Map<String, String> metadata, Collection<T> rows) {
    write(staging, columns, metadata, rows, List.of());
  }

  /**
   * As {@link #write(Path, Columns, Map, Collection)}, in the place of other files.
   *
   * @param superseded gone before this file is seen
   */
  public <T extends Record> void write(
      Path staging,
      Columns<T> columns,
      Map<String, String> metadata,
      Collection<T> rows,
      Collection<RowFile> superseded) {
    try {
      Storage.put(
          path,
          bytes(columns, metadata, rows),
          staging,
          superseded.stream().map(RowFile::path).toList(),
          configuration);
    } catch (IOException e) {
      throw new StorageException("cannot write " + path, e);
    }
  }

  /** Made in memory, where nothing fails half way: what then goes to storage is whole. */
  private <T extends Record> byte[] bytes(
      Columns<T> columns, Map<String, String> metadata, Collection<T> rows) throws IOException {
    Memory memory = new Memory();
    try (ParquetWriter<Group> writer =
        ExampleParquetWriter.builder(memory)
            .withType(columns.parquetSchema())
            .withConf(configuration)
            .withExtraMetaData(new TreeMap<>(metadata))
            .withCompressionCodec(CompressionCodecName.ZSTD)
            .build()) {
      for (T row : rows) {
        writer.write(columns.group(row));
      }
    }
    return memory.bytes.toByteArray();
  }

  private static final class Memory implements OutputFile {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    @Override
    public PositionOutputStream create(long blockSizeHint) {
      return new PositionOutputStream() {
        @Override
        public long getPos() {
          return bytes.size();
        }

        @Override
        public void write(int b) {
          bytes.write(b);
        }

        @Override
        public void write(byte[] from, int offset, int length) {
          bytes.write(from, offset, length);
        }
      };
    }

    @Override
    public PositionOutputStream createOrOverwrite(long blockSizeHint) {
      return create(blockSizeHint);
    }

    @Override
    public boolean supportsBlockSize() {
      return false;
    }

    @Override
    public long defaultBlockSize() {
      return 0;
    }
  }

  /** The footer's metadata, or nothing where there is no such file. */
  public Optional<Map<String, String>> metadata() {
    try (ParquetFileReader reader =
        ParquetFileReader.open(HadoopInputFile.fromPath(path, configuration))) {
      return Optional.of(reader.getFooter().getFileMetaData().getKeyValueMetaData());
    } catch (FileNotFoundException e) {
      return Optional.empty();
    } catch (IOException | RuntimeException e) {
      throw unreadable(e);
    }
  }

  private StorageException unreadable(Exception e) {
    return new StorageException(
        path + ": cannot be read as a Parquet file of ours; move it away to have it made again",
        e instanceof IOException io ? io : new IOException(e.getMessage(), e));
  }

  public boolean exists() {
    try {
      return path.getFileSystem(configuration).exists(path);
    } catch (IOException e) {
      throw new StorageException("cannot look for " + path, e);
    }
  }

  public void delete() {
    try {
      path.getFileSystem(configuration).delete(path, false);
    } catch (IOException e) {
      throw new StorageException("cannot delete " + path, e);
    }
  }

  public <T extends Record> List<T> read(Columns<T> columns) {
    List<T> rows = new ArrayList<>();
    try (ParquetReader<Group> reader =
        new GroupReader(HadoopInputFile.fromPath(path, configuration), configuration).build()) {
      for (Group group = reader.read(); group != null; group = reader.read()) {
        rows.add(columns.row(group));
      }
    } catch (FileNotFoundException e) {
      throw new StorageException("cannot read " + path, e);
    } catch (IOException | RuntimeException e) {
      throw unreadable(e);
    }
    return rows;
  }

  /** Reads a file that is known to be there: some object stores show a new one late. */
  public <T extends Record> List<T> readCommitted(Columns<T> columns) {
    for (long pause : LOOKS_MILLIS) {
      try {
        return read(columns);
      } catch (StorageException e) {
        if (!(e.getCause() instanceof FileNotFoundException)) {
          throw e;
        }
        try {
          Thread.sleep(pause);
        } catch (InterruptedException interrupted) {
          Thread.currentThread().interrupt();
          throw e;
        }
      }
    }
    return read(columns);
  }

  /**
   * Takes the configuration there is; ParquetReader.builder first loads another one from its files.
   */
  private static final class GroupReader extends ParquetReader.Builder<Group> {
    GroupReader(InputFile file, Configuration configuration) {
      super(file, new HadoopParquetConfiguration(configuration));
    }

    @Override
    protected ReadSupport<Group> getReadSupport() {
      return new GroupReadSupport();
    }
  }
}
