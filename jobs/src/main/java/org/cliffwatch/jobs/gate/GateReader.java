package org.cliffwatch.jobs.gate;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;
import org.cliffwatch.jobs.gate.Gate.Against;
import org.cliffwatch.jobs.gate.Gate.Kind;
import org.cliffwatch.jobs.gate.Gate.Rule;
import org.cliffwatch.jobs.gate.Gate.Undecided;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.Suite.CheckpointSeries;
import org.cliffwatch.jobs.suite.Suite.TaskData;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.jobs.suite.YamlValue;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.tasks.metric.Metric;

/** Reads gates ({@code conf/gates}). Unknown keys, names and wrong types are errors. */
public final class GateReader {
  private static final List<String> KEYS =
      List.of("name", "alpha", "power", "expected_flips", "rules");
  private static final List<String> OF_ALL =
      List.of("rule", "name", "level", "models", "precisions", "tasks");
  private static final List<String> OF_TESTS = List.of("margin", "detect", "inconclusive");

  private static final double ALPHA = 0.05;
  private static final double POWER = 0.8;
  private static final double EXPECTED_FLIPS_PERCENT = 2;
  private static final double TREND_ALPHA = 0.01;
  private static final int TREND_RUNS = 30;
  private static final int MOST_RUNS = 1000;

  private final Suite suite;

  /**
   * @param suite whose names rules may use
   */
  public GateReader(Suite suite) {
    this.suite = suite;
  }

  /**
   * @param origin the file, for messages
   * @throws SuiteException naming file and line
   */
  public Gate read(String text, String origin) {
    YamlValue root = YamlValue.parse(text, origin);
    root.allowOnly(KEYS);
    List<YamlValue> list = root.required("rules").list();
    if (list.isEmpty()) {
      throw root.required("rules").wrong("at least one rule");
    }
    List<Rule> rules = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (YamlValue value : list) {
      Rule rule = rule(value);
      if (!names.add(rule.name())) {
        throw value.wrong(
            "a 'name' that no other rule has; '" + rule.name() + "' is there already");
      }
      rules.add(rule);
    }
    YamlValue name = root.field("name");
    return new Gate(
        name == null
            ? origin.substring(origin.lastIndexOf('/') + 1).replaceAll("\\.ya?ml$", "")
            : name.text(),
        origin,
        probability(root, "alpha", ALPHA),
        probability(root, "power", POWER),
        number(root, "expected_flips", EXPECTED_FLIPS_PERCENT, 100) / 100,
        rules);
  }

  private Rule rule(YamlValue value) {
    List<String> kinds = Stream.of(Kind.values()).map(Kind::toString).toList();
    Kind kind = Kind.valueOf(upper(value.required("rule").oneOf(kinds)));
    value.allowOnly(keys(kind));
    boolean tested = kind != Kind.MISSING && kind != Kind.REPRODUCTION;
    double margin =
        tested ? value.required("margin").number(0, kind == Kind.SPEED ? 1 : Double.MAX_VALUE) : 0;
    if (kind == Kind.SPEED && margin == 0) {
      throw value.required("margin").wrong("the least acceptable ratio of speeds, above 0");
    }
    Against against =
        value.field("against") == null
            ? kind == Kind.FLIPS || kind == Kind.KL ? Against.BASELINE : Against.ACCEPTED
            : Against.valueOf(upper(value.field("against").oneOf(List.of("accepted", "baseline"))));
    if (kind == Kind.KL && !suite.kl()) {
      throw value
          .required("rule")
          .wrong("no such rule, or a suite with kl: true, which " + suite.origin() + " has not");
    }
    return new Rule(
        value.field("name") == null ? kind.toString() : value.field("name").text(),
        kind,
        metric(value, kind),
        against,
        choice(value, "over", "task", "mean").equals("mean"),
        choice(value, "unit", "abs_pp", "rel_pct").equals("rel_pct"),
        margin,
        detect(value, kind, margin),
        kind == Kind.TREND ? probability(value, "alpha", TREND_ALPHA) : Double.NaN,
        value.field("runs") == null ? TREND_RUNS : (int) value.field("runs").integer(2, MOST_RUNS),
        value.field("allowed") == null
            ? 0
            : (int) value.field("allowed").integer(0, Integer.MAX_VALUE),
        choice(value, "level", "error", "warn").equals("error"),
        Undecided.valueOf(upper(choice(value, "inconclusive", "inconclusive", "pass", "fail"))),
        choice(value, "new_cells", "incomparable", "pass").equals("pass"),
        names(value, "models", suite.checkpoints().stream().map(CheckpointSeries::model).toList()),
        names(value, "precisions", suite.precisions().stream().map(Precision::name).toList()),
        names(value, "tasks", suite.tasks().stream().map(TaskData::task).toList()));
  }

