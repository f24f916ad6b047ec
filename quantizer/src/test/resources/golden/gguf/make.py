#!/usr/bin/env python3
"""What llama.cpp's converter makes of tiny checkpoints of each family: metadata, and where each tensor's elements come from.

  pip install torch transformers gguf sentencepiece safetensors numpy
  python make.py LLAMA_CPP [NAME…]     writes NAME.json beside this file

LLAMA_CPP is a source tree of ggml-org/llama.cpp with convert_hf_to_gguf.py and conversion/; its tokenizer step is left out. A file holds config.json,
the Hugging Face tensors' names and shapes, tokens to run, and the GGUF file: its metadata (key, type, value) and tensors. A tensor is made of runs
[source, first, count, stride] over elements of Hugging Face tensors, "plus" added in float32, or of "values"; "sha256" is that of its bytes for the weights of
make_variants.py, which the converter is given a second time. The runs come from a conversion of weights that are their own numbers.
"""
import hashlib, json, pathlib, sys, tempfile
import numpy as np, torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

HERE = pathlib.Path(__file__).resolve().parent
LLAMA_CPP = pathlib.Path(sys.argv[1])
sys.path[:0] = [str(LLAMA_CPP), str(LLAMA_CPP / "gguf-py"), str(HERE.parents[1] / "org/cliffwatch/quantizer/model")]
import conversion, gguf
from conversion.base import ModelBase, ModelType, get_model_architecture
from make_variants import BASE, TOKENS, VOCABULARY, weights

THETA = dict(rope_type="default", rope_theta=10000.0)
# Where the converter writes less than a configuration says, the value that llama.cpp takes.
MODELS = {
    "llama": ("llama", dict(rope_parameters=dict(rope_type="default", rope_theta=500.0), rms_norm_eps=1e-5)),
    "llama-biases": ("llama", dict(attention_bias=True, mlp_bias=True, head_dim=12, tie_word_embeddings=True)),
    "llama-yarn": ("llama", dict(rope_parameters=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, beta_fast=4.0, beta_slow=1.0, attention_factor=1.25, rope_theta=100.0))),
    "llama-llama3": ("llama", dict(max_position_embeddings=32768, rope_parameters=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192, rope_theta=500000.0))),
    "mistral": ("mistral", dict(sliding_window=None, head_dim=12)),
    "mixtral": ("mixtral", dict(num_local_experts=5, num_experts_per_tok=3, rms_norm_eps=1e-3, rope_parameters=dict(rope_type="default", rope_theta=500.0))),
    "qwen2": ("qwen2", dict()),
    "qwen3": ("qwen3", dict(tie_word_embeddings=True)),
    "qwen3moe": ("qwen3_moe", dict(norm_topk_prob=True, attention_bias=True)),
    "gpt2": ("gpt2", dict(layer_norm_epsilon=1e-3, n_ctx=64)),
    "gemma2": ("gemma2", dict(attn_logit_softcapping=3.0, final_logit_softcapping=5.0, query_pre_attn_scalar=12, sliding_window=3, num_hidden_layers=4)),
    "gemma3": ("gemma3_text", dict(query_pre_attn_scalar=12, sliding_window=3, num_hidden_layers=7, rope_parameters=dict(full_attention=dict(rope_type="linear", factor=4.0, rope_theta=1000.0), sliding_attention=dict(rope_type="default", rope_theta=50.0)))),
    "phi3": ("phi3", dict(sliding_window=4, rope_parameters=dict(partial_rotary_factor=0.5, **THETA))),
    "phi3-longrope": ("phi3", dict(original_max_position_embeddings=8, tie_word_embeddings=True, rms_norm_eps=1e-3, rope_scaling=dict(type="su", original_max_position_embeddings=8, short_factor=[1.0, 1.25, 1.5, 2.0], long_factor=[1.5, 3.0, 5.0, 9.0]), rope_theta=100.0)),
    "olmo2": ("olmo2", dict(rms_norm_eps=1e-3, rope_parameters=dict(rope_type="default", rope_theta=500.0))),
    "olmoe": ("olmoe", dict(rope_parameters=dict(rope_type="default", rope_theta=500.0))),
    "command-r": ("cohere", dict(logit_scale=0.3, layer_norm_eps=1e-3, rope_parameters=dict(rope_type="default", rope_theta=100.0))),
    "cohere2": ("cohere2", dict(sliding_window=3, num_hidden_layers=5, logit_scale=0.25, rotary_pct=1.0)),
    "falcon-multi-query": ("falcon", dict(layer_norm_epsilon=1e-3, tie_word_embeddings=False, num_kv_heads=1)),
    "falcon-new": ("falcon", dict(new_decoder_architecture=True, num_kv_heads=2)),
    "falcon-new-one-norm": ("falcon", dict(new_decoder_architecture=True, num_kv_heads=2, num_ln_in_parallel_attn=1)),
    "stablelm-sequential": ("stablelm", dict(use_qkv_bias=True, layer_norm_eps=1e-3)),
    "stablelm-parallel": ("stablelm", dict(use_parallel_residual=True, rope_parameters=dict(partial_rotary_factor=0.5, **THETA))),
    "granite": ("granite", dict(embedding_multiplier=3.5, residual_multiplier=0.22, attention_multiplier=0.3, logits_scaling=1.7)),
    "granite-biases": ("granite", dict(attention_bias=True, mlp_bias=True, tie_word_embeddings=True)),
    "smollm3": ("smollm3", dict(num_hidden_layers=5, rms_norm_eps=1e-3)),
    "gptneox": ("gpt_neox", dict(use_parallel_residual=False, rope_parameters=dict(partial_rotary_factor=0.5, **THETA))),
    "gptneox-parallel": ("gpt_neox", dict(rope_parameters=dict(partial_rotary_factor=1.0, **THETA))),
    "bloom": ("bloom", dict(hidden_size=36, n_head=6, layer_norm_epsilon=1e-3)),
}
# Fields of transformers 4 that the converter asks for.
OLDER = {"gptneox": dict(rotary_pct=0.5), "gptneox-parallel": dict(rotary_pct=1.0)}


