#!/usr/bin/env python3
"""How the byte-level vocabularies that a GGUF file names cut text into words: words.json beside this file.

  pip install tokenizers
  python make_words.py LLAMA_CPP       a source tree of ggml-org/llama.cpp, of which src/llama-vocab.cpp is read

Merges are learned without cutting, so that each text is one token and a cut shows in its ids. "ids" are those of the `tokenizers` library with the normalizer and
pre-tokenizer of the tokenizer.json that the name stands for; where llama.cpp's own regular expressions cut otherwise, DIFFERENT says why.
"""
import json, pathlib, re, sys
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

TEXTS = [
    "I'll say it's what they'd DON'T 'S we'RE isn't, 'tis", "1234567 12 3,456.78 9 ½ ²³ ٣٤٥ x2y 007", "a  b   c\t\td \n\n e  \r\n f   ", "  leading and trailing  ", "\n\n\nx\n y\r\n\r\nz",
    "中文字，测试。日本語のテスト 한국어 12个", "👍🏽 ok 👨‍👩‍👧 fine 🇫🇷", "Привет мир, שלום مرحبا، हिन्दी भाषा। ไทย", "café cafe\u0301 A\u030a Å ﬁ Ǆ ǅ ʰx", "Hello!!! (what?) [x]{y} <z> $5 + 3 = 8 ^_^ ~`|",
    "snake_case CamelCase HTTPServer iPhone XMLHttpRequest's McDonald's", "/path/to/file.txt https://a.b/c?d=e#f\n//x\n/ y", "a\u00a0b\u2003c\u200bd\u3000e", "one,two.three!four?five…six。seven，eight、nine।ten۔eleven،twelve(x|y)",
    "№5 ①② Ⅻ 10³ 5° ±3 €4 £5¢", "ab12cd 3d 4K 100% 50€ a1b2c3 0x1F 1e-5", "", " ", "'", "x  ", "ÀÉÎ naïve Straße ΑΒΓ αβγ ЖЖж", "don’t “quote” — dash – x",
]
CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
CL100K = CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
CASED = r"[^\r\n\p{L}\p{N}]?" + UPPER + "*" + LOWER + "+%s|" + r"[^\r\n\p{L}\p{N}]?" + UPPER + "+" + LOWER + r"*%s|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
split = lambda regex: pre_tokenizers.Split(Regex(regex), "isolated")
gpt2, plain = pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
digits = pre_tokenizers.Digits
# Name: the constant in llama-vocab.cpp, NFC, whether whole words come before merges, pre-tokenizers.
WORDS = {
    "gpt-2": ("GPT2", False, False, [gpt2]),  # transformers: GPT2Tokenizer
    "olmo": ("OLMO", True, False, [gpt2]),  # GPTNeoXTokenizer
    "mpt": ("MPT", True, False, [gpt2]),
    "command-r": ("COMMAND_R", True, False, [digits(individual_digits=True), gpt2]),  # CohereTokenizer
    "refact": ("REFACT", False, False, [digits(individual_digits=True), gpt2]),
    "starcoder": ("STARCODER", False, False, [digits(individual_digits=True), gpt2]),
    "falcon": ("FALCON", False, False, [pre_tokenizers.Punctuation("contiguous"), gpt2, digits(individual_digits=False), split("[0-9][0-9][0-9]")]),
    "bloom": ("BLOOM", False, False, [split(r" ?[^(\s|[.,!?…。，、।۔،])]+"), plain]),
    "llama-bpe": ("LLAMA3", False, True, [split(CL100K), plain]),
    "dbrx": ("DBRX", False, False, [split(CL100K), plain]),
    "qwen2": ("QWEN2", True, False, [split(CL100K.replace("{1,3}", "")), plain]),  # Qwen2Tokenizer
    "stablelm2": ("STABLELM2", True, False, [split(CL100K.replace("{1,3}", "")), plain]),  # Arcade100kTokenizer
    "gpt-4o": ("GPT4O", False, False, [split(CASED % (CONTRACTION + "?", CONTRACTION + "?", "{1,3}")), plain]),
    "tekken": ("TEKKEN", False, True, [split(CASED % ("", "", "")), plain]),
}
DIFFERENT = {
    "falcon": "every number is cut off, after bytes have become letters, some of which (² ³ ¹ ¼ ½ ¾) are numbers; llama.cpp cuts off three digits at a time",
    "gpt-4o": "llama.cpp has no classes of case and of marks, and takes ASCII's",
    "tekken": "the same",
}


def expressions(source, constant):
    cases = source[source.index(f"case LLAMA_VOCAB_PRE_TYPE_{constant}:"):]
    body = cases[cases.index("regex_exprs = {") : cases.index("};")]
    lines = [line for line in body.splitlines() if not line.strip().startswith("//")]
    found = re.findall(r'"((?:[^"\\]|\\.)*)"', "\n".join(lines))
    return [re.sub(r"\\(.)", lambda m: {"n": "\n", "r": "\r", "t": "\t"}.get(m[1], m[1]), text) for text in found]


def tokenizer(vocabulary, merges, nfc, whole, steps):
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=whole))
    if nfc:
        made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.Sequence(steps)
    return made


learned = Tokenizer(models.BPE())
learned.pre_tokenizer = plain
learned.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=4000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
model = json.loads(learned.to_str())["model"]
vocabulary, merges = model["vocab"], [tuple(m) for m in model["merges"]]
source = (pathlib.Path(sys.argv[1]) / "src/llama-vocab.cpp").read_text()
ids = {}
for name, (constant, nfc, whole, steps) in WORDS.items():
    own = [tokenizer(vocabulary, merges, nfc, whole, steps).encode(text).ids for text in TEXTS]
    theirs = [split(e) for e in expressions(source, constant)] + [plain]
    other = [tokenizer(vocabulary, merges, nfc, whole, theirs).encode(text).ids for text in TEXTS]
    different = [text for text, a, b in zip(TEXTS, own, other) if a != b]
    print(name, sum(map(len, own)), "tokens; llama.cpp differs in", different)
    assert bool(different) == (name in DIFFERENT), name
    ids[name] = own
tokens = sorted(vocabulary, key=vocabulary.get)
out = pathlib.Path(__file__).with_name("words.json")
rows = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in ids.items())
out.write_text(f'{{"tokens": {json.dumps(tokens)},\n"merges": {json.dumps([" ".join(m) for m in merges])},\n"texts": {json.dumps(TEXTS)},\n"ids": {{\n{rows}}}}}\n')
print(len(tokens), "tokens", out.stat().st_size, "bytes")