  private static List<String> keys(Kind kind) {
    List<String> own =
        switch (kind) {
          case NON_INFERIORITY -> List.of("metric", "against", "over", "unit", "new_cells");
          case STEP_DRIFT -> List.of("metric", "over");
          case TREND -> List.of("metric", "over", "runs", "alpha");
          case FLIPS -> List.of("metric", "against", "over", "new_cells");
          case KL -> List.of("over");
          case SPEED, REPRODUCTION -> List.of();
          case MISSING -> List.of("allowed");
        };
    boolean tested = kind != Kind.MISSING && kind != Kind.REPRODUCTION;
    return Stream.of(OF_ALL, tested ? OF_TESTS : List.<String>of(), own)
        .flatMap(List::stream)
        .toList();
  }

  private static Metric metric(YamlValue value, Kind kind) {
    if (kind == Kind.KL) {
      return Metric.KL;
    }
    if (kind == Kind.SPEED || kind == Kind.MISSING || kind == Kind.REPRODUCTION) {
      return null;
    }
    if (value.field("metric") == null) {
      return Metric.ACC;
    }
    Metric metric = Metric.named(value.field("metric").oneOf(Metric.names())).orElseThrow();
    if (kind == Kind.FLIPS && !metric.isAccuracy()) {
      throw value.field("metric").wrong("acc, acc_norm or acc_bytes: answers that can turn");
    }
    return metric;
  }

  /** By default twice the margin: an effect that is as far beyond it as it is wide. */
  private static double detect(YamlValue value, Kind kind, double margin) {
    if (value.field("detect") == null) {
      return kind == Kind.SPEED ? margin * margin : 2 * margin;
    }
    boolean speed = kind == Kind.SPEED;
    double detect = value.field("detect").number(0, speed ? 1 : Double.MAX_VALUE);
    if (speed ? detect >= margin : detect <= margin) {
      throw value
          .field("detect")
          .wrong("a number " + (speed ? "below" : "above") + " the margin, which is " + margin);
    }
    return detect;
  }

  private static String upper(String name) {
    return name.toUpperCase(Locale.ROOT);
  }

  private static String choice(YamlValue value, String key, String... known) {
    return value.field(key) == null ? known[0] : value.field(key).oneOf(List.of(known));
  }

  private static double number(YamlValue value, String key, double otherwise, double most) {
    return value.field(key) == null ? otherwise : value.field(key).number(0, most);
  }

  private static double probability(YamlValue value, String key, double otherwise) {
    double p = number(value, key, otherwise, 1);
    if (p == 0 || p == 1) {
      throw value.field(key).wrong("a number between 0 and 1, neither of them");
    }
    return p;
  }

  private static Set<String> names(YamlValue value, String key, Collection<String> known) {
    Set<String> names = new LinkedHashSet<>();
    if (value.field(key) != null) {
      value.field(key).list().forEach(name -> names.add(name.oneOf(known)));
    }
    return names;
  }
}
