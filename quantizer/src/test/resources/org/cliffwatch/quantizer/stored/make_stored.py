#!/usr/bin/env python3
"""A tiny checkpoint in each quantized format, made and run by the libraries that define them.

  pip install torch transformers accelerate compressed-tensors bitsandbytes gptqmodel
  python make_stored.py [NAME…]      writes NAME/config.json, NAME/model.safetensors and NAME/golden.safetensors beside this file

The base model has made-up weights. golden.safetensors holds what the library itself makes of the folder, in float32: tokens, log_probabilities
(tokens, vocabulary), weight (the dequantized down_proj) and, where inputs are quantized, x (rows, inputs) of down_proj and x_quantized, the same rows quantized and widened; of LLM.int8() y, its outputs for each row alone.
FP8 in blocks needs a GPU in transformers: there the weights are dequantized by transformers, and the inputs are quantized here, by torch's own cast, as its Triton kernel does it.
"""
import os, sys

os.environ["GPTQMODEL_CPU_WORKERS"] = "4"
import json, pathlib, random, shutil, tempfile
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent
VOCABULARY, HIDDEN, INNER = 64, 64, 96
TOKENS = [(7 * i * i + 3 * i + 5) % VOCABULARY for i in range(14)]
DOWN = "model.layers.0.mlp.down_proj"


def base(folder, **fields):
    torch.manual_seed(1)
    config = LlamaConfig(
        **{**dict(vocab_size=VOCABULARY, hidden_size=HIDDEN, intermediate_size=INNER, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=False, bos_token_id=1, eos_token_id=2), **fields}
    )
    model = LlamaForCausalLM(config)
    for p in model.parameters():
        if p.ndim == 2:
            torch.nn.init.normal_(p, std=0.15)
    model.to(torch.float16).save_pretrained(folder)
    words = {f"w{i}": i for i in range(61)} | {"<unk>": 61, "<s>": 62, "</s>": 63}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>").save_pretrained(folder)


