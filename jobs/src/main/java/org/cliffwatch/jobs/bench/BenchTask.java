package org.cliffwatch.jobs.bench;

import java.util.List;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.item.Item;
import org.cliffwatch.tasks.item.ItemSet;
import org.cliffwatch.tasks.item.LocalFiles;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** A task and its data, as given to {@code --task}. */
record BenchTask(String name, String data) {
  static final class Converter implements ITypeConverter<BenchTask> {
    @Override
    public BenchTask convert(String value) {
      int equals = value.indexOf('=');
      if (equals <= 0) {
        throw new TypeConversionException("found '" + value + "', expected NAME=DATA");
      }
      return new BenchTask(value.substring(0, equals), value.substring(equals + 1));
    }
  }

  List<Item> items(int limit) {
    return ItemSet.read(Tasks.load(name), data, new LocalFiles(), PromptVersion.V1, limit).items();
  }
}
