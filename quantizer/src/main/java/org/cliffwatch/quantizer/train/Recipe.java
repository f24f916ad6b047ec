package org.cliffwatch.quantizer.train;

import com.fasterxml.jackson.annotation.JsonAutoDetect;
import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.annotation.PropertyAccessor;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Flexpoint;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.scheme.Schemes;

/**
 * How one model is trained: everything its weights depend on besides the training text.
 *
 * @param name of the model in folders and tables
 * @param halfPrecision type of weights, activations and gradients; master weights are float32, in
 *     Flexpoint there are none
 * @param lossScaling of the loss in fp16
 * @param weightDecay AdamW's, decoupled; on matrices, not on biases and norms
 * @param gradientClipping largest global norm of the gradient; null: none
 * @param dropout probability, on the outputs of attention and feed-forward before the residual add
 * @param model sizes
 * @param quantization what the blocks' linear layers compute with, forward, while gradients go
 *     straight through to the weights (quantization-aware training); null: with the weights
 * @param trainable which weights change
 * @param initial checkpoint folder whose weights are the start values; null: drawn
 * @param components K that the decoder is cut into, each learning by itself (Gomez et al. 2022); 1:
 *     it is not cut
 * @param nwise N: how many components a loss's gradient goes through to those that learn from it; 1
 *     is local learning, 2 pairwise, K end to end. Gradients are clipped a component
 * @param seed of start values, batches and dropout
 * @param steps optimizer steps, which the learning rate's cosine spans
 * @param checkpoints steps after which the model is written, ascending; the last is {@code steps}
 * @param batchSize sequences a step, even
 * @param sequenceLength tokens predicted in a sequence
 * @param learningRate the highest, reached after {@code warmupSteps}
 * @param finalLearningRate what the cosine ends at
 * @param warmupSteps steps over which the rate rises from 0
 * @param adamBeta1 decay of the gradient's mean
 * @param adamBeta2 decay of its square's mean
 * @param adamEpsilon added to the root of the latter
 */
