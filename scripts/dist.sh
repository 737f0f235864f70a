#!/usr/bin/env bash
# Builds what is released: dist/holdfast_VERSION_OS_ARCH.tar.gz for each platform, and dist/SHA256SUMS.
#
# The same source gives the same bytes, wherever and whenever it is built: no cgo, no paths of this machine, no build
# ids of git, and archives whose members have one owner, one order and the time of the commit.
# usage: dist.sh VERSION LDFLAGS [OS/ARCH...]
set -euo pipefail
cd "$(dirname "$0")/.."

version=$1 ldflags=$2
shift 2
platforms=("$@")
((${#platforms[@]})) || platforms=(linux/amd64 linux/arm64 darwin/amd64 darwin/arm64)

when=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
out=${DIST:-dist}
rm -rf "$out"
mkdir -p "$out"
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

for platform in "${platforms[@]}"; do
  name=holdfast_${version}_${platform/\//_}
  mkdir -p "$stage/$name"
  CGO_ENABLED=0 GOOS=${platform%/*} GOARCH=${platform#*/} GOFLAGS= \
    go build -trimpath -buildvcs=false -ldflags "$ldflags -buildid=" -o "$stage/$name/holdfast" ./cmd/holdfast
  cp README.md LICENSE CHANGELOG.md "$stage/$name/"
  if [[ $platform == linux/* ]]; then cp deploy/holdfast.service deploy/holdfast.socket "$stage/$name/"; fi
  chmod -R u=rwX,go=rX "$stage/$name"
  tar --sort=name --mtime="@$when" --owner=0 --group=0 --numeric-owner --format=ustar -C "$stage" -cf - "$name" |
    gzip -9n >"$out/$name.tar.gz"
  echo "$out/$name.tar.gz"
done
(cd "$out" && sha256sum -- *.tar.gz >SHA256SUMS)
