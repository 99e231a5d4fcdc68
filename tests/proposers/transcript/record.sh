#!/bin/sh
# Records both runs beside this file. Needs a build in build/release.
set -eu
here=tests/proposers/transcript
out=$(mktemp -d)
python3 $here/serve_answers.py $here/answers.txt 8765 &
service=$!
trap 'kill $service; rm -rf "$out"' EXIT
sleep 1
for proposer in llm parameters; do
  set -- kernels/attention/cpu/three_pass.cpp --config $here/config.toml \
    --proposer $proposer -o "$out/$proposer"
  [ $proposer = llm ] && set -- "$@" --llm $here/llm.toml
  build/release/apps/evoke evolve "$@"
  build/release/apps/evoke export "$out/$proposer" --format json \
    -o "$out/$proposer.jsonl"
  python3 $here/strip_run.py "$out/$proposer" "$out/$proposer.jsonl" $here
done
