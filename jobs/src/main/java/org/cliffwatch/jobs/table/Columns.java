package org.cliffwatch.jobs.table;

import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroup;
import org.apache.parquet.schema.GroupType;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Type.Repetition;
import org.apache.parquet.schema.Types;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * A table's columns, taken from a Java record: component {@code itemsPerSecond} is column {@code
 * items_per_second}. Primitives are never null; boxed types, strings and lists may be.
 *
 * @param <T> components of type String, int, long, double, boolean, their boxes, or List of such a
 *     record
 */
public final class Columns<T extends Record> {
  private final Class<T> type;
  private final RecordComponent[] components;
  private final String[] names;
  private final Columns<?>[] elements;
  private final Constructor<T> constructor;
  private final MessageType parquetSchema;

  private Columns(Class<T> type) {
    this.type = type;
    this.components = type.getRecordComponents();
    this.names = Arrays.stream(components).map(c -> snakeCase(c.getName())).toArray(String[]::new);
    this.elements = new Columns<?>[components.length];
    for (int i = 0; i < components.length; i++) {
      if (components[i].getType() == List.class) {
        elements[i] = new Columns<>(elementType(components[i]));
      }
      components[i].getAccessor().setAccessible(true);
    }
    try {
      this.constructor =
          type.getDeclaredConstructor(
              Arrays.stream(components).map(RecordComponent::getType).toArray(Class[]::new));
      constructor.setAccessible(true);
    } catch (NoSuchMethodException e) {
      throw new IllegalArgumentException(type + " has no canonical constructor", e);
    }
    this.parquetSchema = new MessageType(snakeCase(type.getSimpleName()), fields());
  }

  public static <T extends Record> Columns<T> of(Class<T> type) {
    return new Columns<>(type);
  }

  MessageType parquetSchema() {
    return parquetSchema;
  }

  @SuppressWarnings("unchecked")
  private static Class<? extends Record> elementType(RecordComponent list) {
    Type element = ((ParameterizedType) list.getGenericType()).getActualTypeArguments()[0];
    return (Class<? extends Record>) element;
  }

  private static String snakeCase(String name) {
    return name.replaceAll("(?<=.)([A-Z])", "_$1").toLowerCase(Locale.ROOT);
  }

  private List<org.apache.parquet.schema.Type> fields() {
    List<org.apache.parquet.schema.Type> fields = new ArrayList<>();
    for (int i = 0; i < components.length; i++) {
      String name = names[i];
      if (elements[i] != null) {
        GroupType element = new GroupType(Repetition.REQUIRED, "element", elements[i].fields());
        fields.add(Types.optionalList().element(element).named(name));
        continue;
      }
      Class<?> javaType = components[i].getType();
      Repetition repetition = javaType.isPrimitive() ? Repetition.REQUIRED : Repetition.OPTIONAL;
      var builder = Types.primitive(primitive(javaType), repetition);
      fields.add(
          javaType == String.class
              ? builder.as(LogicalTypeAnnotation.stringType()).named(name)
              : builder.named(name));
    }
    return fields;
  }

  private static PrimitiveTypeName primitive(Class<?> javaType) {
    if (javaType == String.class) {
      return PrimitiveTypeName.BINARY;
    } else if (javaType == int.class || javaType == Integer.class) {
      return PrimitiveTypeName.INT32;
    } else if (javaType == long.class || javaType == Long.class) {
      return PrimitiveTypeName.INT64;
    } else if (javaType == double.class || javaType == Double.class) {
      return PrimitiveTypeName.DOUBLE;
    } else if (javaType == boolean.class || javaType == Boolean.class) {
      return PrimitiveTypeName.BOOLEAN;
    }
    throw new IllegalArgumentException("no column type for " + javaType);
  }

  /** The same columns as Spark sees them. */
  public StructType sparkSchema() {
    List<StructField> fields = new ArrayList<>();
    for (int i = 0; i < components.length; i++) {
      DataType column =
          elements[i] != null
              ? DataTypes.createArrayType(elements[i].sparkSchema(), false)
              : sparkType(components[i].getType());
      fields.add(
          DataTypes.createStructField(names[i], column, !components[i].getType().isPrimitive()));
    }
    return DataTypes.createStructType(fields);
  }

  private static DataType sparkType(Class<?> javaType) {
    return switch (primitive(javaType)) {
      case BINARY -> DataTypes.StringType;
      case INT32 -> DataTypes.IntegerType;
      case INT64 -> DataTypes.LongType;
      case DOUBLE -> DataTypes.DoubleType;
      default -> DataTypes.BooleanType;
    };
  }

  Group group(T row) {
    Group group = new SimpleGroup(parquetSchema);
    fill(group, row);
    return group;
  }

  private void fill(Group group, Object row) {
    for (int i = 0; i < components.length; i++) {
      Object value = value(row, components[i]);
      if (value == null) {
        continue;
      }
      if (elements[i] != null) {
        Group list = group.addGroup(i);
        for (Object element : (List<?>) value) {
          elements[i].fill(list.addGroup(0).addGroup(0), element);
        }
      } else if (value instanceof String text) {
        group.add(i, text);
      } else if (value instanceof Integer number) {
        group.add(i, number);
      } else if (value instanceof Long number) {
        group.add(i, number);
      } else if (value instanceof Double number) {
        group.add(i, number);
      } else {
        group.add(i, (boolean) value);
      }
    }
  }

  private static Object value(Object row, RecordComponent component) {
    try {
      return component.getAccessor().invoke(row);
    } catch (IllegalAccessException | InvocationTargetException e) {
      throw new IllegalStateException("cannot read " + component, e);
    }
  }

  /** A row of a file, perhaps an older one: columns it lacks are null, or zero where primitive. */
  T row(Group group) {
    Object[] values = new Object[components.length];
    for (int i = 0; i < components.length; i++) {
      int at =
          group.getType().containsField(names[i]) ? group.getType().getFieldIndex(names[i]) : -1;
      if (at >= 0 && group.getFieldRepetitionCount(at) > 0) {
        values[i] =
            elements[i] != null ? list(group.getGroup(at, 0), elements[i]) : scalar(group, i, at);
      } else if (components[i].getType().isPrimitive()) {
        values[i] = Array.get(Array.newInstance(components[i].getType(), 1), 0);
      }
    }
    try {
      return constructor.newInstance(values);
    } catch (InstantiationException | IllegalAccessException | InvocationTargetException e) {
      throw new IllegalStateException("cannot make a " + type, e);
    }
  }

  private static List<Object> list(Group list, Columns<?> element) {
    int size = list.getFieldRepetitionCount(0);
    List<Object> values = new ArrayList<>(size);
    for (int i = 0; i < size; i++) {
      values.add(element.row(list.getGroup(0, i).getGroup(0, 0)));
    }
    return values;
  }

  private Object scalar(Group group, int i, int at) {
    return switch (primitive(components[i].getType())) {
      case BINARY -> group.getString(at, 0);
      case INT32 -> group.getInteger(at, 0);
      case INT64 -> group.getLong(at, 0);
      case DOUBLE -> group.getDouble(at, 0);
      default -> group.getBoolean(at, 0);
    };
  }
}