public record Recipe(
    String name,
    TrainingType halfPrecision,
    LossScaling lossScaling,
    float weightDecay,
    Float gradientClipping,
    float dropout,
    Model model,
    Precision quantization,
    Trainable trainable,
    String initial,
    int components,
    int nwise,
    long seed,
    int steps,
    List<Integer> checkpoints,
    int batchSize,
    int sequenceLength,
    float learningRate,
    float finalLearningRate,
    int warmupSteps,
    float adamBeta1,
    float adamBeta2,
    float adamEpsilon)
    implements Serializable {

  /** Sizes by the names of transformers' gpt_neox configuration. */
  public record Model(
      int hiddenSize,
      int numHiddenLayers,
      int numAttentionHeads,
      int intermediateSize,
      float rotaryPct,
      int maxPositionEmbeddings)
      implements Serializable {}

  /**
   * What weights, activations and gradients are kept as: {@code fp32}, {@code bf16}, {@code fp16},
   * as the paper's tables have them, or {@code flexN+M}.
   *
   * @param type that holds its numbers
   * @param flexpoint null for the others
   */
  public record TrainingType(@JsonValue String name, FloatType type, Flexpoint flexpoint)
      implements Serializable {
    static final TrainingType FP32 = new TrainingType("fp32", FloatType.FLOAT32, null);
    static final TrainingType BF16 = new TrainingType("bf16", FloatType.BFLOAT16, null);
    static final TrainingType FP16 = new TrainingType("fp16", FloatType.FLOAT16, null);
    private static final Pattern FLEX = Pattern.compile("flex(\\d{1,2})\\+(\\d)");

    /**
     * By its name.
     *
     * @throws IllegalArgumentException if there is none
     */
    @JsonCreator
    public static TrainingType of(String name) {
      for (TrainingType known : List.of(FP32, BF16, FP16)) {
        if (known.name().equals(name)) {
          return known;
        }
      }
      Matcher flex = FLEX.matcher(name);
      if (!flex.matches()) {
        throw new IllegalArgumentException(
            "found '%s', expected fp32, bf16, fp16, or flexN+M as flex16+5".formatted(name));
      }
      int mantissa = Integer.parseInt(flex.group(1));
      int exponent = Integer.parseInt(flex.group(2));
      return new TrainingType(name, FloatType.FLOAT32, new Flexpoint(mantissa, exponent));
    }
  }

  /** What fp16 gradients are multiplied by so that small ones do not vanish. */
  public enum LossScaling {
    /** As PyTorch's GradScaler does. */
    @JsonProperty("dynamic")
    DYNAMIC,
    /** Nothing. */
    @JsonProperty("none")
    NONE
  }

  /** What training changes. */
  public enum Trainable {
    /** All weights. */
    @JsonProperty("all")
    ALL,
    /** Weights of the blocks' linear layers, without biases: what quantization changes too. */
    @JsonProperty("linear")
    LINEAR
  }

  /** A batch is always computed as this many slices, so that its bits do not depend on threads. */
  static final int SLICES = 2;

  private static final JsonMapper JSON =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .visibility(PropertyAccessor.IS_GETTER, JsonAutoDetect.Visibility.NONE)
          .build();

  public Recipe {
    checkpoints = List.copyOf(checkpoints);
    require(
        name, name.matches("[A-Za-z0-9][A-Za-z0-9._-]*"), "name", name, "letters, digits, . _ -");
    require(
        name, batchSize > 0 && batchSize % SLICES == 0, "batch_size", batchSize, "an even number");
    require(name, sequenceLength > 1, "sequence_length", sequenceLength, "at least 2");
    require(name, steps > 0, "steps", steps, "at least 1");
    require(name, dropout >= 0 && dropout < 1, "dropout", dropout, "a number in [0, 1)");
    require(name, weightDecay >= 0, "weight_decay", weightDecay, "a number from 0");
    require(
        name,
        gradientClipping == null || gradientClipping > 0,
        "gradient_clipping",
        gradientClipping,
        "a number above 0, or none");
    require(
        name, warmupSteps >= 0 && warmupSteps <= steps, "warmup_steps", warmupSteps, "0 to steps");
    require(
        name,
        quantization == null || !Schemes.isCalibrated(quantization),
        "quantization",
        quantization,
        "a scheme that needs no calibration");
    require(
        name,
        components >= 1 && components <= model.numHiddenLayers(),
        "components",
        components,
        "1 to num_hidden_layers, " + model.numHiddenLayers());
    require(
        name, nwise >= 1 && nwise <= components, "nwise", nwise, "1 to components, " + components);
    require(
        name,
        components == 1
            || (halfPrecision.flexpoint() == null && !scalesLoss(halfPrecision, lossScaling)),
        "components",
        components,
        "1 in Flexpoint and with a scaled loss, whose scales are a whole model's");
    require(
        name,
        components == 1 || trainable == Trainable.ALL,
        "components",
        components,
        "1 where trainable is not all: auxiliary heads have to learn");
    boolean ascending = !checkpoints.isEmpty() && checkpoints.get(0) > 0;
    for (int i = 1; i < checkpoints.size(); i++) {
      ascending &= checkpoints.get(i) > checkpoints.get(i - 1);
    }
    require(
        name,
        ascending && checkpoints.get(checkpoints.size() - 1) == steps,
        "checkpoints",
        checkpoints,
        "ascending steps, the last " + steps);
  }

  private static void require(
      String name, boolean ok, String field, Object found, String expected) {
    if (!ok) {
      throw new InvalidInputException(
          "recipe " + name + ": " + field + ": found " + found + ", expected " + expected);
    }
  }

  /**
   * Reads a file of recipes: {@code common}, fields all share, and {@code recipes}, a list of
   * objects with a recipe's own fields.
   *
   * @throws InvalidInputException naming file, recipe and field
   */
  public static List<Recipe> read(Path file) {
    JsonNode root;
    try {
      root = new YAMLMapper().readTree(Files.readString(file));
    } catch (JsonProcessingException e) {
      throw new InvalidInputException(file + ": not YAML: " + e.getMessage(), e);
    } catch (IOException e) {
      throw new InvalidInputException(file + ": cannot be read: " + e.getMessage(), e);
    }
    for (String key : names(root)) {
      if (!key.equals("common") && !key.equals("recipes")) {
        throw new InvalidInputException(
            file + ": unknown key '" + key + "', expected common and recipes");
      }
    }
    if (!root.path("common").isObject() || !root.path("recipes").isArray()) {
      throw new InvalidInputException(file + ": expected an object 'common' and a list 'recipes'");
    }
    List<Recipe> recipes = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    for (JsonNode own : root.get("recipes")) {
      Recipe recipe = parse(file, root.get("common"), own);
      if (!seen.add(recipe.name())) {
        throw new InvalidInputException(file + ": two recipes named '" + recipe.name() + "'");
      }
      recipes.add(recipe);
    }
    if (recipes.isEmpty()) {
      throw new InvalidInputException(file + ": no recipes");
    }
    return recipes;
  }

  private static Recipe parse(Path file, JsonNode common, JsonNode own) {
    String where = file + ": recipe " + own.path("name").asText("without a name");
    if (!own.isObject()) {
      throw new InvalidInputException(where + ": expected an object, found " + own);
    }
    ObjectNode fields = common.deepCopy();
    fields.setAll((ObjectNode) own);
    if (fields.path("gradient_clipping").asText().equals("none")) {
      fields.putNull("gradient_clipping");
    }
    ObjectNode defaults = JSON.createObjectNode();
    defaults.put("loss_scaling", "dynamic").put("trainable", "all");
    defaults.put("components", 1).put("nwise", 1);
    fields = defaults.setAll(fields);
    fields.set("quantization", quantization(where, fields.path("quantization")));
    fields.put("initial", resolved(file, fields.path("initial")));
    try {
      return JSON.treeToValue(fields, Recipe.class);
    } catch (JsonProcessingException e) {
      if (e.getCause() instanceof InvalidInputException cause) {
        throw new InvalidInputException(file + ": " + cause.getMessage(), e);
      }
      String found =
          e.getCause() instanceof IllegalArgumentException cause
              ? cause.getMessage()
              : e.getOriginalMessage();
      throw new InvalidInputException(where + field(e) + ": " + found, e);
    }
  }

  /** A row as of {@code conf/precisions.yaml}, without a name. */
  private static JsonNode quantization(String where, JsonNode row) {
    if (row.isMissingNode() || row.isNull()) {
      return JSON.nullNode();
    }
    if (!row.isObject()) {
      throw new InvalidInputException(
          where + ": quantization: found " + row + ", expected a row as in conf/precisions.yaml");
    }
    Map<String, String> keys = new LinkedHashMap<>();
    row.properties()
        .forEach(
            key -> {
              if (!key.getValue().isValueNode()) {
                throw new InvalidInputException(
                    where
                        + ": quantization: "
                        + key.getKey()
                        + ": found "
                        + key.getValue()
                        + ", expected a text or a number");
              }
              keys.put(key.getKey(), key.getValue().asText());
            });
    return JSON.valueToTree(Precisions.packaged().added(where, "quantization", keys));
  }

  /** A path as seen from the file that holds it. */
  private static String resolved(Path file, JsonNode path) {
    return path.isMissingNode() || path.isNull()
        ? null
        : file.toAbsolutePath().resolveSibling(path.asText()).normalize().toString();
  }

  private static String field(JsonProcessingException e) {
    StringBuilder field = new StringBuilder();
    if (e instanceof JsonMappingException mapping) {
      mapping.getPath().forEach(part -> field.append(": ").append(part.getFieldName()));
    }
    return field.toString();
  }

  private static List<String> names(JsonNode object) {
    List<String> names = new ArrayList<>();
    object.fieldNames().forEachRemaining(names::add);
    return names;
  }

  /** This recipe as JSON, by which a resumed run knows that it is the same. */
  String json() {
    try {
      return JSON.writeValueAsString(this);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("recipe " + name + " cannot be written as JSON", e);
    }
  }

  /** Whether the loss is scaled. */
  boolean scalesLoss() {
    return scalesLoss(halfPrecision, lossScaling);
  }

  private static boolean scalesLoss(TrainingType type, LossScaling scaling) {
    return type.type() == FloatType.FLOAT16 && scaling == LossScaling.DYNAMIC;
  }

  ModelShape shape(int vocabulary) {
    return new ModelShape(
        vocabulary,
        model.hiddenSize(),
        model.numHiddenLayers(),
        model.numAttentionHeads(),
        model.intermediateSize(),
        model.rotaryPct());
  }

  /** Learning rate of a step, from 1: linear warm-up, then half a cosine. */
  float learningRate(int step) {
    if (step <= warmupSteps) {
      return learningRate * step / warmupSteps;
    }
    double progress = (double) (step - warmupSteps) / Math.max(1, steps - warmupSteps);
    return (float)
        (finalLearningRate
            + (learningRate - finalLearningRate) * 0.5 * (1 + Math.cos(Math.PI * progress)));
  }
}
