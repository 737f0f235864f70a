#!/usr/bin/env bash
# Runs the long forms of the tests with real parts, of all packages or of those given, and leaves what they measured in
# docs/soak/, as evidence to commit. HOLDFAST_SOAK_TIME=10m shortens the hour of mixed traffic in test/soak.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p docs/soak
log=docs/soak/$(date -u +%Y-%m-%d)-$(git rev-parse --short HEAD 2>/dev/null || echo unknown).log
{
  echo "# $(date -u +%FT%TZ) $(git describe --always --dirty 2>/dev/null), $(go version), $(nproc) cores, $(uname -sr)"
  HOLDFAST_SOAK=1 go test -count=1 -p=1 -timeout=12h -v "${@:-./test/...}"
} 2>&1 | tee "$log"
echo "log: $log"