def folder_of(folder, config, tensors):
    """What the converter asks for: the vocabulary is only counted."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    vocabulary = {"model": {"vocab": {str(i): i for i in range(VOCABULARY)}}, "added_tokens": []}
    (folder / "tokenizer.json").write_text(json.dumps(vocabulary))
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def converted(folder, older):
    hparams = ModelBase.load_hparams(folder, False) | older
    model = conversion.get_model_class(get_model_architecture(hparams, ModelType.TEXT))
    model.set_vocab = lambda self: None
    out = folder / "out.gguf"
    with torch.inference_mode():
        model(folder, gguf.LlamaFileType.ALL_F32, out, hparams=hparams).write()
    return gguf.GGUFReader(out)


def runs(numbers):
    """[first, count, stride] of consecutive numbers, as few as one finds from the left."""
    found, i = [], 0
    while i < len(numbers):
        stride = int(numbers[i + 1] - numbers[i]) if i + 1 < len(numbers) else 1
        n = 1
        while i + n < len(numbers) and numbers[i + n] - numbers[i + n - 1] == stride:
            n += 1
        found.append([int(numbers[i]), n, stride])
        i += n
    return found


def source(values, starts, names):
    """Weights were twice their number, from 2 on; one that is odd has had 1 added."""
    whole = values.astype(np.int64)
    plus = int(whole[0] % 2)
    numbers = (whole - plus) // 2 - 1
    sources, found = [], []
    tensor = np.searchsorted(starts, numbers, side="right") - 1
    cuts = np.flatnonzero(np.diff(tensor)) + 1
    for part in np.split(np.arange(len(numbers)), cuts):
        k = tensor[part[0]]
        if names[k] not in sources:
            sources.append(names[k])
        found += [[sources.index(names[k]), *run] for run in runs(numbers[part] - starts[k])]
    return {"sources": sources, "runs": found, **({"plus": plus} if plus else {})}


def make(name):
    family, fields = MODELS[name]
    config = AutoConfig.for_model(family, vocab_size=VOCABULARY, **{**BASE[family], **fields})
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder / "hf")
        stored = json.loads((folder / "hf/config.json").read_text())
        with safe_open(folder / "hf/model.safetensors", "pt") as f:
            shapes = {k: list(f.get_slice(k).get_shape()) for k in f.keys()}
        sizes = [int(np.prod(s)) for s in shapes.values()]
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        numbered = {k: (2 * (torch.arange(n) + int(first)) + 2).float().reshape(s) for (k, s), n, first in zip(shapes.items(), sizes, starts)}
        folder_of(folder / "numbered", stored, numbered)
        folder_of(folder / "weights", stored, {k: weights(k, s) for k, s in shapes.items()})
        numbers, file = (converted(folder / made, OLDER.get(name, {})) for made in ("numbered", "weights"))
    metadata = []
    for field in file.fields.values():
        architecture = field.name == "general.architecture"
        if architecture or not field.name.startswith(("GGUF.", "general.", "tokenizer.")):
            types = [t.name for t in field.types]
            metadata.append([field.name, ".".join(types), field.contents()])
    tensors = []
    for a, b in zip(numbers.tensors, file.tensors):
        entry = {"name": b.name, "dimensions": [int(d) for d in b.shape], "sha256": hashlib.sha256(b.data.astype("<f4").tobytes()).hexdigest()}
        values = a.data.reshape(-1)
        same = np.array_equal(values, b.data.reshape(-1))
        entry |= {"values": [float(v) for v in values]} if same else source(values, starts, list(shapes))
        tensors.append(entry)
    tokens = [(7 * i * i + 3 * i + 5) % VOCABULARY for i in range(TOKENS)]
    head = json.dumps({"config": stored, "shapes": shapes, "tokens": tokens})[:-1]
    body = ",\n".join(json.dumps(x, separators=(",", ":")) for x in tensors)
    meta = ",\n".join(json.dumps(x) for x in metadata)
    (HERE / f"{name}.json").write_text(f'{head},\n"metadata": [\n{meta}],\n"gguf": [\n{body}]}}\n')
    print(name, len(tensors), "tensors", (HERE / f"{name}.json").stat().st_size, "bytes")


if __name__ == "__main__":
    for name in sys.argv[2:] or MODELS:
        make(name)
