#!/usr/bin/env python3
"""What transformers computes for each field of a configuration that changes the arithmetic: tiny models with made-up weights.

  pip install torch transformers numpy safetensors
  python make_variants.py [NAME…]      writes NAME.json beside this file

A file holds config.json, the tensors' names and shapes, tokens, and the float32 log-probabilities after each token, (tokens, vocabulary);
of KV_CACHE also those with keys and values as an int8 cache keeps them, a scale a token and head.
The weights are not in it: element i of a tensor is made from its name and i, here and in VariantGoldenTest alike.
"""
import json, pathlib, sys, tempfile, zlib
import numpy as np, torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

BASE = {
    "llama": dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=False),
    "mistral": dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64),
    "qwen2": dict(hidden_size=32, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64),
    "qwen3": dict(hidden_size=32, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, head_dim=12),
    "gpt2": dict(n_embd=32, n_layer=3, n_head=4, n_positions=64),
    "gpt_neo": dict(hidden_size=32, num_layers=3, num_heads=4, max_position_embeddings=64, attention_types=[[["global", "local"], 1], [["local"], 1]], window_size=3),
    "gptj": dict(n_embd=32, n_layer=2, n_head=4, n_positions=64, rotary_dim=6),
    "gpt_neox": dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64),
    "opt": dict(hidden_size=32, ffn_dim=40, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64, word_embed_proj_dim=32),
    "bloom": dict(hidden_size=32, n_layer=2, n_head=4),
    "phi3": dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, pad_token_id=0),
    "olmo2": dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64),
    "smollm3": dict(hidden_size=32, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, pad_token_id=0),
    "stablelm": dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64),
    "cohere": dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, bos_token_id=5, eos_token_id=1),
    "cohere2": dict(hidden_size=32, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, bos_token_id=5, eos_token_id=1),
    "gemma2": dict(hidden_size=32, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, head_dim=12),
    "gemma3_text": dict(hidden_size=32, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, head_dim=12),
    "falcon": dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64, bos_token_id=11, eos_token_id=11),
    "granite": dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64),
    "mixtral": dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, num_local_experts=4),
    "qwen3_moe": dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, head_dim=12, moe_intermediate_size=24, num_experts=5, num_experts_per_tok=2),
    "olmoe": dict(hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, num_experts=6, num_experts_per_tok=3, eos_token_id=2),
}
ROPE = dict(rope_theta=10000.0)
VARIANTS = {
    "llama-linear": ("llama", dict(rope_parameters=dict(rope_type="linear", factor=4.0, **ROPE))),
    # Shorter than the sequence, so that the base grows.
    "llama-dynamic": ("llama", dict(max_position_embeddings=8, rope_parameters=dict(rope_type="dynamic", factor=2.0, **ROPE))),
    "llama-llama3": ("llama", dict(rope_parameters=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32, rope_theta=100.0))),
    "llama-yarn": ("llama", dict(rope_parameters=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, beta_fast=4.0, beta_slow=1.0, rope_theta=100.0))),
    "llama-yarn-mscale": ("llama", dict(rope_parameters=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, mscale=0.7, mscale_all_dim=1.1, truncate=False, rope_theta=1000.0))),
    # Sequences longer than the original context, and no longer ones.
    "llama-longrope": ("llama", dict(rope_parameters=dict(rope_type="longrope", short_factor=[1.0, 1.25, 1.5, 2.0], long_factor=[1.5, 3.0, 5.0, 9.0], original_max_position_embeddings=8, rope_theta=100.0))),
    "llama-longrope-short": ("llama", dict(hidden_act="quick_gelu", rope_parameters=dict(rope_type="longrope", factor=3.0, short_factor=[1.0, 1.25, 1.5, 2.0], long_factor=[1.5, 3.0, 5.0, 9.0], original_max_position_embeddings=32, rope_theta=100.0))),
    "llama-biases": ("llama", dict(attention_bias=True, mlp_bias=True, head_dim=12, tie_word_embeddings=True, hidden_act="gelu_pytorch_tanh", rms_norm_eps=1e-3)),
    "mistral-window": ("mistral", dict(sliding_window=4)),
    "mistral-no-window": ("mistral", dict(sliding_window=None, num_key_value_heads=1)),
    "qwen2-window": ("qwen2", dict(use_sliding_window=True, sliding_window=3, max_window_layers=1)),
    "qwen3-head-norms": ("qwen3", dict(rms_norm_eps=1e-3)),
    "qwen3-biases": ("qwen3", dict(attention_bias=True, use_sliding_window=True, sliding_window=3, max_window_layers=2, tie_word_embeddings=True)),
    "gpt2-scaled-by-layer": ("gpt2", dict(scale_attn_by_inverse_layer_idx=True, n_inner=40, activation_function="gelu", layer_norm_epsilon=1e-3)),
    "gpt2-unscaled": ("gpt2", dict(scale_attn_weights=False, reorder_and_upcast_attn=True, tie_word_embeddings=False, activation_function="relu")),
    "gpt_neo-local": ("gpt_neo", dict(intermediate_size=40)),
    "gptj-rotary": ("gptj", dict(n_inner=40)),
    "gpt_neox-sequential": ("gpt_neox", dict(use_parallel_residual=False, attention_bias=False, hidden_act="gelu_new", rope_parameters=dict(rope_type="linear", factor=2.0, partial_rotary_factor=0.5, **ROPE))),
    "gpt_neox-tied": ("gpt_neox", dict(tie_word_embeddings=True, rope_parameters=dict(rope_type="default", partial_rotary_factor=1.0, rope_theta=500.0))),
    "opt-post-norm": ("opt", dict(do_layer_norm_before=False, word_embed_proj_dim=20)),
    "opt-no-final-norm": ("opt", dict(_remove_final_layer_norm=True, activation_function="gelu")),
    "opt-bare": ("opt", dict(enable_bias=False, layer_norm_elementwise_affine=False)),
    "bloom-six-heads": ("bloom", dict(hidden_size=36, n_head=6, layer_norm_epsilon=1e-3)),
    "phi3-window": ("phi3", dict(sliding_window=4, hidden_act="gelu", rope_parameters=dict(rope_type="default", partial_rotary_factor=0.5, **ROPE))),
    # Longer than the original context; the names that older configurations have.
    "phi3-longrope": ("phi3", dict(original_max_position_embeddings=8, tie_word_embeddings=True, rms_norm_eps=1e-3, rope_scaling=dict(type="su", original_max_position_embeddings=16, short_factor=[1.0, 1.25, 1.5, 2.0], long_factor=[1.5, 3.0, 5.0, 9.0]), rope_theta=100.0)),
    "olmo2-post-norm": ("olmo2", dict(rms_norm_eps=1e-3, rope_parameters=dict(rope_type="default", rope_theta=500.0))),
    "olmo2-biases": ("olmo2", dict(attention_bias=True, tie_word_embeddings=True, num_key_value_heads=4)),
    "smollm3-interval": ("smollm3", dict(no_rope_layer_interval=2, mlp_bias=True, rms_norm_eps=1e-3)),
    "smollm3-window": ("smollm3", dict(no_rope_layers=[0, 1, 0], use_sliding_window=True, sliding_window=3, attention_bias=True, tie_word_embeddings=False, rope_parameters=dict(rope_type="default", rope_theta=100.0))),
    "stablelm-sequential": ("stablelm", dict(use_qkv_bias=True, layer_norm_eps=1e-3, tie_word_embeddings=True, hidden_act="gelu")),
    "stablelm-parallel": ("stablelm", dict(use_parallel_residual=True, rope_parameters=dict(rope_type="default", partial_rotary_factor=0.5, rope_theta=500.0))),
    "cohere-scaled": ("cohere", dict(logit_scale=0.3, layer_norm_eps=1e-3, rope_parameters=dict(rope_type="default", rope_theta=100.0))),
    "cohere-biases": ("cohere", dict(attention_bias=True, tie_word_embeddings=False, hidden_act="gelu")),
    "cohere2-pattern": ("cohere2", dict(sliding_window=3, sliding_window_pattern=2, logit_scale=0.25, rope_parameters=dict(rope_type="default", rope_theta=100.0))),
    "cohere2-types": ("cohere2", dict(sliding_window=4, layer_types=["full_attention", "sliding_attention", "sliding_attention"], attention_bias=True)),
    "gemma2-caps": ("gemma2", dict(attn_logit_softcapping=3.0, final_logit_softcapping=5.0, query_pre_attn_scalar=20, sliding_window=3, rope_parameters=dict(rope_type="default", rope_theta=100.0))),
    "gemma2-no-caps": ("gemma2", dict(attn_logit_softcapping=None, final_logit_softcapping=None, layer_types=["full_attention", "full_attention", "sliding_attention"], sliding_window=4, attention_bias=True, tie_word_embeddings=False, hidden_activation="silu", rms_norm_eps=1e-3)),
    "gemma3_text-two-bases": ("gemma3_text", dict(query_pre_attn_scalar=20, sliding_window=3, sliding_window_pattern=2, rope_parameters=dict(full_attention=dict(rope_type="linear", factor=4.0, rope_theta=1000.0), sliding_attention=dict(rope_type="default", rope_theta=50.0)))),
    "gemma3_text-types": ("gemma3_text", dict(final_logit_softcapping=5.0, layer_types=["full_attention", "full_attention", "sliding_attention"], sliding_window=4, attention_bias=True, tie_word_embeddings=False, hidden_activation="silu", rms_norm_eps=1e-3)),
    "falcon-multi-query": ("falcon", dict(layer_norm_epsilon=1e-3, tie_word_embeddings=False, rope_parameters=dict(rope_type="default", rope_theta=500.0))),
    "falcon-new": ("falcon", dict(new_decoder_architecture=True, num_kv_heads=2, ffn_hidden_size=40)),
    "falcon-new-one-norm": ("falcon", dict(new_decoder_architecture=True, num_kv_heads=2, num_ln_in_parallel_attn=1, activation="relu")),
    "falcon-sequential": ("falcon", dict(multi_query=False, parallel_attn=False, bias=True)),
    "granite-multipliers": ("granite", dict(embedding_multiplier=3.5, residual_multiplier=0.22, attention_multiplier=0.3, logits_scaling=1.7)),
    "granite-defaults": ("granite", dict(attention_bias=True, mlp_bias=True, tie_word_embeddings=True, rms_norm_eps=1e-3)),
    "mixtral-two-of-four": ("mixtral", dict(rms_norm_eps=1e-3, rope_parameters=dict(rope_type="default", rope_theta=500.0))),
    "mixtral-window": ("mixtral", dict(sliding_window=4, num_local_experts=5, num_experts_per_tok=3, head_dim=12, tie_word_embeddings=True, hidden_act="gelu")),
    "qwen3_moe-sparse": ("qwen3_moe", dict(attention_bias=True, rms_norm_eps=1e-3)),
    "qwen3_moe-normalized": ("qwen3_moe", dict(norm_topk_prob=True, use_sliding_window=True, sliding_window=3, tie_word_embeddings=True, num_experts_per_tok=4)),
    # Experts in every second layer, were it not for the last.
    "qwen3_moe-some-dense": ("qwen3_moe", dict(num_hidden_layers=4, decoder_sparse_step=2, mlp_only_layers=[3])),
    "olmoe-clipped": ("olmoe", dict(clip_qkv=0.75, rope_parameters=dict(rope_type="default", rope_theta=500.0))),
    "olmoe-normalized": ("olmoe", dict(norm_topk_prob=True, attention_bias=True, tie_word_embeddings=True, rms_norm_eps=1e-3, num_experts_per_tok=1)),
    "bloom-residual-normalized": ("bloom", dict(apply_residual_connection_post_layernorm=True)),
}
KV_CACHE = ["llama-llama3", "qwen3-head-norms"]
VOCABULARY, TOKENS = 48, 14


