package org.cliffwatch.quantizer.model;

import java.util.List;
import java.util.stream.Collectors;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.stored.StoredFormat;

/**
 * One of transformers' decoder families: what the fields of its {@code config.json} mean and what
 * its tensors are called. The only place that knows either; absent fields have the defaults of
 * transformers' configuration class. {@code quantizer/README.md} says how to add one.
 */
abstract class Family {
  private static final List<Family> ALL =
      List.of(
          new Bloom(),
          new Cohere(),
          new Cohere2(),
          new Falcon(),
          new Gemma2(),
          new Gemma3(),
          new Gpt2(),
          new GptNeo(),
          new GptNeox(),
          new Gptj(),
          new Granite(),
          new Llama(),
          new Mistral(),
          new Mixtral(),
          new Olmo2(),
          new Olmoe(),
          new Opt(),
          new Phi3(),
          new Qwen2(),
          new Qwen3(),
          new Qwen3Moe(),
          new Smollm3(),
          new StableLm());

  /** Fields by whose value memory is taken before a tensor's shape could contradict them. */
  private static final List<String> COUNTS =
      List.of(
          "num_hidden_layers",
          "num_layers",
          "n_layer",
          "num_attention_heads",
          "num_key_value_heads",
          "num_kv_heads",
          "num_heads",
          "n_head",
          "num_local_experts",
          "num_experts",
          "head_dim",
          "rotary_dim");

  /** The values of {@code layer_types}. */
  static final String FULL = "full_attention";

  static final String SLIDING = "sliding_attention";

  private static final int MAX_COUNT = 1 << 14;

  private final String modelType;
  private final String base;

  /**
   * @param modelType {@code model_type} of the configuration
   * @param base what the names of the decoder's tensors begin with: transformers' {@code
   *     base_model_prefix}
   */
  Family(String modelType, String base) {
    this.modelType = modelType;
    this.base = base;
  }

  /**
   * The family a configuration names.
   *
   * @throws InvalidInputException if it is none of ours
   */
  static Family of(ConfigFields config) {
    String modelType = config.text("model_type");
    for (Family family : ALL) {
      if (family.modelType.equals(modelType)) {
        return family;
      }
    }
    throw config.notImplemented("model_type", "one of " + modelTypes());
  }

  static String modelTypes() {
    return ALL.stream().map(f -> f.modelType).sorted().collect(Collectors.joining(", "));
  }

  /**
   * What is computed.
   *
   * @throws InvalidInputException naming a field that is missing, or that we don't implement, or
   *     whose value we don't
   */
  final Architecture architecture(ConfigFields config) {
    ignoreCommon(config);
    for (String field : COUNTS) {
      if (config.peek(field).doubleValue() > MAX_COUNT) {
        throw config.mismatch(field, config.peek(field), "at most " + MAX_COUNT);
      }
    }
    Architecture architecture = read(config);
    config
        .unread()
        .forEach((field, value) -> ArithmeticFields.require(config, field, value, architecture));
    return architecture;
  }

  /**
   * Fields of a configuration that are in no family's arithmetic, nor known to be on the way: they
   * change nothing, as in transformers.
   *
   * @param config whose {@link #architecture} was made
   */
  static List<String> ignored(ConfigFields config) {
    return config.unread().keySet().stream()
        .filter(field -> !ArithmeticFields.contains(field))
        .toList();
  }

  /**
   * Where the weights are.
   *
   * @param format how linear layers are quantized, or null
   * @throws InvalidInputException naming a tensor that is missing, misshapen or too many
   */
  final Weights weights(Checkpoint checkpoint, Architecture architecture, StoredFormat format) {
    Tensors tensors = new Tensors(checkpoint, base, format);
    Weights weights = find(tensors, architecture, checkpoint.config());
    tensors.requireAllUsed(modelType);
    return weights;
  }

  /** Reads every field that changes the arithmetic, and ignores by name those that do not. */
  abstract Architecture read(ConfigFields config);

  abstract Weights find(Tensors tensors, Architecture architecture, ConfigFields config);

