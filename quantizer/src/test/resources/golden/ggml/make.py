"""Makes widened.json beside this file: python make.py   (needs gguf 0.19.0, numpy)

For each block format: the SHA-256 of 512 blocks widened by the reference dequantizer, as
little-endian float32 bits with every NaN as 0x7fc00000. The blocks' bytes are the high bytes of
x ← x · 6364136223846793005 + 1442695040888963407 (mod 2⁶⁴) from x = 1.
"""

import hashlib
import json
import pathlib

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

BLOCKS = 512
MASK = (1 << 64) - 1
widened = {}
for name in "Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS TQ1_0 TQ2_0 MXFP4 NVFP4 F16 BF16".split():
    _, size = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
    x, data = 1, bytearray()
    for _ in range(BLOCKS * size):
        x = (x * 6364136223846793005 + 1442695040888963407) & MASK
        data.append(x >> 56)
    blocks = np.frombuffer(bytes(data), np.uint8).reshape(1, -1)
    with np.errstate(all="ignore"):
        values = dequantize(blocks, GGMLQuantizationType[name]).reshape(-1)
    bits = np.where(np.isnan(values), np.uint32(0x7FC00000), values.view(np.uint32))
    widened[name] = hashlib.sha256(bits.astype("<u4").tobytes()).hexdigest()
out = pathlib.Path(__file__).with_name("widened.json")
out.write_text(json.dumps(widened, indent=2) + "\n")
