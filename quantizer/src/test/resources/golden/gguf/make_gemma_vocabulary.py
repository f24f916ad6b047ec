#!/usr/bin/env python3
"""A SentencePiece vocabulary as Gemma has it and as llama.cpp's converter writes it: gemma_vocabulary.json beside this file.

  pip install torch transformers gguf sentencepiece safetensors numpy
  python make_gemma_vocabulary.py LLAMA_CPP       as make.py

A small BPE model without a space before the text, with bytes for what it does not know, and with runs of newlines and of spaces as symbols of their own.
The file holds the tokenizer's metadata (key, value), texts, and SentencePiece's ids.
"""
import json, pathlib, random, sys, tempfile
import sentencepiece, torch
import make
from conversion.gemma import Gemma2Model

WORDS = "river stone garden window letter winter market bridge lantern harbour the a and of 12 345 café Straße привет 中文".split()
USER = ["<mask>", "<unused0>", "\n", "\n\n", "\n\n\n", "▁▁", "▁▁▁", "▁▁▁▁", "<table>", "<start_of_turn>"]
TEXTS = [
    "the river and the stone", "a  b   c    d     e      f", "  leading", "trailing   ", "x\n\n\n\ny\n z\n\nw", "12345 café Straße", "привет 中文 한국",
    "<table> the <start_of_turn> a", "a\tb", "   \n  \n", "", " ", "the  river", "garden,window!letter", "👍🏽 don't",
]
random.seed(1)
with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary) / "gemma"
    config = dict(make.AutoConfig.for_model("gemma2", **make.BASE["gemma2"], vocab_size=470).to_dict(), architectures=["Gemma2ForCausalLM"])
    text = folder.parent / "text"
    text.write_text("\n".join(" ".join(random.choices(WORDS, k=12)) for _ in range(3000)))
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(folder.parent / "tokenizer"), vocab_size=470, model_type="bpe", byte_fallback=True, add_dummy_prefix=False, remove_extra_whitespaces=False,
        normalization_rule_name="identity", split_digits=True, pad_id=0, eos_id=1, bos_id=2, unk_id=3, user_defined_symbols=USER, minloglevel=2, character_coverage=0.999)
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder.parent / "tokenizer.model"))
    make.folder_of(folder, config, {"model.embed_tokens.weight": torch.zeros(470, 32)})
    (folder.parent / "tokenizer.model").rename(folder / "tokenizer.model")
    added = {i: {"content": model.id_to_piece(i), "special": i < 4 or i == 13, "normalized": False} for i in range(14)}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GemmaTokenizer", "added_tokens_decoder": added, "bos_token": "<s>", "eos_token": "</s>"}))
    out = folder / "out.gguf"
    with torch.inference_mode():
        Gemma2Model(folder, make.gguf.LlamaFileType.ALL_F32, out).write()
    fields = make.gguf.GGUFReader(out).fields
metadata = {k: f.contents() for k, f in fields.items() if k.startswith("tokenizer.ggml.")}
rows = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in metadata.items())
file = make.HERE / "gemma_vocabulary.json"
file.write_text(f'{{"metadata": {{\n{rows}}},\n"texts": {json.dumps(TEXTS)},\n"ids": {json.dumps([model.encode(t) for t in TEXTS])}}}\n')
print(len(metadata["tokenizer.ggml.tokens"]), "tokens", file.stat().st_size, "bytes")
