#!/usr/bin/env bash
# What documents say of an H200, measured again, into files of their own.
#   bench/on_h200.sh PREFIX OUT [PART ...]
# PREFIX: an unpacked package (bin/, lib/, lib/mlx a link to the folder of an
# MLX with CUDA). OUT: a folder. Parts, in this order where none is named
# (`before` only with BEFORE):
#   verify   the composite kernel, all cases               half a minute
#   before   against another one: BEFORE=/FOLDER/FILE.cu   1.5 min
#   torch    against MLX and torch's cuDNN, both workloads 6 min
#   search   eight minutes from it, then its confirmation  12 min
#   model    inside Qwen3, beside mlx-lm                   3 min
# Needs a python3 with torch for CUDA (torch) and mlx_lm (model).
set -uo pipefail
die() { echo "on_h200: $*" >&2; exit 1; }
[ $# -ge 2 ] || die 'usage: on_h200.sh PREFIX OUT [PART ...]'
[ -x "$1/bin/evoke" ] || die "no $1/bin/evoke: is $1 an unpacked package?"
mkdir -p "$2" || die "cannot make $2"
prefix=$(cd "$1" && pwd)
out=$(cd "$2" && pwd)
shift 2
[ $# -gt 0 ] || set -- verify ${BEFORE:+before} torch search model
for part in "$@"; do
  case $part in
    verify|before|torch|search|model) ;;
    *) die "no part '$part'" ;;
  esac
done
cd "$(dirname "$0")/.." || die 'where is the repository?'
kernel=kernels/attention/cuda/composite.cu
evoke=$prefix/bin/evoke

verify() { "$evoke" verify $kernel; }
before() {
  [ -n "${BEFORE-}" ] || { echo 'no kernel is named in BEFORE'; return 1; }
  for workload in qwen3-0.6b qwen3-0.6b-batched; do
    "$evoke" bench $kernel --against "$BEFORE" --workload $workload \
      --pairs 12 || return
  done
}
torch() {
  for workload in qwen3-0.6b qwen3-0.6b-batched; do
    python3 bench/baselines/against_torch.py $kernel --evoke "$evoke" \
      --workload $workload --rounds 1 --pairs 12 || return
  done
}
search() {
  "$evoke" evolve $kernel --device cuda --workload qwen3-0.6b \
    --proposer parameters --time-budget 8m --output "$out/run"
  local code=$?  # a run that was cut off has a report as well
  "$evoke" report "$out/run" --format markdown >"$out/report.md"
  return $code
}
model() { python3 bench/model/on_a_gpu.py "$prefix" "$out/model"; }

failed=0
for part in "$@"; do
  started=$(date +%s)
  "$part" >"$out/$part.txt" 2>&1
  code=$?
  [ $code = 0 ] || failed=1
  echo "$part: code $code, $(( $(date +%s) - started )) s; $out/$part.txt"
done
exit $failed