def uniform(name, count):
    """In [−1, 1), from SplitMix64's output function of the name's CRC-32 and the index."""
    with np.errstate(over="ignore"):
        z = (np.uint64(zlib.crc32(name.encode())) << np.uint64(32)) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)


def weights(name, shape):
    u = uniform(name, int(np.prod(shape)))
    if len(shape) == 1:
        w = u * np.float32(0.25) + np.float32(name.endswith("weight"))  # norms around 1, biases around 0
    else:
        w = u * np.float32(0.375)
    return torch.from_numpy(w.reshape(shape))


def cached(x):
    """Of each token and head: symmetric, 127 levels, half to even."""
    scale = x.abs().amax(-1, keepdim=True) / 127
    return torch.round(x / scale) * scale


def with_int8_cache(model, run):
    module = sys.modules[type(model).__module__]
    attend = module.eager_attention_forward
    module.eager_attention_forward = lambda self, query, key, value, *rest, **more: attend(self, query, cached(key), cached(value), *rest, **more)
    try:
        return run()
    finally:
        module.eager_attention_forward = attend


def rounded(rows):
    return [[round(x, 6) for x in row] for row in rows.tolist()]


def make(variant):
    family, fields = VARIANTS[variant]
    config = AutoConfig.for_model(family, vocab_size=VOCABULARY, **{**BASE[family], **fields})
    with tempfile.TemporaryDirectory() as folder:
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        stored = json.loads((pathlib.Path(folder) / "config.json").read_text())
        with safe_open(f"{folder}/model.safetensors", "pt") as f:
            shapes = {k: list(f.get_slice(k).get_shape()) for k in f.keys()}
        save_file({k: weights(k, s) for k, s in shapes.items()}, f"{folder}/model.safetensors", {"format": "pt"})
        model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    tokens = [(7 * i * i + 3 * i + 5) % VOCABULARY for i in range(TOKENS)]

    def run():
        with torch.no_grad():
            return torch.log_softmax(model(torch.tensor([tokens])).logits[0].double(), -1)

    log_probabilities = run()
    out = {"config": stored, "shapes": shapes, "tokens": tokens, "log_probabilities": rounded(log_probabilities)}
    if variant in KV_CACHE:
        out["kv_cache_int8"] = rounded(with_int8_cache(model, run))
    text = json.dumps(out).replace(', [-', ',\n[-')
    (pathlib.Path(__file__).parent / f"{variant}.json").write_text(text + "\n")
    print(variant, "standard deviation", log_probabilities.std().item())


if __name__ == "__main__":
    for name in sys.argv[1:] or VARIANTS:
        make(name)
