#!/bin/sh
# Builds the fuzzers with Clang and runs each for SECONDS (default 60):
#   [FUZZERS="llm_answer ..."] tests/fuzz/run.sh [SECONDS]
# Fuzzers: expression, kernel_source (plans, and the text around them),
# llm_answer (answers of models, applied to a kernel file), tokenizer.
# Needs Debian's clang-19 and libclang-rt-19-dev (both in packages.txt); the
# latter holds what -fsanitize=fuzzer,address,undefined links.
# What they find lies in build/fuzz/found/; a finding becomes a file of
# tests/fuzz/corpus/ together with its fix.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${1:-60}
build=$root/build/fuzz
fuzzers=${FUZZERS:-expression kernel_source llm_answer tokenizer}
runtime=$(clang++-19 -print-resource-dir 2>/dev/null || true)
if [ -z "$(find "${runtime:-/nowhere}" -name 'libclang_rt.fuzzer*' 2>/dev/null)" ]
then
  echo "run.sh: no fuzzer of Clang 19 here; apt-get install clang-19" \
       "libclang-rt-19-dev" >&2
  exit 1
fi
targets=
for name in $fuzzers; do targets="$targets ${name}_fuzz"; done
cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
      -DCMAKE_CXX_COMPILER=clang++-19 -DEVOKE_FUZZ=ON >"$build.log" 2>&1 || {
  cat "$build.log" >&2; exit 1; }
# shellcheck disable=SC2086  # a list
cmake --build "$build" --target $targets
for name in $fuzzers; do
  mkdir -p "$build/found/$name" "$build/grown/$name"
  echo "== ${name}_fuzz, $seconds s"
  "$build/tests/fuzz/${name}_fuzz" -max_total_time="$seconds" -timeout=5 \
      -rss_limit_mb=2048 -max_len=8192 -use_value_profile=1 \
      -print_final_stats=1 -dict="$root/tests/fuzz/$name.dict" \
      -artifact_prefix="$build/found/$name/" \
      "$build/grown/$name" "$root/tests/fuzz/corpus/$name"
done