  /** Fields any configuration may have: what was, what trains, what generates. */
  private static void ignoreCommon(ConfigFields config) {
    config.ignore(
        "model_type",
        "architectures",
        "auto_map",
        "transformers_version",
        "_name_or_path",
        "_model_name_or_path",
        "torch_dtype",
        "dtype",
        "use_cache",
        "initializer_range",
        "init_std",
        "gradient_checkpointing",
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
        "unk_token_id",
        "sep_token_id",
        "task_specific_params",
        "output_attentions",
        "output_hidden_states",
        "return_dict",
        "use_return_dict",
        "problem_type",
        "id2label",
        "label2id",
        "_attn_implementation_autoset",
        "transformers.js_config",
        "attention_probs_dropout_prob",
        "hidden_dropout_prob",
        "attention_dropout",
        "classifier_dropout",
        "hidden_dropout",
        "prefix",
        "finetuning_task",
        "tokenizer_class",
        "chunk_size_feed_forward",
        "torchscript",
        "use_bfloat16");
    config.ignore(
        "do_sample",
        "early_stopping",
        "max_length",
        "min_length",
        "max_new_tokens",
        "num_beams",
        "num_beam_groups",
        "diversity_penalty",
        "temperature",
        "top_k",
        "top_p",
        "typical_p",
        "repetition_penalty",
        "length_penalty",
        "no_repeat_ngram_size",
        "bad_words_ids",
        "encoder_no_repeat_ngram_size",
        "num_return_sequences",
        "output_scores",
        "return_dict_in_generate",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "remove_invalid_values",
        "exponential_decay_length_penalty",
        "suppress_tokens",
        "begin_suppress_tokens",
        "decoder_start_token_id");
    for (String absent :
        List.of("is_encoder_decoder", "add_cross_attention", "tie_encoder_decoder")) {
      config.require(absent, !config.flag(absent, false), "false");
    }
    config.ignore("is_decoder", "cross_attention_hidden_size");
  }

  /** The activation of that name in transformers' {@code ACT2FN}. */
  static Activation activation(ConfigFields config, String field, String otherwise) {
    String name = config.text(field, otherwise);
    switch (name) {
      case "gelu":
      case "gelu_python":
        return Activation.GELU;
      case "gelu_new":
      case "gelu_fast":
      case "gelu_pytorch_tanh":
      case "gelu_python_tanh":
        return Activation.GELU_TANH;
      case "relu":
        return Activation.RELU;
      case "silu":
      case "swish":
        return Activation.SILU;
      case "quick_gelu":
        return Activation.QUICK_GELU;
      default:
        throw config.notImplemented(
            field, "gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, quick_gelu, relu or silu");
    }
  }

  /**
   * A size that goes by two names: the family's own, and the one that all families have, which
   * counts where both are there ({@code attribute_map} of transformers' configuration class).
   */
  static int named(ConfigFields config, String common, String own, int otherwise) {
    int value = config.positive(own, otherwise);
    return config.positive(common, value);
  }

  /** Width of a head where it is not stated: hidden / heads, which must go evenly. */
  static int headSize(ConfigFields config, String field, int hidden, int heads) {
    if (hidden % heads != 0) {
      throw config.error(field, "found " + heads + ", expected a divisor of the width " + hidden);
    }
    return hidden / heads;
  }

  /**
   * Values of a head that are rotated, where a field says what part of it they are.
   *
   * @param field its name outside {@code rope_parameters}; inside it is {@code
   *     partial_rotary_factor}
   */
  static int rotated(ConfigFields config, String field, double otherwise, int headSize) {
    double stated = config.number(field, otherwise);
    double fraction =
        Rotary.parameters(config)
            .map(p -> p.number("partial_rotary_factor", stated))
            .orElse(stated);
    config.require(field, fraction > 0 && fraction <= 1, "a part of a head: above 0, up to 1");
    int rotated = (int) (headSize * fraction);
    config.require(
        field,
        rotated % 2 == 0,
        "a part of a head's " + headSize + " with an even number of values");
    return rotated;
  }

  /**
   * Whether a layer sees a window of keys: what {@code layer_types} says, else {@code otherwise}.
   */
  static boolean slides(ConfigFields config, int layer, boolean otherwise) {
    List<String> types = config.texts("layer_types");
    if (types.isEmpty()) {
      return otherwise;
    }
    int layers = config.positive("num_hidden_layers");
    if (types.size() != layers) {
      throw config.error(
          "layer_types", "found " + types.size() + " entries, expected one a layer: " + layers);
    }
    String type = types.get(layer);
    if (!type.equals(FULL) && !type.equals(SLIDING)) {
      throw config.error(
          "layer_types", "found \"" + type + "\", expected " + FULL + " or " + SLIDING);
    }
    return type.equals(SLIDING);
  }

  /** {@code sliding_window}: absent, it is 4096; null, there is none. */
  static int statedWindow(ConfigFields config) {
    return config.positive("sliding_window", config.isNull("sliding_window") ? 0 : 4096);
  }

  /** The {@link #statedWindow} of a layer that slides, which it must have; else 0. */
  static int window(ConfigFields config, boolean slides) {
    int window = statedWindow(config);
    config.require("sliding_window", !slides || window > 0, "a window, for layers that slide");
    return slides ? window : 0;
  }

  /** The window of a layer that slides, where a flag says whether windows are used; else 0. */
  static int used(ConfigFields config, int window, boolean slides) {
    if (slides && window == 0) {
      throw config.error(
          "layer_types", "found " + SLIDING + " without a sliding_window that is used");
    }
    return slides ? window : 0;
  }

  /** √(1 / head size), as float32. */
  static float scale(int headSize) {
    return (float) (1 / Math.sqrt(headSize));
  }

  /** Transformers' class default where the field is absent. */
  static float epsilon(ConfigFields config, String field, double otherwise) {
    return (float) config.number(field, otherwise);
  }
}
