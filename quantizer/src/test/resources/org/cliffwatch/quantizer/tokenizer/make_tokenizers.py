#!/usr/bin/env python3
"""What transformers makes of settings in tokenizer_config.json, and of SentencePiece's Unigram with its table of replacements: two small tokenizers, trained here.

  pip install transformers sentencepiece protobuf
  python make_tokenizers.py            writes tokenizers.json beside this file

"tokenizers" holds each tokenizer.json; "cases" a tokenizer's name, a tokenizer_config.json, a text and its ids, with special tokens added.
"""
import base64, json, pathlib, random, tempfile
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer

random.seed(5)
NOUNS, VERBS = "river stone garden window letter winter market bridge lantern harbour".split(), "carries follows answers watches leaves finds".split()
TEXT = [f"The {random.choice(NOUNS)} {random.choice(VERBS)} the {random.choice(NOUNS)}, {random.randint(1, 99)} times." for _ in range(400)]
# Wide letters, a ligature, a letter of two, one that becomes eighteen, a space, and one that goes.
RULES = {"Ａ": "A", "ﬁ": "fi", "é": "e\u0301", "ﷺ": "صلى الله عليه وسلم", "\u3000": " ", "\u200b": "", "ab\u0301": "áb"}


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder, tokenizer.post_processor = decoders.ByteLevel(), processors.ByteLevel(trim_offsets=True)
    tokenizer.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=330, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return tokenizer


def unigram(byte_fallback):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "text").write_text("\n".join(TEXT))
        code = lambda text: " ".join(f"{ord(c):04X}" for c in text)
        (folder / "rules.tsv").write_text("".join(f"{code(a)}\t{code(b)}\n" for a, b in RULES.items()))
        sentencepiece.SentencePieceTrainer.train(
            input=str(folder / "text"), model_prefix=str(folder / "m"), vocab_size=320 if byte_fallback else 64, byte_fallback=byte_fallback,
            model_type="unigram", normalization_rule_tsv=str(folder / "rules.tsv"), minloglevel=2, hard_vocab_limit=False)
        model = sentencepiece_model_pb2.ModelProto.FromString((folder / "m.model").read_bytes())
    tokenizer = Tokenizer(models.Unigram([(p.piece, p.score) for p in model.pieces], model.trainer_spec.unk_id, byte_fallback))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Precompiled(model.normalizer_spec.precompiled_charsmap), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 2)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return tokenizer


TOKENIZERS = {"byte-level": byte_level(), "unigram": unigram(False), "unigram-bytes": unigram(True)}
FAST = "PreTrainedTokenizerFast"
CASES = [
    ("byte-level", {"tokenizer_class": FAST}, "Hello <|endoftext|> river"),
    ("byte-level", {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True}, "river stone"),
    ("byte-level", {"tokenizer_class": "GPT2Tokenizer"}, "river stone"),
    ("byte-level", {"tokenizer_class": "GPTNeoXTokenizer", "add_prefix_space": True}, "river stone"),
    ("byte-level", {"tokenizer_class": FAST, "add_prefix_space": True}, "river stone"),
    ("byte-level", {"tokenizer_class": FAST, "added_tokens_decoder": {"0": {"content": "<|endoftext|>", "lstrip": True, "rstrip": True, "normalized": False, "single_word": False, "special": True}}}, "Hello <|endoftext|> river"),
    ("byte-level", {"tokenizer_class": FAST, "added_tokens_decoder": {"330": {"content": "stone", "single_word": True, "special": False}}}, "stone stones"),
    ("byte-level", {"tokenizer_class": FAST, "eos_token": "<end>", "extra_special_tokens": {"image_token": "<extra>"}}, "a <extra> b<end>"),
    ("byte-level", {"tokenizer_class": FAST, "extra_special_tokens": ["<one>", "<two>"]}, "a<two><one>"),
    ("byte-level", {"tokenizer_class": FAST, "split_special_tokens": True}, "Hello <|endoftext|> river"),
    ("byte-level", {"tokenizer_class": FAST, "split_special_tokens": True, "extra_special_tokens": ["<one>"]}, "a <one> river"),
    # A token that is named is special, whatever its flag says.
    ("byte-level", {"tokenizer_class": FAST, "split_special_tokens": True, "eos_token": "<end>", "added_tokens_decoder": {"330": {"content": "<end>", "special": False}}}, "a <end> river"),
] + [
    (name, {"tokenizer_class": FAST}, text)
    for name in ("unigram", "unigram-bytes")
    for text in ["The river carries the stone, 12 times.", "  two  spaces ", "", "</s>The</s> river", "Ａ ﬁne caf\u00e9\u3000and\u200b zero", "\u200bfirst", "\u200b", "ab\u0301c é́ ﷺ!", "\u4e2d\u6587 \U0001f600 unknown", "e\u0301\u0301", "a\u0000b\n\tc", "The lanternharbourbridge"]
]
cases = []
for name, config, text in CASES:
    with tempfile.TemporaryDirectory() as folder:
        TOKENIZERS[name].save(f"{folder}/tokenizer.json")
        (pathlib.Path(folder) / "tokenizer_config.json").write_text(json.dumps(config))
        ids = AutoTokenizer.from_pretrained(folder)(text)["input_ids"]
    cases.append({"tokenizer": name, "config": config, "text": text, "ids": ids})
lines = ",\n".join(json.dumps(c) for c in cases)
tokenizers = ",\n".join(f"{json.dumps(n)}: {json.dumps(json.loads(t.to_str()))}" for n, t in TOKENIZERS.items())
(pathlib.Path(__file__).parent / "tokenizers.json").write_text(f'{{"tokenizers": {{\n{tokenizers}}},\n"cases": [\n{lines}]}}\n')
