#!/usr/bin/env bash
# Makes the pictures of docs/dashboard.md: a Holdfast with real instances, load on it and faults in it, and every page
# of it in Chromium. Needs `make build` with Node, and chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/bin/holdfast
dir=$(mktemp -d)
children=()
trap 'kill "${children[@]}" 2>/dev/null; wait "${children[@]}" 2>/dev/null || true; rm -rf "$dir"' EXIT

function_of() { echo "{process: {$2 command: [$bin, demo-function, --name, $1, --port, '{port}']}}"; }
cat >"$dir/holdfast.yaml" <<END
log: {access: off}
defaults: {health: {interval: 2s}}
functions:
  search: {routes: [{path: /api/search/}], circuit_breaker: {failure_threshold: 5, recovery_timeout: 20s}, retry: {attempts: 0}, platform: $(function_of search 'instances: 2,')}
  shop: {routes: [{path: /api/shop/}], load_balancing: {affinity: {cookie: hf_session, ttl: 1h}}, platform: $(function_of shop 'instances: 4,')}
  pictures:
    routes: [{path: /api/pictures/}]
    health: {path: /api/pictures/health}
    scaling: {enabled: true, min_instances: 1, max_instances: 6, cooldown_period: 5s, targets: {in_flight: 2}, down: {hold: 10s}}
    platform: $(function_of pictures '')
END

"$bin" up --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --data-dir "$dir/data" -c "$dir/holdfast.yaml" >"$dir/out" 2>"$dir/err" &
children+=($!)
for _ in $(seq 150); do
  if "$bin" healthcheck --ready --data-dir "$dir/data" >/dev/null 2>&1; then ready=1; break; fi
  sleep 0.2
done
[[ -n ${ready:-} ]] || { cat "$dir/err" >&2; exit 1; }
gateway=$(sed -n 's/^gateway *//p' "$dir/out")
admin=$(sed -n 's/^admin *//p' "$dir/out")

put_load() { "$bin" load "$gateway/api/$1" --rate "$2" -d 5m >/dev/null 2>&1 & children+=($!); }
put_load shop/hello 60
put_load search/hello 25
put_load 'pictures/hello?slow=120ms' 40
fault() { curl -sS -o /dev/null -X POST "$gateway/api/$1/switch?$2"; }
echo "load for a minute, then faults" >&2
sleep "${CALM:-60}"
for _ in 1 2 3 4; do fault search 'fail=1&health=1&for=2m'; done
fault shop 'slow=1s&for=2m'
curl -sS -o /dev/null "$gateway/api/shop/hello?crash=1" || true
sleep "${TROUBLE:-45}"

ADMIN=$admin TOKEN=$(cat "$dir/data/admin-token") node web/pictures.mjs docs/dashboard
