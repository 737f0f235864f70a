#!/usr/bin/env bash
# Starts a demo of its own on free ports and runs a command with GATEWAY in its arguments replaced by the demo's address.
set -euo pipefail
dir=$(mktemp -d)
bin/holdfast up --demo --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --data-dir "$dir/data" >"$dir/out" 2>"$dir/err" &
demo=$!
trap 'kill -TERM $demo 2>/dev/null; wait $demo || true; rm -rf "$dir"' EXIT
for _ in $(seq 150); do
  if bin/holdfast healthcheck --ready --data-dir "$dir/data" >/dev/null 2>&1; then ready=1; break; fi
  sleep 0.2
done
[ -n "${ready:-}" ] || { cat "$dir/err" >&2; exit 1; }
gateway=$(sed -n '1s/^gateway *//p' "$dir/out")
"${@//GATEWAY/$gateway}"
