#!/usr/bin/env bash
# Starts the demo, carries out every drill on it, and ends it. Needs root on
# Linux for most faults; what cannot be done is reported as skipped.
# DRILL_DATABASE: postgres://USER@127.0.0.1:PORT/DB, an empty database on this
# machine for the demo; without it database-lost is skipped.
# DRILL_REPORT: where the report goes (default bin/drill.json).
set -euo pipefail
cd "$(dirname "$0")/.."

data=$(mktemp -d "${TMPDIR:-/tmp}/hf-drill-XXXXXX")
: >"$data/up.out" # it is read before the one who writes it has begun
up=
finish() {
  trap '' INT TERM HUP # a second one must not cut this short
  if [ -n "$up" ]; then
    kill "$up" 2>/dev/null || true
    wait "$up" 2>/dev/null || true
  fi
  rm -rf "$data"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP
ledger=${DRILL_DATABASE:-$data/ledger}
bin/holdfast up --demo --demo-ledger "$ledger" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --data-dir "$data/d" >"$data/up.out" 2>"$data/up.err" &
up=$!

gateway=
for _ in $(seq 100); do
  gateway=$(sed -n 's/^gateway //p' "$data/up.out")
  [ -n "$gateway" ] && bin/holdfast --data-dir "$data/d" healthcheck >/dev/null 2>&1 && break
  sleep 0.1
done
if [ -z "$gateway" ]; then
  cat "$data/up.err" >&2
  exit 1
fi
bin/holdfast --data-dir "$data/d" drill all --gateway "$gateway" --function public --ledger "$ledger" --report "${DRILL_REPORT:-bin/drill.json}"
