#!/bin/sh
# Builds the fuzzers with Clang and runs each for SECONDS (default 60):
#   [FUZZERS="llm_answer ..."] tests/fuzz/run.sh [SECONDS]
# What they find lies in build/fuzz/found/; a finding becomes a file of
# tests/fuzz/corpus/ together with its fix.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${1:-60}
build=$root/build/fuzz
cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
      -DCMAKE_CXX_COMPILER=clang++-19 -DEVOKE_FUZZ=ON >"$build.log" 2>&1 || {
  cat "$build.log" >&2; exit 1; }
cmake --build "$build" --target kernel_source_fuzz expression_fuzz \
      llm_answer_fuzz tokenizer_fuzz
for name in ${FUZZERS:-expression kernel_source llm_answer tokenizer}; do
  mkdir -p "$build/found/$name" "$build/grown/$name"
  echo "== ${name}_fuzz, $seconds s"
  "$build/tests/fuzz/${name}_fuzz" -max_total_time="$seconds" -timeout=5 \
      -rss_limit_mb=2048 -max_len=8192 -use_value_profile=1 \
      -print_final_stats=1 -dict="$root/tests/fuzz/$name.dict" \
      -artifact_prefix="$build/found/$name/" \
      "$build/grown/$name" "$root/tests/fuzz/corpus/$name"
done