def finish(name, made, model, weight, quantize=None, one_by_one=False):
    """Runs the model in float32, on all tokens at once or on one after another, and writes what is committed."""
    seen = {}
    down = dict(model.named_modules())[DOWN]
    hook = down.register_forward_pre_hook(lambda module, args: seen.update(x=args[0].detach().flatten(0, -2).clone()))
    with torch.no_grad():
        if one_by_one:
            logits, cache = [], None
            for token in TOKENS:
                out = model(torch.tensor([[token]]), past_key_values=cache, use_cache=True)
                logits.append(out.logits[0, 0])
                cache = out.past_key_values
            logits = torch.stack(logits)
        else:
            logits = model(torch.tensor([TOKENS])).logits[0]
        log_probabilities = torch.log_softmax(logits.double(), -1).float()
    hook.remove()
    golden = {"tokens": torch.tensor(TOKENS, dtype=torch.int32), "log_probabilities": log_probabilities, "weight": weight.detach().float().contiguous()}
    if quantize is not None or one_by_one:
        x = seen["x"].float()
        # Ties, a row of zeros, an outlier, tiny values.
        rows = torch.stack([x[0], torch.zeros(INNER), torch.arange(INNER) - 47.5, x[-1] * 1e-9, torch.where(torch.arange(INNER) == 5, 300.0, x[-1])])
        golden |= {"x": rows}
        if one_by_one:
            with torch.no_grad():
                golden |= {"y": torch.cat([down(row[None]) for row in rows]).float()}
        else:
            golden |= {"x_quantized": quantize(rows).float()}
    target = HERE / name
    target.mkdir(exist_ok=True)
    shutil.copy(f"{made}/model.safetensors", target)
    config = json.loads((pathlib.Path(made) / "config.json").read_text())
    config.get("quantization_config", {}).pop("meta", None)
    (target / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    save_file({k: v.contiguous() for k, v in golden.items()}, target / "golden.safetensors")
    print(name, "standard deviation", log_probabilities.std().item())


def gptq(name, folder, **fields):
    from gptqmodel import BACKEND, GPTQModel, QuantizeConfig

    random.seed(1)
    calibration = [{"input_ids": [random.randrange(3, VOCABULARY) for _ in range(48)], "attention_mask": [1] * 48} for _ in range(64)]
    base(f"{folder}/base", **(dict(intermediate_size=128, num_key_value_heads=4) if fields.get("quant_method") == "awq" else {}))
    model = GPTQModel.load(f"{folder}/base", QuantizeConfig(**fields))
    model.quantize(calibration, batch_size=1)
    model.save(f"{folder}/made")
    backend = BACKEND.TORCH_AWQ if fields.get("quant_method") == "awq" else BACKEND.TORCH
    loaded = GPTQModel.load(f"{folder}/made", backend=backend, device="cpu", dtype=torch.float16).model
    modules = dict(loaded.named_modules())
    for module in modules.values():  # float32 throughout, scales too
        for own in [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
            if own.is_floating_point():
                own.data = own.data.float()
        if fields.get("quant_method") == "awq" and hasattr(module, "qweight"):  # whose forward is float16's
            module.forward = lambda x, w=awq_weight(module): torch.nn.functional.linear(x, w)
    finish(name, f"{folder}/made", loaded, gptq_weight(modules[DOWN], fields))


def gptq_weight(layer, fields):
    if fields.get("quant_method") == "awq":
        return awq_weight(layer)
    return layer.dequantize_weight().T


def awq_weight(layer):
    from gptqmodel.quantization.awq.utils.packing_utils import dequantize_gemm

    return dequantize_gemm(layer.qweight, layer.qzeros, layer.scales, 4, layer.group_size).T


def bitsandbytes(name, folder, dtype=torch.float16, **fields):
    import bitsandbytes as bnb

    base(f"{folder}/base")
    config = BitsAndBytesConfig(bnb_4bit_compute_dtype=torch.float32, **fields)
    AutoModelForCausalLM.from_pretrained(f"{folder}/base", quantization_config=config, dtype=dtype, device_map="cpu").save_pretrained(f"{folder}/made")
    model = AutoModelForCausalLM.from_pretrained(f"{folder}/made", device_map="cpu", dtype=torch.float32)
    for p in model.parameters():  # dtype does not reach what is not quantized
        if p.is_floating_point():
            p.data = p.data.float()
    down = dict(model.named_modules())[DOWN]
    if config.load_in_8bit:
        weight = down.weight.data.float() * down.weight.SCB.float().view(-1, 1) * 0.007874016
    else:
        down.weight.quant_state.dtype = torch.float32  # as the product has it
        weight = bnb.functional.dequantize_4bit(down.weight.data, down.weight.quant_state)
    # Of several rows at once, bitsandbytes takes a column that is an outlier in one for one in all.
    finish(name, f"{folder}/made", model, weight, one_by_one=config.load_in_8bit)


def compressed(name, folder, groups, format, ignore=("lm_head",), reload=True):
    import compressed_tensors.compressors.nvfp4.base as pairs
    from compressed_tensors.compressors import ModelCompressor
    from compressed_tensors.compressors.nvfp4.helpers import unpack_fp4_from_uint8
    from compressed_tensors.quantization import QuantizationConfig, QuantizationStatus, apply_quantization_config
    from compressed_tensors.quantization.lifecycle.forward import forward_quantize
    from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam

    # FP4 is unpacked to bfloat16 otherwise, and its products with scales rounded to that.
    pairs.unpack_fp4_from_uint8 = lambda a, m, n, dtype=None, unpack=unpack_fp4_from_uint8: unpack(a, m, n, torch.float32)
    base(f"{folder}/base")
    model = AutoModelForCausalLM.from_pretrained(f"{folder}/base", dtype=torch.float32)
    config = QuantizationConfig(config_groups=groups, format=format, ignore=list(ignore), quantization_status=QuantizationStatus.FROZEN)
    apply_quantization_config(model, config)
    inputs = {}
    hooks = [m.register_forward_pre_hook(lambda mod, args, n=n: inputs.update({n: args[0].detach()})) for n, m in model.named_modules() if hasattr(m, "quantization_scheme")]
    for m in model.modules():
        m.quantization_enabled = False
    with torch.no_grad():
        model(torch.tensor([TOKENS]))
    for hook in hooks:
        hook.remove()
    for n, m in model.named_modules():
        m.quantization_enabled = True
        scheme = getattr(m, "quantization_scheme", None)
        if scheme is None:
            continue
        w, args = m.weight.data, scheme.weights
        global_scale = None
        if args.strategy == "tensor":
            low, high = w.min().reshape(1), w.max().reshape(1)
        elif args.strategy == "channel":
            low, high = w.amin(1, keepdim=True), w.amax(1, keepdim=True)
        elif args.strategy == "block":
            h, b = args.block_structure
            p = torch.nn.functional.pad(w, (0, -w.shape[1] % b, 0, -w.shape[0] % h)).unflatten(0, (-1, h)).unflatten(2, (-1, b))
            low, high = p.amin((1, 3)), p.amax((1, 3))
        else:
            g = w.unflatten(1, (-1, args.group_size))
            low, high = g.amin(2), g.amax(2)
        if hasattr(m, "weight_global_scale"):
            global_scale = generate_gparam(w.min().reshape(1), w.max().reshape(1))
            m.weight_global_scale.data = global_scale
        scale, zero = calculate_qparams(low, high, args, global_scale)
        m.weight_scale.data = scale.to(m.weight_scale.dtype)
        if getattr(m, "weight_zero_point", None) is not None:
            m.weight_zero_point.data = zero
        x = inputs[n]
        if hasattr(m, "input_global_scale"):
            m.input_global_scale.data = generate_gparam(x.min().reshape(1), x.max().reshape(1))
        if hasattr(m, "input_scale"):
            scale, zero = calculate_qparams(x.min().reshape(1), x.max().reshape(1), scheme.input_activations)
            m.input_scale.data = scale
            if getattr(m, "input_zero_point", None) is not None:
                m.input_zero_point.data = zero
    compressor = ModelCompressor.from_pretrained_model(model, quantization_format=format)
    compressor.compress_model(model)
    model.save_pretrained(f"{folder}/made")
    compressor.update_config(f"{folder}/made")
    if reload:
        loaded = AutoModelForCausalLM.from_pretrained(f"{folder}/made", dtype=torch.float32)
    else:  # transformers 5.24 takes packed zero points for misshapen
        compressor.decompress_model(model)
        loaded = model
    finish_compressed(name, folder, loaded, forward_quantize)


def finish_compressed(name, folder, loaded, forward_quantize):
    with torch.no_grad():
        loaded(torch.tensor([TOKENS]))  # decompresses
    down = dict(loaded.named_modules())[DOWN]
    args = down.quantization_scheme.input_activations
    quantize = None if args is None else lambda x: forward_quantize(down, x[None], "input", args)[0]
    finish(name, f"{folder}/made", loaded, down.weight, quantize)


def fp8(name, folder, block, static=False):
    base(f"{folder}/base")
    tensors = load_file(f"{folder}/base/model.safetensors")
    out = {}
    for k, v in tensors.items():
        if "_proj" not in k:
            out[k] = v
            continue
        w = v.float()
        h, b = block or w.shape
        p = torch.nn.functional.pad(w, (0, -w.shape[1] % b, 0, -w.shape[0] % h)).unflatten(0, (-1, h)).unflatten(2, (-1, b))
        scale = p.abs().amax((1, 3)) / 448
        q = (p / scale[:, None, :, None]).to(torch.float8_e4m3fn).flatten(2).flatten(0, 1)[: w.shape[0], : w.shape[1]].contiguous()
        out[k] = q
        out[k + "_scale_inv"] = scale if block else scale.reshape(())
        if static:
            out[k.replace("weight", "activation_scale")] = torch.tensor(0.01)
    shutil.copytree(f"{folder}/base", f"{folder}/made")
    save_file(out, f"{folder}/made/model.safetensors", {"format": "pt"})
    config = json.loads(pathlib.Path(f"{folder}/base/config.json").read_text())
    config["quantization_config"] = dict(quant_method="fp8", activation_scheme="static" if static else "dynamic", weight_block_size=block, fmt="e4m3")
    pathlib.Path(f"{folder}/made/config.json").write_text(json.dumps(config))
    from transformers.integrations.finegrained_fp8 import _dequantize_fp8_weight

    plain = {k: _dequantize_fp8_weight(v, out[k + "_scale_inv"], block, torch.float32) if k + "_scale_inv" in out else v for k, v in out.items() if "_scale" not in k}
    shutil.copytree(f"{folder}/base", f"{folder}/plain")
    save_file({k: v.contiguous() for k, v in plain.items()}, f"{folder}/plain/model.safetensors", {"format": "pt"})
    model = AutoModelForCausalLM.from_pretrained(f"{folder}/plain", dtype=torch.float32)

    def quantize(x):
        if static:
            s = torch.tensor(0.01)
            return (x / s).clamp(-448, 448).to(torch.float8_e4m3fn).float() * s
        width = block[1] if block else x.shape[-1]
        padded = torch.nn.functional.pad(x, (0, -x.shape[-1] % width)).unflatten(-1, (-1, width))
        s = padded.abs().amax(-1, keepdim=True) / 448
        s = torch.where(s == 0, torch.tensor(2.0**-23), s)
        return ((padded / s).to(torch.float8_e4m3fn).float() * s).flatten(-2)[..., : x.shape[-1]]

    for n, m in model.named_modules():
        if "_proj" in n and isinstance(m, torch.nn.Linear):
            m.forward = lambda x, m=m: torch.nn.functional.linear(quantize(x), m.weight)
    finish(name, f"{folder}/made", model, dict(model.named_modules())[DOWN].weight, quantize)


def args(**fields):
    return dict(dynamic=False, symmetric=True, **fields)


INT8 = dict(weights=args(num_bits=8, type="int", strategy="channel"))
DYNAMIC8 = dict(num_bits=8, type="int", strategy="token", dynamic=True, symmetric=True)
FP8 = dict(weights=args(num_bits=8, type="float", strategy="channel"))
FP4 = dict(num_bits=4, type="float", symmetric=True)
LINEAR = ["Linear"]
VARIANTS = {
    "gptq-4": lambda n, f: gptq(n, f, bits=4, group_size=32, desc_act=False, sym=True),
    "gptq-4-order": lambda n, f: gptq(n, f, bits=4, group_size=32, desc_act=True, act_group_aware=False, sym=False),
    "gptq-v2-8": lambda n, f: gptq(n, f, bits=8, group_size=-1, desc_act=False, act_group_aware=False, sym=False, format="gptq_v2"),
    "gptq-3": lambda n, f: gptq(n, f, bits=3, group_size=32, desc_act=False, sym=True),
    "gptq-2": lambda n, f: gptq(n, f, bits=2, group_size=32, desc_act=False, sym=False),
    "awq": lambda n, f: gptq(n, f, bits=4, group_size=32, quant_method="awq", format="gemm", sym=False),
    "bnb-nf4": lambda n, f: bitsandbytes(n, f, load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True),
    "bnb-fp4": lambda n, f: bitsandbytes(n, f, dtype=torch.bfloat16, load_in_4bit=True, bnb_4bit_quant_type="fp4"),
    "bnb-int8": lambda n, f: bitsandbytes(n, f, load_in_8bit=True, llm_int8_threshold=1.5),
    "ct-w8a8": lambda n, f: compressed(n, f, {"group_0": dict(targets=LINEAR, **INT8, input_activations=DYNAMIC8)}, "int-quantized"),
    "ct-w8a8-static": lambda n, f: compressed(n, f, {"group_0": dict(targets=LINEAR, **INT8, input_activations=dict(num_bits=8, type="int", strategy="tensor", symmetric=True))}, "int-quantized"),
    "ct-w8a8-asymmetric": lambda n, f: compressed(n, f, {"group_0": dict(targets=LINEAR, **INT8, input_activations={**DYNAMIC8, "symmetric": False})}, "int-quantized"),
    "ct-w4a16": lambda n, f: compressed(n, f, {"group_0": dict(targets=LINEAR, weights=args(num_bits=4, type="int", strategy="group", group_size=32))}, "pack-quantized"),
    "ct-w4a16-asymmetric": lambda n, f: compressed(n, f, {"group_0": dict(targets=LINEAR, weights=dict(num_bits=4, type="int", strategy="group", group_size=32, symmetric=False))}, "pack-quantized", reload=False),
    "ct-w8a16": lambda n, f: compressed(n, f, {"group_0": dict(targets=LINEAR, weights=args(num_bits=8, type="int", strategy="channel"))}, "pack-quantized"),
    "ct-fp8-dynamic": lambda n, f: compressed(n, f, {"group_0": dict(targets=LINEAR, **FP8, input_activations=dict(num_bits=8, type="float", strategy="token", dynamic=True, symmetric=True))}, "float-quantized"),
    "ct-fp8-static": lambda n, f: compressed(n, f, {"group_0": dict(targets=LINEAR, weights=args(num_bits=8, type="float", strategy="tensor"), input_activations=dict(num_bits=8, type="float", strategy="tensor", symmetric=True))}, "float-quantized"),
    "ct-nvfp4": lambda n, f: compressed(n, f, {"group_0": dict(targets=LINEAR, weights=dict(**FP4, strategy="tensor_group", group_size=16, scale_dtype=torch.float8_e4m3fn), input_activations=dict(**FP4, strategy="tensor_group", group_size=16, dynamic="local", scale_dtype=torch.float8_e4m3fn))}, "nvfp4-pack-quantized"),
    "ct-mxfp4": lambda n, f: compressed(n, f, {"group_0": dict(targets=LINEAR, weights=dict(**FP4, strategy="group", group_size=32, scale_dtype=torch.uint8), input_activations=dict(**FP4, strategy="group", group_size=32, dynamic=True, scale_dtype=torch.uint8))}, "mxfp4-pack-quantized"),
    "ct-mixed": lambda n, f: compressed(n, f, {"attention": dict(targets=["re:.*self_attn.*"], **INT8, input_activations=DYNAMIC8), "rest": dict(targets=LINEAR, weights=args(num_bits=8, type="int", strategy="channel"))}, "naive-quantized", ignore=("lm_head", "model.layers.0.self_attn.v_proj")),
    "fp8-block": lambda n, f: fp8(n, f, [32, 64]),
    "fp8-tensor-static": lambda n, f: fp8(n, f, None, static=True),
}

for name in sys.argv[1:] or VARIANTS:
    with tempfile.TemporaryDirectory() as folder:
        VARIANTS[name](name, folder)
