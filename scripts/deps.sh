#!/usr/bin/env bash
# Finds the programs the tests use and says which are missing.
#
# Debian packages are installed only with CI=true, or after a yes at a terminal. Otherwise a missing program is printed
# as SKIPPED and the tests that need it skip themselves (package test/need). The exit code is 0 except when an
# installation that was asked for failed.
set -euo pipefail

# command | Debian packages | who needs it. A test that uses a new program adds its line here.
needs=(
  "git|git|the version shown by holdfast version"
  "gcc|gcc libc6-dev|the race detector"
  "psql|postgresql|the store on PostgreSQL"
  "dockerd|docker.io|the container image, Docker Swarm"
  "docker|docker.io|the container image, Docker Swarm"
  "systemd-analyze|systemd|the service unit"
  "ip|iproute2|faults in a network namespace, Docker Swarm"
  "haproxy|haproxy|the comparison of gateways"
  "nginx|nginx|the comparison of gateways"
  "wrk|wrk|the comparison of gateways"
  "h2load|nghttp2-client|the comparison of load generators"
  "chromium|chromium|the page in a real browser"
  "tmux|tmux|what fills a terminal, in a real one"
  "prometheus|prometheus|signals of scaling from a real one"
  "promtool|prometheus|rules for Prometheus"
  "prometheus-alertmanager|prometheus-alertmanager|alerts pushed to a real one"
  "etcd|etcd-server|the store of Kubernetes"
)

# No package has the control plane of Kubernetes. It is built in CI, and otherwise when somebody asks for it: it takes
# minutes.
here=$(dirname "$0")
if [[ ${CI:-} == true ]]; then
  "$here/kubernetes.sh" >/dev/null
elif ! "$here/kubernetes.sh" find >/dev/null; then
  echo "SKIPPED: no control plane of Kubernetes (tests of its driver): scripts/kubernetes.sh builds it, once"
fi

missing=() packages=()
for line in "${needs[@]}"; do
  IFS='|' read -r command debian why <<<"$line"
  if ! PATH="$PATH:/usr/sbin:/sbin" command -v "$command" >/dev/null; then
    missing+=("$command ($why)")
    read -ra names <<<"$debian"
    packages+=("${names[@]}")
  fi
done
((${#missing[@]})) || exit 0

skip() {
  for m in "${missing[@]}"; do echo "SKIPPED: no $m: $1"; done
  exit 0
}

command -v apt-get >/dev/null || skip "not a Debian system, install it by hand"

if [[ ${CI:-} != true ]]; then
  [[ -t 0 && -t 1 ]] || skip "run scripts/deps.sh at a terminal to install ${packages[*]}"
  read -r -p "Missing: ${missing[*]}. Install ${packages[*]} with apt-get? [y/N] " answer
  [[ $answer == [yY]* ]] || skip "not installed, as you said"
fi

as_root=()
((EUID == 0)) || as_root=(sudo)
echo "installing ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
export RUNLEVEL=1 # no daemon is to start because its package came: tests start their own
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" apt-get update && "${as_root[@]}" apt-get install -y --no-install-recommends "${packages[@]}"; } \
  </dev/null >"$log" 2>&1; then
  cat "$log"
  echo "FAILED: cannot install ${packages[*]}"
  exit 1
fi
