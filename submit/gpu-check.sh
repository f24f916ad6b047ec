#!/usr/bin/env bash
# Everything the cuda backend is to show, on a machine with a GPU and CUDA 13; Java is not needed. --help
# says more.
set -uo pipefail
home="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"

usage() {
  cat << 'END'
Usage: gpu-check.sh [--bundle FILE] [--output FILE] [--seconds N]

Unpacks what gpu-bundle.sh made and, on this machine's GPU: probes it, runs the goldens, the kernels beside
their scalar twins and bit identity, again under compute-sanitizer, and measures speed, beside transformers
where Python has it. A JSON object a line as soon as it is known, so that a run cut short still tells.

  --bundle FILE   default: target/gpu-bundle.tar.xz or .tar.gz
  --output FILE   default: gpu-check.jsonl
  --seconds N     all in (default: 460); what is not reached is said to be left out

Exit codes: 0 everything held, 1 something did not, 3 bad usage, or no GPU or CUDA 13
END
}

bundle=""
output="gpu-check.jsonl"
seconds=460
while [ $# -gt 0 ]; do
  case "$1" in
    --bundle) bundle="${2:?--bundle needs a file}"; shift 2 ;;
    --output) output="${2:?--output needs a file}"; shift 2 ;;
    --seconds) seconds="${2:?--seconds needs a number}"; shift 2 ;;
    --help | -h) usage; exit 0 ;;
    *) echo "gpu-check: found '$1', expected an option of gpu-check.sh --help" >&2; exit 3 ;;
  esac
done
for made in "$home"/target/gpu-bundle.tar.xz "$home"/target/gpu-bundle.tar.gz; do
  [ -z "$bundle" ] && [ -f "$made" ] && bundle="$made"
done
[ -f "$bundle" ] || { echo "gpu-check: found no bundle: make one with submit/gpu-bundle.sh" >&2; exit 3; }

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
tar -xf "$bundle" -C "$work" || exit 3
touch "$output"
output="$(readlink -f "$output")"
cd "$work" || exit 3
export CLIFFWATCH_SHARED="$work/shared"
if [ -z "${CLIFFWATCH_CUDA_LIBRARIES:-}" ] && command -v python3 > /dev/null; then
  # PyTorch brings a toolkit of its own.
  CLIFFWATCH_CUDA_LIBRARIES="$(python3 -c 'import glob, sys
print(":".join(f for p in sys.path for f in glob.glob(p + "/nvidia/cu13/lib")))' 2> /dev/null)"
  export CLIFFWATCH_CUDA_LIBRARIES
fi
java=("$work/jre/bin/java" -Xmx6g -XX:MaxDirectMemorySize=6g "-Djava.io.tmpdir=$work" "-Dorg.bytedeco.javacpp.cachedir=$work/cache"
  -cp "classes:test-classes:$(printf '%s:' lib/*.jar)")
check=org.cliffwatch.quantizer.cli.GpuCheck
junit=(org.junit.platform.console.ConsoleLauncher execute --disable-banner --details=summary)
package=org.cliffwatch.quantizer
failed=0

left() { echo $((seconds - SECONDS)); }

line() { echo "$1" | tee -a "$output"; }

# tests NAME LIMIT PREFIX... -- CLASSES...: a line with what passed; failures on stderr.
tests() {
  local name="$1" limit="$2" prefix=() classes=()
  shift 2
  while [ "$1" != -- ]; do prefix+=("$1"); shift; done
  shift
  for class in "$@"; do classes+=(--select-class "$package.$class"); done
  [ "$(left)" -gt "$limit" ] || { failed=1; line "{\"step\":\"$name\",\"left_out\":\"no time\"}"; return; }
  local start=$SECONDS log="$work/$name.log"
  timeout "$limit" "${prefix[@]}" "${java[@]}" -Dcliffwatch.require-gpu=true -Dcliffwatch.emulation=false "${junit[@]}" --include-tag gpu \
    "${classes[@]}" > "$log" 2>&1
  local code=$?
  count() { sed -n "s/^\[ *\([0-9]*\) tests $1 *\]/\1/p" "$log" | head -n 1; }
  local errors passed wrong
  passed="$(count successful)"
  wrong="$(count failed)"
  errors="$(sed -n 's/^=* ERROR SUMMARY: \([0-9]*\) error.*/\1/p' "$log")"
  if [ $code -ne 0 ]; then
    failed=1
    head -c 6000 "$log" >&2
  fi
  line "{\"step\":\"$name\",\"exit_code\":$code,\"successful\":${passed:-null},\"failed\":${wrong:-null},\"sanitizer_errors\":${errors:-null},\"seconds\":$((SECONDS - start))}"
}

