package org.cliffwatch.tasks.item;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.tasks.Sha256;
import org.cliffwatch.tasks.Shared;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.metric.ChoiceScore;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.MersenneTwister;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.metric.MetricState;
import org.cliffwatch.tasks.metric.OutputType;
import org.cliffwatch.tasks.prompt.PythonJson;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The requests of lm-evaluation-harness 0.3.0, against the hashes it committed: sha256 of {@code
 * json.dumps(requests)}, documents shuffled by {@code random.Random(42)}.
 */
@Tag("shared")
class PromptVersionZeroTest {
  private static final int SEED = 42;

  /** From tests/testdata of lm-evaluation-harness 0.3.0, as are the files of the golden folder. */
  @ParameterizedTest
  @CsvSource({
    "piqa, piqa, 6048a3a2bb3ad1e6a3d98139618e06b4d7de766edd685bd38837596199c3f69f",
    "winogrande, winogrande, 90a3eff49de9173964d46f5ed57bcf9a78a72dd1bfe0e5323b25cebb40b49ea9",
    "copa, copa, 66276b9045b5300cba4b81340db06f674f031fa0b8883714ad0d03be464cd799",
    "wsc273, wsc273, 26450d414c4581feb51a09882080e7a9b95882e7eab47b1751a4a6024b5a60ee",
    "wikitext, wikitext2, b6f83e6cf7535ee41b0057c3e2ec2cf7f2fa5a9119b305c479a83091d1142b2c",
  })
  void reproducesTheCommittedHash(String name, String folder, String sha256) {
    List<Item> items = shuffled(items(name, folder));
    ArrayNode requests = Shared.JSON.createArrayNode();
    for (Item item : items) {
      for (ItemRequest request : item.requests()) {
        ArrayNode pair = requests.addArray();
        if (Tasks.load(name).outputType() != OutputType.LOGLIKELIHOOD_ROLLING) {
          pair.add(request.context());
        }
        pair.add(request.continuation());
      }
    }
    assertThat(Sha256.of(PythonJson.compact(requests))).isEqualTo(sha256);
  }

  @ParameterizedTest
  @ValueSource(strings = {"piqa", "winogrande", "copa"})
  void givesTheCommittedResultsFromTheDummyScores(String name) throws IOException {
    String golden = "golden/lm-eval-v0.3.0/" + name;
    TaskDefinition task = Tasks.load(name);
    List<Item> items = items(name, name);
    List<ItemResult> results = new ArrayList<>();
    for (JsonNode row : Shared.jsonLines(golden + ".requests.jsonl.gz")) {
      Item item = items.get(row.get("doc").intValue());
      assertThat(item.gold()).isEqualTo(row.get("gold").intValue());
      List<ChoiceScore> choices = new ArrayList<>();
      for (int i = 0; i < item.requests().size(); i++) {
        ItemRequest request = item.requests().get(i);
        assertThat(request.context()).isEqualTo(row.get("requests").get(i).get(0).textValue());
        assertThat(request.continuation()).isEqualTo(row.get("requests").get(i).get(1).textValue());
        choices.add(request.scored(row.get("dummy_ll").get(i).doubleValue(), 1, false));
      }
      results.add(new ItemResult(task.outputType(), item.index(), item.gold(), choices));
    }
    assertThat(results).hasSameSizeAs(items);
    JsonNode committed =
        Shared.JSON
            .readTree(Files.readString(Shared.path(golden + "-v0-res.json")))
            .get("results")
            .get(name);
    for (Metric metric : List.of(Metric.ACC, Metric.ACC_NORM)) {
      if (committed.has(metric.toString())) {
        MetricState state = metric.over(results);
        assertThat(state.value()).isEqualTo(committed.get(metric.toString()).doubleValue());
        assertThat(state.stderr().orElseThrow())
            .isCloseTo(committed.get(metric + "_stderr").doubleValue(), within(1e-15));
      }
    }
  }

  private static List<Item> items(String name, String folder) {
    ItemSet set =
        ItemSet.read(
            Tasks.load(name),
            Shared.benchmark(folder),
            new LocalFiles(),
            PromptVersion.V0,
            ItemSet.ALL);
    assertThat(set.rejected()).isEmpty();
    return set.items();
  }

  /** {@code random.Random(42).shuffle(items)}. */
  private static List<Item> shuffled(List<Item> items) {
    List<Item> order = new ArrayList<>(items);
    MersenneTwister random = new MersenneTwister(SEED);
    for (int i = order.size() - 1; i > 0; i--) {
      int j = below(random, i + 1);
      Item swapped = order.get(i);
      order.set(i, order.get(j));
      order.set(j, swapped);
    }
    return order;
  }

  /** {@code _randbelow_with_getrandbits}: as many bits as the bound has, drawn until below it. */
  private static int below(MersenneTwister random, int bound) {
    int bits = Integer.SIZE - Integer.numberOfLeadingZeros(bound);
    int draw;
    do {
      draw = random.nextInt() >>> (Integer.SIZE - bits);
    } while (draw >= bound);
    return draw;
  }
}
