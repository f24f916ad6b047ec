package org.cliffwatch.quantizer.train;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.checkpoint.WholeFolder;
import org.cliffwatch.quantizer.kernel.FloatType;

/**
 * A trained model as a Hugging Face folder that transformers loads as GPTNeoXForCausalLM: config,
 * weights in the type the model was trained in, tokenizer.
 */
final class CheckpointFolder {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final List<String> TOKENIZER_FILES =
      List.of("tokenizer.json", "tokenizer_config.json");

  private CheckpointFolder() {}

  /**
   * Writes the folder; it appears whole or not at all.
   *
   * @param tokenizer folder that holds the tokenizer's files
   * @param endOfText id of the token that parts documents
   */
  static void write(Path folder, Recipe recipe, Parameters weights, Path tokenizer, int endOfText)
      throws IOException {
    FloatType type = recipe.halfPrecision().type();
    WholeFolder.replace(
        folder,
        unfinished -> {
          writeJson(
              unfinished.resolve("config.json"),
              config(recipe, weights.embedding.shape()[0], endOfText));
          TensorFile.write(
              unfinished.resolve("model.safetensors"), type, TensorFile.byName(weights.model()));
          for (String file : TOKENIZER_FILES) {
            Files.copy(tokenizer.resolve(file), unfinished.resolve(file));
          }
        });
  }

  /** What a folder of ours holds. */
  record Read(ModelShape shape, Parameters weights) {}

  /**
   * Reads a checkpoint's weights.
   *
   * @return nothing where the configuration or the tensors are not those of {@link #write}
   */
  static Optional<Read> read(Checkpoint checkpoint) {
    ConfigFields config = checkpoint.config();
    if (!isOurs(config)) {
      return Optional.empty();
    }
    int hidden = config.positive("hidden_size");
    int heads = config.positive("num_attention_heads");
    int inner = config.positive("intermediate_size");
    if (hidden % heads != 0 || hidden / heads % Lanes.WIDTH != 0 || inner % Lanes.WIDTH != 0) {
      return Optional.empty();
    }
    ModelShape shape =
        new ModelShape(
            config.positive("vocab_size"),
            hidden,
            config.positive("num_hidden_layers"),
            heads,
            inner,
            (float) config.number("rotary_pct", 0.25));
    Parameters weights = new Parameters(shape);
    for (Parameters.Tensor tensor : weights.tensors()) {
      long[] expected = Arrays.stream(tensor.shape()).asLongStream().toArray();
      if (!checkpoint.hasTensor(tensor.name())
          || !Arrays.equals(checkpoint.tensor(tensor.name()).shape(), expected)
          || !checkpoint.tensor(tensor.name()).type().isWeight()) {
        return Optional.empty();
      }
      checkpoint.tensor(tensor.name()).read(0, tensor.values(), 0, tensor.values().length);
    }
    return Optional.of(new Read(shape, weights));
  }

  private static boolean isOurs(ConfigFields config) {
    return config.text("model_type").equals("gpt_neox")
        && !config.flag("use_parallel_residual", true)
        && List.of("gelu_new", "gelu_pytorch_tanh", "gelu_fast")
            .contains(config.text("hidden_act", "gelu"))
        && !config.flag("tie_word_embeddings", false)
        && config.flag("attention_bias", true)
        && (float) config.number("layer_norm_eps", ModelShape.EPSILON) == ModelShape.EPSILON
        && config.number("rotary_emb_base", ModelShape.ROTARY_BASE) == ModelShape.ROTARY_BASE
        && !config.has("rope_scaling")
        && !config.has("rope_parameters")
        && !config.has("rope_theta");
  }

  private static ObjectNode config(Recipe recipe, int vocabulary, int endOfText) {
    Recipe.Model model = recipe.model();
    ObjectNode config = JsonNodeFactory.instance.objectNode();
    config.putArray("architectures").add("GPTNeoXForCausalLM");
    config.put("model_type", "gpt_neox");
    config.put("vocab_size", vocabulary);
    config.put("hidden_size", model.hiddenSize());
    config.put("num_hidden_layers", model.numHiddenLayers());
    config.put("num_attention_heads", model.numAttentionHeads());
    config.put("intermediate_size", model.intermediateSize());
    config.put("hidden_act", "gelu_new");
    config.put("rotary_pct", model.rotaryPct());
    config.put("rotary_emb_base", (int) ModelShape.ROTARY_BASE);
    config.put("max_position_embeddings", model.maxPositionEmbeddings());
    config.put("layer_norm_eps", 1e-5);
    config.put("use_parallel_residual", false);
    config.put("tie_word_embeddings", false);
    config.put("attention_bias", true);
    config.put("attention_dropout", 0.0);
    config.put("hidden_dropout", recipe.dropout());
    config.put("initializer_range", Parameters.DEVIATION);
    config.put("bos_token_id", endOfText);
    config.put("eos_token_id", endOfText);
    config.put("use_cache", true);
    config.put(
        "torch_dtype",
        switch (recipe.halfPrecision().type()) {
          case FLOAT32 -> "float32";
          case BFLOAT16 -> "bfloat16";
          case FLOAT16 -> "float16";
        });
    return config;
  }

  static void writeJson(Path file, ObjectNode content) throws IOException {
    Files.writeString(
        file, JSON.writerWithDefaultPrettyPrinter().writeValueAsString(content) + "\n");
  }
}