timeout 60 "${java[@]}" "$check" --step probe --output "$output" 2> "$work/probe.log"
case $? in
  0) ;;
  3) echo "gpu-check: no device: $(sed -n 's/^error: //p' "$work/probe.log")" >&2; exit 3 ;;
  *) echo "gpu-check: the backend does not open:" >&2; head -c 6000 "$work/probe.log" >&2; exit 1 ;;
esac
tail -n 1 "$output"
smi="$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2> /dev/null | head -n 1)"
line "{\"step\":\"environment\",\"gpu\":\"$smi\",\"glibc\":\"$(ldd --version | head -n 1)\"}"

kernels=(kernel.OperationsTest kernel.AttentionTest kernel.cuda.DeviceSessionTest kernel.cuda.DeviceTest
  kernel.cuda.KernelsTest)
models=(kernel.LinearTest kernel.VocabularyHeadTest kernel.VectorwiseGoldenTest model.VariantGoldenTest
  model.FamilyGoldenTest score.BitIdentityTest)
tests kernels 90 -- "${kernels[@]}"
tests models 120 -- "${models[@]}"
if command -v compute-sanitizer > /dev/null; then
  sanitizer=(compute-sanitizer --target-processes all --error-exitcode 9 --tool)
  tests memcheck 90 "${sanitizer[@]}" memcheck -- kernel.cuda.DeviceSessionTest model.VariantGoldenTest
  # No --kernel-name filter: the sanitizer itself fails with one.
  tests racecheck 150 "${sanitizer[@]}" racecheck -- kernel.cuda.DeviceSessionTest kernel.cuda.KernelsTest
else
  failed=1
  line '{"step":"memcheck","left_out":"found no compute-sanitizer"}'
fi
lines="$(wc -l < "$output")"
for step in products models; do
  [ "$(left)" -gt 30 ] && { timeout "$(left)" "${java[@]}" "$check" --step "$step" --seconds "$(($(left) - 20))" --output "$output" > "$work/$step.log" 2>&1 ||
    { failed=1; head -c 3000 "$work/$step.log" >&2; }; }
done
tail -n "+$((lines + 1))" "$output"
if [ "$(left)" -gt 40 ] && python3 -c 'import torch, transformers' 2> /dev/null; then
  timeout "$(left)" python3 - << 'END' 2> "$work/peer.log" | tee -a "$output"
import json, random, time
import torch, transformers

# The documents of SpeedRun.java: four endings to one context, padded in batches as lm-evaluation-harness
# does; the best of the batch sizes.
config = transformers.GPTNeoXConfig(vocab_size=50432, hidden_size=4096, num_hidden_layers=32, num_attention_heads=32,
                                    intermediate_size=16384, max_position_embeddings=2048, rotary_pct=0.25)
torch.set_default_dtype(torch.float16)
with torch.device("cuda"):
    model = transformers.GPTNeoXForCausalLM(config).eval()
draw = random.Random(1)
requests = []
documents = 200
for _ in range(documents):
    context = [draw.randrange(50432) for _ in range(draw.randrange(16, 47))]
    for _ in range(4):
        ending = [draw.randrange(50432) for _ in range(draw.randrange(7, 20))]
        requests.append((context + ending, len(ending)))
requests.sort(key=lambda request: -len(request[0]))

@torch.inference_mode()
def score(size):
    for at in range(0, len(requests), size):
        batch = requests[at:at + size]
        longest = len(batch[0][0]) - 1
        ids = torch.zeros((len(batch), longest), dtype=torch.long)
        for row, (tokens, _) in enumerate(batch):
            ids[row, :len(tokens) - 1] = torch.tensor(tokens[:-1])
        logits = torch.log_softmax(model(ids.cuda()).logits.float(), dim=-1)
        for row, (tokens, scored) in enumerate(batch):
            end = len(tokens) - 1
            target = torch.tensor(tokens[-scored:], device="cuda")
            logits[row, end - scored:end].gather(1, target[:, None]).sum()
    torch.cuda.synchronize()

best = {}
for size in (32, 64, 128):
    score(size)
    start = time.perf_counter()
    score(size)
    best[size] = time.perf_counter() - start
size = min(best, key=best.get)
print(json.dumps({"step": "peer", "peer": f"transformers {transformers.__version__}, torch {torch.__version__}",
                  "model": "pythia-6.9b", "precision": "fp16", "batch": size, "documents": documents,
                  "documents_per_second": round(documents / best[size], 1)}))
END
  [ -s "$work/peer.log" ] && grep -iE 'error' "$work/peer.log" | head -n 5 >&2
fi
line "{\"step\":\"end\",\"seconds\":$SECONDS,\"failed\":$failed}"
exit $failed
