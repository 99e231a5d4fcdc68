# Sourced by ./evoke: what CI runs. Each part closes with ctest's own summary.
#   ./evoke test [--quick] [release|tidy|asan|tsan ...]
# --quick is the release part alone.
quick=; parts=
for argument in "$@"; do
  case $argument in
    --quick) quick=1 ;;
    release|asan|tsan|tidy) parts="$parts $argument" ;;
    *) die "test: unknown argument '$argument'; use --quick, release, asan, tsan or tidy" ;;
  esac
done
[ -n "$parts" ] || parts=${quick:+release}
[ -n "$parts" ] || parts='release tidy asan tsan'
setup_tests

failed=
for part in $parts; do
  say "== $part"
  if [ "$part" = tidy ]; then  # reads what the release build compiled
    configure release
    ninja -C "$root/build/release" --quiet -k 0 all >&2 &&
      python3 "$root/tools/tidy.py" "$root/build/release" ||
      failed="$failed tidy"
    continue
  fi
  configure "$part"
  started=$(date +%s)
  if ! ninja -C "$root/build/$part" --quiet -k 0 all >&2; then
    failed="$failed $part(build)"; continue
  fi
  say "$part: built in $(( $(date +%s) - started )) s"
  # Timing tests would disturb one another: one test at a time where they
  # say so (RUN_SERIAL), two otherwise.
  (cd "$root/build/$part" &&
   ctest --output-on-failure --no-tests=error -j 2) || failed="$failed $part"
  say "$part: done after $(( $(date +%s) - started )) s"
done
# Again at the end, where whoever reads a long log looks first.
for part in $failed; do
  logs=$root/build/$part/Testing/Temporary
  [ -s "$logs/LastTestsFailed.log" ] || continue
  say "$part: failed tests:"; cat "$logs/LastTestsFailed.log" >&2
  awk '/^[0-9]+\/[0-9]+ Testing: /{text = ""} {text = text $0 "\n"}
       /^Test Failed\./{printf "%s", text}' \
    "$logs/LastTest.log" | tail -n 300 >&2
done
[ -z "$failed" ] || die "failed:$failed"
say "all parts passed:$parts" 
exit 0
