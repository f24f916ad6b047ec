#!/usr/bin/env bash
# Makes what gpu-check.sh runs on a machine with a GPU and without Java: a JVM of a few modules, the
# classes and tests of quantizer, and the libraries they need. --help says more.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat << 'END'
Usage: gpu-bundle.sh [--output FILE] [--goldens DIR]

Packs a JVM (jlink), the quantizer with its tests, and their libraries for gpu-check.sh. Needs a JDK 17 and
Maven; runs on Linux x86-64.

  --output FILE   default: target/gpu-bundle.tar.xz, or .tar.gz without xz
  --goldens DIR   goldens to carry (default: ../shared/golden/architectures where it is there)

Exit codes: 0 done, 3 bad usage, 5 failed or larger than 50 MiB
END
}

output=""
goldens="${CLIFFWATCH_SHARED:-$CLIFFWATCH_HOME/../shared}/golden/architectures"
while [ $# -gt 0 ]; do
  case "$1" in
    --output) output="${2:?--output needs a file}"; shift 2 ;;
    --goldens) goldens="${2:?--goldens needs a folder}"; shift 2 ;;
    --help | -h) usage; exit 0 ;;
    *) cliffwatch_fail "found '$1', expected an option of gpu-bundle.sh --help" ;;
  esac
done

compress=(gzip -9)
extension=gz
if command -v xz > /dev/null; then
  compress=(xz -6 -T2)
  extension=xz
fi
output="${output:-$CLIFFWATCH_HOME/target/gpu-bundle.tar.$extension}"
mkdir -p "$(dirname "$output")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
root="$work/bundle"
mkdir -p "$root/lib"

echo "gpu-bundle: building ..." >&2
(cd "$CLIFFWATCH_HOME" && mvn -B -q -Pquick -pl quantizer test-compile \
  dependency:build-classpath -Dmdep.includeScope=test -Dmdep.outputFile="$work/classpath" >&2)
cp -r "$CLIFFWATCH_HOME/quantizer/target/classes" "$CLIFFWATCH_HOME/quantizer/target/test-classes" "$root/"

# What runs without ND4J, oneDNN and a C++ compiler. JUnit's console launcher holds all of JUnit.
tr ':' '\n' < "$work/classpath" > "$work/jars"
for jar in jackson-databind jackson-annotations jackson-core jackson-dataformat-yaml snakeyaml picocli slf4j-api \
  slf4j-nop api gson javacpp assertj-core; do
  found="$(grep -E "/$jar-[0-9][^/]*\.jar$" "$work/jars" | grep -v org/nd4j || true)"
  [ -n "$found" ] || { echo "gpu-bundle: found no $jar among the tests' libraries" >&2; exit 5; }
  while read -r file; do cp "$file" "$root/lib/"; done <<< "$found"
done
cp "$(grep -E '/cuda-[0-9][^/]*\.jar$' "$work/jars" | grep -v linux)" "$root/lib/"
(cd "$CLIFFWATCH_HOME" && mvn -B -q dependency:copy -Dartifact="org.junit.platform:junit-platform-console-standalone:1.14.4" \
  -DoutputDirectory="$root/lib" >&2)

# Of CUDA's JNI libraries the three that are used: the others are most of the jar.
native="$(grep -E '/cuda-[0-9][^/]*-linux-x86_64\.jar$' "$work/jars")"
mkdir "$work/native"
(cd "$work/native" && "$(dirname "$(cliffwatch_java_binary)")/jar" xf "$native" &&
  find . -name '*.so' ! -name 'libjnicudart.so' ! -name 'libjnicublas.so' ! -name 'libjninvrtc.so' -delete &&
  "$(dirname "$(cliffwatch_java_binary)")/jar" cf "$root/lib/cuda-natives.jar" .)

if [ -d "$goldens" ]; then
  mkdir -p "$root/shared/golden"
  cp -r "$goldens" "$root/shared/golden/architectures"
  chmod -R u+w "$root/shared"
fi

"$(dirname "$(readlink -f "$(cliffwatch_java_binary)")")/jlink" --compress=0 --strip-debug --no-header-files --no-man-pages \
  --add-modules java.base,java.logging,java.management,jdk.management,jdk.unsupported,java.xml --output "$root/jre"

tar -C "$root" -c . | "${compress[@]}" > "$output"
size="$(stat -c %s "$output")"
echo "gpu-bundle: $output, $((size / 1048576)) MiB"
if [ "$size" -gt $((50 * 1048576)) ]; then
  echo "gpu-bundle: larger than 50 MiB" >&2
  exit 5
fi
