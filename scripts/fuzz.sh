#!/usr/bin/env bash
# Runs each fuzz target of the main module for the given time (default 30s), one after another: the go command takes one
# target at a time. A finding is written to testdata/fuzz of its package; commit it, it is a test from then on.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-30s} failed=0 ran=0

while IFS=: read -r file name; do
  ran=$((ran + 1))
  echo "== $(dirname "$file") $name ($time)"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "./$(dirname "$file")" </dev/null || failed=$((failed + 1))
done < <(git ls-files --cached --others --exclude-standard '*_test.go' ':!examples' |
  xargs -r grep -HoE '^func Fuzz[A-Za-z0-9_]+' | sed 's/func //')

echo "$ran fuzz targets, $failed failed"
((ran > 0 && failed == 0))
