#!/usr/bin/env bash
# Builds the page from web/ into internal/dashboard/dist, where the Go compiler finds it, when something changed since.
# Without node and npm it says so, and the binary gets a placeholder; in CI that is an error.
set -euo pipefail
cd "$(dirname "$0")/../web"
built=../internal/dashboard/dist/page/index.html.br

if ! command -v npm >/dev/null || ! node -e 'const [a,b]=process.versions.node.split("."); process.exit(a>20||a==20&&b>=19?0:1)'; then
  [[ ${CI:-} != true ]] || { echo "FAILED: the page needs Node 20.19 or newer and npm" >&2 && exit 1; }
  [[ -e $built ]] || echo "no Node 20.19 or newer with npm: the binary is built without the page" >&2
  exit 0
fi
if [[ ! node_modules/.package-lock.json -nt package-lock.json ]]; then
  npm ci --no-audit --no-fund --loglevel=error >&2
  touch node_modules/.package-lock.json
fi
if [[ -e $built && -z $(find src public ./*.* ../docs/openapi.json -newer "$built" -not -name schema.d.ts -print -quit) ]]; then exit 0; fi
npm run --silent build >&2
