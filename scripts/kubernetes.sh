#!/usr/bin/env bash
# Builds the control plane that tests run the kubernetes driver against, once, and prints the directory it is in.
#
# kube-apiserver and kube-controller-manager come from module tools/kubernetes and are kept outside of the repository,
# in ${XDG_CACHE_HOME:-~/.cache}/holdfast-kubernetes. Progress goes to stderr. Two runs at once build once.
# usage: kubernetes.sh [find]   (find builds nothing, and fails when nothing is built)
set -euo pipefail
cd "$(dirname "$0")/../tools/kubernetes"

version=$(awk '$1 == "k8s.io/kubernetes" {print $2} $2 == "k8s.io/kubernetes" {print $3}' go.mod)
IFS=. read -r major minor _ <<<"${version#v}"
root=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast-kubernetes
dir=$root/$version/$(sha256sum <go.sum | cut -c1-12)

if [[ ${1:-} == find ]]; then
  [[ -d $dir ]] || exit 1
  echo "$dir" && exit
fi

build() {
  [[ ! -d $dir ]] || return 0
  local part ticker began=$SECONDS
  echo "building the Kubernetes $version control plane, about six minutes on two cores" >&2
  rm -rf "$root"/building.* # of a run that was ended
  part=$(mktemp -d "$root/building.XXXXXX")
  while sleep 30; do echo "  ... $((SECONDS - began)) s" >&2; done 9>&- &
  ticker=$!
  # shellcheck disable=SC2064 # the values of now
  trap "kill $ticker 2>/dev/null || true; rm -rf '$part'" EXIT
  local flags="-s -w -X k8s.io/component-base/version.gitVersion=$version"
  flags+=" -X k8s.io/component-base/version.gitMajor=$major -X k8s.io/component-base/version.gitMinor=$minor"
  CGO_ENABLED=0 go build -trimpath -ldflags "$flags" -o "$part/" \
    k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager >&2
  mkdir -p "$root/$version"
  mv "$part" "$dir"
  echo "  built after $((SECONDS - began)) s" >&2
}

mkdir -p "$root"
exec 9>"$root/lock"
flock 9
build
echo "$dir"
