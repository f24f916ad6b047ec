package org.cliffwatch.quantizer.stored;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.JsonDamage;
import org.cliffwatch.quantizer.checkpoint.TestTensor;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.model.Decoder;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Quantized checkpoints that lack something, or hold what cannot be: refused, never misread. */
class DamagedStoredTest {
  private static final long SEED = Long.getLong("cliffwatch.damage.seed", 20_261_127);
  private static final int CONFIGURATIONS = 100;
  private static final int DATA = 20;
  private static final ObjectMapper JSON = new ObjectMapper();

  /** What may be missing: nothing is known by it that is not known without. */
  private static final List<String> OPTIONAL = List.of("g_idx", "weight_format");

  @TempDir Path folder;

  private final Map<String, TestTensor> tensors = new LinkedHashMap<>();
  private ObjectNode config;

  static Stream<String> names() {
    return Stream.of(StoredGolden.NAMES);
  }

  @ParameterizedTest
  @MethodSource("names")
  void everyTensorOfALayerIsRequired(String name) throws IOException {
    read(name);
    for (String tensor : layer()) {
      String suffix = tensor.substring(StoredGolden.LAYER.length() + 1);
      if (OPTIONAL.contains(suffix) && !name.equals("gptq-4-order")) {
        continue;
      }
      TestTensor removed = tensors.remove(tensor);
      assertThatThrownBy(this::inventory)
          .as(tensor)
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining(StoredGolden.LAYER);
      tensors.put(tensor, removed);
    }
  }

  @ParameterizedTest
  @MethodSource("names")
  void everyShapeAndTypeIsChecked(String name) throws IOException {
    read(name);
    for (String tensor : layer()) {
      TestTensor right = tensors.get(tensor);
      long elements = LongStream.of(right.shape()).reduce(1, (a, b) -> a * b);
      // The text of a quantization state has whatever length it has.
      if (elements > 1 && !tensor.contains("quant_state")) {
        for (long[] shape : new long[][] {{elements, 1, 1}, {1, 1, elements}}) {
          tensors.put(tensor, new TestTensor(right.dtype(), shape, right.bytes()));
          assertThatThrownBy(this::inventory)
              .as(tensor)
              .isInstanceOf(InvalidInputException.class)
              .hasMessageContaining(tensor);
        }
        TestTensor cut =
            new TestTensor(
                right.dtype(),
                first(right.shape(), 1),
                Arrays.copyOf(right.bytes(), (int) (right.bytes().length / right.shape()[0])));
        tensors.put(tensor, cut);
        if (right.shape()[0] > 1) {
          assertThatThrownBy(this::inventory).as(tensor).isInstanceOf(InvalidInputException.class);
        }
      }
      String other =
          switch (right.dtype()) {
            case "I32", "F32" -> "U32";
            case "I64" -> "U64";
            case "F16", "BF16" -> "U16";
            default -> "BOOL";
          };
      tensors.put(tensor, new TestTensor(other, right.shape(), right.bytes()));
      assertThatThrownBy(this::inventory)
          .as(tensor)
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining(tensor)
          .hasMessageContaining(other);
      tensors.put(tensor, right);
    }
  }

  private static long[] first(long[] shape, long first) {
    long[] cut = shape.clone();
    cut[0] = first;
    return cut;
  }

  @ParameterizedTest
  @MethodSource("names")
  void damagedConfigurationsAreRefusedOrRead(String name) throws IOException {
    Random random = new Random(SEED);
    for (int i = 0; i < CONFIGURATIONS; i++) {
      read(name);
      JsonDamage.edit(config.get("quantization_config"), random);
      String text = config.toString();
      try {
        inventory();
      } catch (InvalidInputException e) {
        assertThat(e.getMessage()).as(text).isNotBlank();
      }
    }
  }

  /** Whatever bytes a layer is made of, it is refused, or scores are what they say. */
  @ParameterizedTest
  @MethodSource("names")
  void damagedDataIsRefusedOrComputed(String name) throws IOException {
    Random random = new Random(SEED);
    for (int i = 0; i < DATA; i++) {
      read(name);
      List<String> layer = layer();
      TestTensor entry = tensors.get(layer.get(random.nextInt(layer.size())));
      for (int k = 0; k <= random.nextInt(8); k++) {
        entry.bytes()[random.nextInt(entry.bytes().length)] = (byte) random.nextInt();
      }
      for (String precision : List.of("stored", "w8a8")) {
        try {
          logits(precision);
        } catch (InvalidInputException e) {
          assertThat(e.getMessage()).isNotBlank();
        }
      }
    }
  }

