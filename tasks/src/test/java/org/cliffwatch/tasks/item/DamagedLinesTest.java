package org.cliffwatch.tasks.item;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.Tasks;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Ten thousand damaged lines between whole ones: each an error, none a crash or a wrong item. */
class DamagedLinesTest {
  private static final long SEED = 20_261_123;
  private static final int LINES = 20_000;

  @TempDir Path folder;

  /** Damage that leaves no valid item; what lies within a text cannot be told from the text. */
  private enum Damage {
    TRUNCATED {
      @Override
      byte[] to(byte[] line, Random random) {
        return java.util.Arrays.copyOf(line, 1 + random.nextInt(line.length - 1));
      }
    },
    NOT_UTF_8 {
      @Override
      byte[] to(byte[] line, Random random) {
        line[random.nextInt(line.length)] = (byte) (0xf8 + random.nextInt(8));
        return line;
      }
    },
    CONTROL_CHARACTER {
      @Override
      byte[] to(byte[] line, Random random) {
        byte[] longer = new byte[line.length + 1];
        int at = 1 + random.nextInt(line.length - 1);
        System.arraycopy(line, 0, longer, 0, at);
        longer[at] = (byte) (1 + random.nextInt(8));
        System.arraycopy(line, at, longer, at + 1, line.length - at);
        return longer;
      }
    },
    FIELD_RENAMED {
      @Override
      byte[] to(byte[] line, Random random) {
        return replace(line, "\"" + field(random) + "\":", "\"x\":");
      }
    },
    FIELD_TWICE {
      @Override
      byte[] to(byte[] line, Random random) {
        return replace(line, "{", "{\"" + field(random) + "\": \"\", ");
      }
    },
    WRONG_TYPE {
      @Override
      byte[] to(byte[] line, Random random) {
        String[] values = {"null", "[]", "{}", "true", "1.5", "99999999999", "-1"};
        return replace(
            line,
            "\"" + field(random) + "\":",
            "\"ignored\": 0, \"label\": " + values[random.nextInt(values.length)] + ", \"y\":");
      }
    },
    SHUFFLED_TAIL {
      @Override
      byte[] to(byte[] line, Random random) {
        byte[] twice = java.util.Arrays.copyOf(line, line.length + 2);
        twice[line.length] = ' ';
        twice[line.length + 1] = "}],:\"0".getBytes(StandardCharsets.UTF_8)[random.nextInt(6)];
        return twice;
      }
    },
    ANSWER_OUT_OF_RANGE {
      @Override
      byte[] to(byte[] line, Random random) {
        return replace(
            replace(line, "\"label\": 0", "\"label\": 2"), "\"label\": 1", "\"label\": 2");
      }
    };

    abstract byte[] to(byte[] line, Random random);

    private static String field(Random random) {
      return List.of("goal", "sol1", "sol2", "label").get(random.nextInt(4));
    }

    private static byte[] replace(byte[] line, String from, String to) {
      return new String(line, StandardCharsets.UTF_8)
          .replaceFirst(
              java.util.regex.Pattern.quote(from), java.util.regex.Matcher.quoteReplacement(to))
          .getBytes(StandardCharsets.UTF_8);
    }
  }

  @Test
  void everyDamagedLineIsAnErrorAndEveryWholeLineItsItem() throws IOException {
    Random random = new Random(SEED);
    ByteArrayOutputStream whole = new ByteArrayOutputStream();
    ByteArrayOutputStream mixed = new ByteArrayOutputStream();
    List<Damage> damages = new ArrayList<>();
    for (int i = 0; i < LINES; i++) {
      byte[] line = line(i, random);
      whole.write(line);
      whole.write('\n');
      Damage damage = i % 2 == 0 ? null : Damage.values()[random.nextInt(Damage.values().length)];
      damages.add(damage);
      mixed.write(damage == null ? line : damage.to(line.clone(), random));
      mixed.write('\n');
    }
    // The last line stays: blank lines that end a file are no records.
    byte[] last = line(LINES, random);
    whole.write(last);
    mixed.write(last);

    List<ItemRecord> expected = read(whole, "whole.jsonl");
    List<ItemRecord> records = read(mixed, "mixed.jsonl");
    assertThat(records).hasSameSizeAs(expected).hasSize(LINES + 1);
    for (int i = 0; i < LINES; i++) {
      assertThat(expected.get(i)).isInstanceOf(Item.class);
      if (damages.get(i) == null) {
        assertThat(records.get(i)).isEqualTo(expected.get(i));
      } else {
        assertThat(records.get(i))
            .as("line %d, %s, seed %d", i + 1, damages.get(i), SEED)
            .isInstanceOf(RejectedItem.class);
        RejectedItem rejected = (RejectedItem) records.get(i);
        assertThat(rejected.place()).isEqualTo("line " + (i + 1));
        assertThat(rejected.reason()).isNotBlank();
      }
    }
  }

  private List<ItemRecord> read(ByteArrayOutputStream bytes, String name) throws IOException {
    Path file = Files.write(folder.resolve(name), bytes.toByteArray());
    return ItemSet.read(
            Tasks.load("piqa"), file.toString(), new LocalFiles(), PromptVersion.V1, ItemSet.ALL)
        .records();
  }

  private static byte[] line(int i, Random random) {
    return ("{\"goal\": \""
            + text(random)
            + "\", \"sol1\": \""
            + text(random)
            + "\", \"sol2\": \""
            + text(random)
            + "\", \"label\": "
            + i % 2
            + "}")
        .getBytes(StandardCharsets.UTF_8);
  }

  private static String text(Random random) {
    String[] words = {
      "a", "caf\u00e9", "\ud83d\ude00", "\u00a0", "e\u0301", "\\n", "\\\"q\\\"", "\u0130", ","
    };
    StringBuilder text = new StringBuilder();
    for (int i = random.nextInt(6); i >= 0; i--) {
      text.append(words[random.nextInt(words.length)]).append(' ');
    }
    return text.toString();
  }
}
