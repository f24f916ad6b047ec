package org.cliffwatch.quantizer.scheme;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.FloatType;

/** The rows of a precisions file, by name and in the file's order. */
public final class Precisions {
  private static final String PACKAGED = "/conf/precisions.yaml";
  private static final List<String> KEYS =
      List.of("scheme", "weight_bits", "activation_bits", "compute");

  private static final Pattern SCHEME = Pattern.compile("[a-zA-Z][a-zA-Z0-9+.-]*:");

  private final String file;
  private final Map<String, Precision> rows;

  private Precisions(String file, Map<String, Precision> rows) {
    this.file = file;
    this.rows = rows;
  }

  /**
   * @param folder what paths in the rows are relative to, or null
   */
  private static Precisions of(String file, Path folder, JsonNode root) {
    if (!root.isObject()) {
      throw new InvalidInputException(file + ": expected a mapping of precision names to rows");
    }
    Map<String, Precision> rows = new LinkedHashMap<>();
    root.properties()
        .forEach(
            row -> {
              Map<String, String> keys = new LinkedHashMap<>();
              row.getValue()
                  .properties()
                  .forEach(
                      key -> {
                        if (!key.getValue().isValueNode()) {
                          throw new InvalidInputException(
                              "%s: precision %s: %s: found %s, expected a single value"
                                  .formatted(file, row.getKey(), key.getKey(), key.getValue()));
                        }
                        keys.put(key.getKey(), key.getValue().asText());
                      });
              keys.computeIfPresent(Calibration.TEXT, (key, text) -> resolved(text, folder));
              rows.put(row.getKey(), row(file, row.getKey(), keys));
            });
    return new Precisions(file, rows);
  }

  /** {@code conf/precisions.yaml} as it was when this jar was built. */
  public static Precisions packaged() {
    try (InputStream in = Precisions.class.getResourceAsStream(PACKAGED)) {
      if (in == null) {
        throw new IllegalStateException(PACKAGED + " is not on the class path");
      }
      return of("conf/precisions.yaml", null, parse("conf/precisions.yaml", in));
    } catch (IOException e) {
      throw new IllegalStateException("cannot read " + PACKAGED, e);
    }
  }

  /** The packaged rows, and those of a file of the same form if there is one. */
  public static Precisions packagedAnd(Path path) {
    Precisions all = packaged();
    return path == null ? all : all.and(load(path));
  }

  /** Reads a file of the same form. */
  public static Precisions load(Path path) {
    try (InputStream in = Files.newInputStream(path)) {
      Path folder = path.toAbsolutePath().getParent();
      return of(path.toString(), folder, parse(path.toString(), in));
    } catch (NoSuchFileException e) {
      throw new InvalidInputException(path + ": no such file; expected a precisions file");
    } catch (IOException e) {
      throw new InvalidInputException(path + ": cannot be read: " + e.getMessage());
    }
  }

  /** A path as seen from the file that holds it; what has a scheme is left. */
  private static String resolved(String path, Path folder) {
    return folder == null || SCHEME.matcher(path).lookingAt()
        ? path
        : folder.resolve(path).normalize().toString();
  }

  /**
   * These rows and others. What a name stands for does not change: a row by a name that is here
   * already must be the same.
   */
  public Precisions and(Precisions others) {
    Map<String, Precision> all = new LinkedHashMap<>(rows);
    others.rows.forEach((name, row) -> all.put(name, added(others.file, row)));
    return new Precisions(file + ", " + others.file, all);
  }

  /**
   * A row beside these, as {@link #and} takes it.
   *
   * @param place where it stands, for messages
   * @param keys of the row and what they are set to
   */
  public Precision added(String place, String name, Map<String, String> keys) {
    return added(place, row(place, name, keys));
  }

  private Precision added(String place, Precision row) {
    Precision known = rows.get(row.name());
    if (known != null && !known.equals(row)) {
      throw new InvalidInputException(
          "%s: precision %s: found another row than that of %s, expected the same or another name"
              .formatted(place, row.name(), file));
    }
    return row;
  }

  private static JsonNode parse(String file, InputStream in) throws IOException {
    try {
      YAMLMapper mapper = new YAMLMapper(new YAMLFactory());
      mapper.enable(com.fasterxml.jackson.core.JsonParser.Feature.STRICT_DUPLICATE_DETECTION);
      return mapper.readTree(in);
    } catch (com.fasterxml.jackson.core.JsonProcessingException e) {
      throw new InvalidInputException(
          "%s: line %s: %s"
              .formatted(
                  file,
                  e.getLocation() == null ? 0 : e.getLocation().getLineNr(),
                  e.getOriginalMessage()));
    }
  }

  /** The row of that name; an unknown one is refused with the nearest known. */
  public Precision named(String name) {
    Precision precision = rows.get(name);
    if (precision == null) {
      String nearest =
          rows.keySet().stream()
              .min(Comparator.comparingInt(known -> distance(known, name)))
              .orElse("");
      throw new InvalidInputException(
          "%s: unknown precision '%s'; did you mean '%s'? There are: %s"
              .formatted(file, name, nearest, String.join(", ", rows.keySet())));
    }
    return precision;
  }

  public List<String> names() {
    return List.copyOf(rows.keySet());
  }

  private static Precision row(String place, String name, Map<String, String> keys) {
    for (String key : KEYS) {
      if (!keys.containsKey(key)) {
        throw new InvalidInputException(
            "%s: precision %s: key '%s' is missing; expected %s"
                .formatted(place, name, key, String.join(", ", KEYS)));
      }
    }
    Map<String, String> options = new LinkedHashMap<>(keys);
    options.keySet().removeAll(KEYS);
    Precision precision =
        new Precision(
            name,
            keys.get("scheme"),
            bits(place, name, "weight_bits", keys),
            bits(place, name, "activation_bits", keys),
            compute(place, name, keys.get("compute")),
            options);
    try {
      Schemes.of(precision).check(precision);
    } catch (InvalidInputException e) {
      throw new InvalidInputException(place + ": " + e.getMessage());
    }
    return precision;
  }

  private static int bits(String place, String name, String key, Map<String, String> keys) {
    try {
      return Integer.parseInt(keys.get(key));
    } catch (NumberFormatException e) {
      throw new InvalidInputException(
          "%s: precision %s: %s: found %s, expected a number of bits"
              .formatted(place, name, key, keys.get(key)));
    }
  }

  private static FloatType compute(String place, String name, String spelled) {
    for (FloatType type : FloatType.values()) {
      if (spelled(type).equals(spelled)) {
        return type;
      }
    }
    throw new InvalidInputException(
        "%s: precision %s: compute: found '%s', expected float32, bfloat16 or float16"
            .formatted(place, name, spelled));
  }

  static String spelled(FloatType type) {
    return type.name().toLowerCase(Locale.ROOT);
  }

  /** Levenshtein's edit distance. */
  private static int distance(String a, String b) {
    List<Integer> above = new ArrayList<>();
    for (int j = 0; j <= b.length(); j++) {
      above.add(j);
    }
    for (int i = 1; i <= a.length(); i++) {
      List<Integer> row = new ArrayList<>(List.of(i));
      for (int j = 1; j <= b.length(); j++) {
        int replaced = above.get(j - 1) + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        row.add(Math.min(replaced, Math.min(above.get(j), row.get(j - 1)) + 1));
      }
      above = row;
    }
    return above.get(b.length());
  }
}
