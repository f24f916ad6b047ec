package org.cliffwatch.jobs.table;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.conf.HadoopParquetConfiguration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.ParquetFileWriter;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.api.ReadSupport;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.hadoop.example.GroupReadSupport;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.io.InputFile;

/**
 * One Parquet file, which a reader sees whole or not at all: written beside the tables and then
 * moved into place in one step, or on an object store, where a file appears when it is closed and a
 * rename is a copy, written in place. Equal rows and metadata give equal bytes.
 */
public final class RowFile {
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
    try {
      if (Storage.isObjectStore(path, configuration)) {
        write(path, ParquetFileWriter.Mode.OVERWRITE, columns, metadata, rows);
        return;
      }
      Path unfinished = new Path(staging, path.getName() + "." + UUID.randomUUID());
      try {
        write(unfinished, ParquetFileWriter.Mode.CREATE, columns, metadata, rows);
        Storage.replace(path, unfinished, configuration);
      } catch (IOException | RuntimeException e) {
        path.getFileSystem(configuration).delete(unfinished, false);
        throw e;
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write " + path + ": " + e.getMessage(), e);
    }
  }

  private <T extends Record> void write(
      Path file,
      ParquetFileWriter.Mode mode,
      Columns<T> columns,
      Map<String, String> metadata,
      Collection<T> rows)
      throws IOException {
    try (ParquetWriter<Group> writer =
        ExampleParquetWriter.builder(Storage.output(file, configuration))
            .withType(columns.parquetSchema())
            .withConf(configuration)
            .withExtraMetaData(new java.util.TreeMap<>(metadata))
            .withCompressionCodec(CompressionCodecName.ZSTD)
            .withWriteMode(mode)
            .build()) {
      for (T row : rows) {
        writer.write(columns.group(row));
      }
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
      throw new UncheckedIOException(
          path + ": cannot be read as a Parquet file of ours; move it away to have it made again",
          e instanceof IOException io ? io : new IOException(e));
    }
  }

  public boolean exists() {
    try {
      return path.getFileSystem(configuration).exists(path);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot look for " + path, e);
    }
  }

  public void delete() {
    try {
      path.getFileSystem(configuration).delete(path, false);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot delete " + path, e);
    }
  }

  public <T extends Record> List<T> read(Columns<T> columns) {
    List<T> rows = new ArrayList<>();
    try (ParquetReader<Group> reader =
        new GroupReader(HadoopInputFile.fromPath(path, configuration), configuration).build()) {
      for (Group group = reader.read(); group != null; group = reader.read()) {
        rows.add(columns.row(group));
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + path, e);
    }
    return rows;
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