  @Test
  void scalesMustBeFinite() throws IOException {
    for (String name : List.of("gptq-4", "awq", "ct-w4a16", "ct-w8a8", "fp8-block", "bnb-fp4")) {
      read(name);
      String tensor =
          layer().stream().filter(t -> t.matches(".*(scale.*|absmax)")).findFirst().orElseThrow();
      TestTensor entry = tensors.get(tensor);
      // The upper half of the last element: NaN in every type of scale.
      entry.bytes()[entry.bytes().length - 1] = (byte) 0x7f;
      entry.bytes()[entry.bytes().length - 2] = (byte) 0xff;
      assertThatThrownBy(() -> logits("stored"))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining(tensor)
          .hasMessageContaining("NaN");
    }
  }

  @Test
  void groupsAndZeroPointsMustBeInRange() throws IOException {
    read("gptq-4-order");
    tensors.get(StoredGolden.LAYER + ".g_idx").bytes()[0] = 99;
    assertThatThrownBy(() -> logits("stored"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("g_idx: input 0: found group 99, expected 0 to 2");

    read("gptq-4");
    tensors.get(StoredGolden.LAYER + ".qzeros").bytes()[0] = (byte) 0xff;
    assertThatThrownBy(() -> logits("stored"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("qzeros: group 0, output 0: found zero point 16, expected 0 to 15");

    read("fp8-block");
    tensors.get(StoredGolden.LAYER + ".weight").bytes()[5] = 0x7f;
    assertThatThrownBy(() -> logits("stored"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("weight: element 5 is NaN");

    read("ct-mxfp4");
    tensors.get(StoredGolden.LAYER + ".weight_scale").bytes()[1] = (byte) 0xff;
    assertThatThrownBy(() -> logits("stored"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("weight_scale: element 1: found 255");

    read("ct-w4a16");
    tensors.get(StoredGolden.LAYER + ".weight_shape").bytes()[0] = 63;
    assertThatThrownBy(this::inventory)
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("weight_shape: found (63, 96), expected (64, 96)");
  }

  @Test
  void whatIsNotImplementedIsNamed() throws IOException {
    read("gptq-4");
    ObjectNode quantization = (ObjectNode) config.get("quantization_config");
    quantization.put("quant_method", "hqq");
    assertThatThrownBy(this::inventory)
        .hasMessageContaining("\"quantization_config.quant_method\"")
        .hasMessageContaining("\"hqq\"");
    quantization.put("quant_method", "gptq").put("bits", 5);
    assertThatThrownBy(this::inventory).hasMessageContaining("expected 2, 3, 4 or 8");

    read("awq");
    ((ObjectNode) config.get("quantization_config")).put("version", "gemv").put("format", "gemv");
    assertThatThrownBy(this::inventory).hasMessageContaining("expected gemm");

    read("ct-w8a8");
    ((ObjectNode) config.at("/quantization_config/config_groups/group_0/input_activations"))
        .put("strategy", "tensor");
    assertThatThrownBy(this::inventory).hasMessageContaining("all rows of a batch");

    read("ct-mxfp4");
    ((ObjectNode) config.at("/quantization_config/config_groups/group_0/input_activations"))
        .put("num_bits", 8);
    assertThatThrownBy(this::inventory)
        .hasMessageContaining("input_activations.num_bits")
        .hasMessageContaining(
            "found 8, which is not implemented; expected 4-bit floats for MX inputs");
  }

  private void read(String name) throws IOException {
    Path golden = StoredGolden.folder(name);
    config = (ObjectNode) JSON.readTree(golden.resolve("config.json").toFile());
    tensors.clear();
    ByteBuffer all =
        ByteBuffer.wrap(Files.readAllBytes(golden.resolve("model.safetensors")))
            .order(ByteOrder.LITTLE_ENDIAN);
    int length = (int) all.getLong();
    JsonNode header = JSON.readTree(all.array(), 8, length);
    header
        .properties()
        .forEach(
            field -> {
              if (!field.getKey().equals("__metadata__")) {
                JsonNode tensor = field.getValue();
                int from = tensor.at("/data_offsets/0").intValue();
                int to = tensor.at("/data_offsets/1").intValue();
                long[] shape = JSON.convertValue(tensor.get("shape"), long[].class);
                byte[] bytes = Arrays.copyOfRange(all.array(), 8 + length + from, 8 + length + to);
                tensors.put(
                    field.getKey(), new TestTensor(tensor.get("dtype").asText(), shape, bytes));
              }
            });
  }

  private List<String> layer() {
    return tensors.keySet().stream().filter(n -> n.startsWith(StoredGolden.LAYER + ".")).toList();
  }

  private void write() throws IOException {
    JSON.writeValue(folder.resolve("config.json").toFile(), config);
    TestTensor.write(folder.resolve("model.safetensors"), tensors);
  }

  private void inventory() throws IOException {
    write();
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      Inventory.of(checkpoint);
    }
  }

  private float[] logits(String precision) throws IOException {
    write();
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        Decoder decoder =
            new Decoder(
                Inventory.of(checkpoint),
                Precisions.packaged().named(precision),
                Backends.open("onednn"))) {
      return decoder.logits(new int[] {1, 2, 3});
    }
  }
}
