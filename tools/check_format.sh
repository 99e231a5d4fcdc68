#!/bin/sh
# Whether every C++ file in git is formatted as .clang-format says.
#   tools/check_format.sh CLANG_FORMAT [--fix]
# Kernel files are candidates, not our code: they keep their own form.
set -eu
cd "$(dirname "$0")/.."
clang_format=$1
mode='--dry-run -Werror'
[ "${2:-}" = --fix ] && mode=-i
git ls-files -- '*.cpp' '*.h' | while read -r file; do
  case $file in tests/fuzz/corpus/*) continue ;; esac
  [ -f "$file" ] || continue
  [ "$(head -c 7 "$file")" = '/*evoke' ] || printf '%s\0' "$file"
done | xargs -0 -n 50 "$clang_format" $mode
