#!/usr/bin/env bash
# Builds the container image holdfast:VERSION from deploy/Dockerfile, without pulling anything: the binary is built
# here, and the image begins with nothing. Set DOCKER_HOST to use another Docker Engine, IMAGE_CONTEXT to only prepare
# the context in that directory.
# usage: image.sh VERSION LDFLAGS
set -euo pipefail
cd "$(dirname "$0")/.."

version=$1 ldflags=$2
context=${IMAGE_CONTEXT:-}
if [[ -z $context ]]; then
  context=$(mktemp -d)
  trap 'rm -rf "$context"' EXIT
fi
mkdir -p "$context/data"

certificates=
for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
  if [[ -r $file ]]; then certificates=$file && break; fi
done
[[ -n $certificates ]] || { echo "no CA certificates found: install ca-certificates" >&2 && exit 1; }
cp "$certificates" "$context/ca-certificates.crt"
cp deploy/Dockerfile "$context/"
CGO_ENABLED=0 GOOS=linux GOFLAGS= go build -trimpath -buildvcs=false -ldflags "$ldflags" -o "$context/holdfast" ./cmd/holdfast
if [[ -n ${IMAGE_CONTEXT:-} ]]; then exit 0; fi

# The builder that comes with every engine; the image needs none of the newer one's features.
DOCKER_BUILDKIT=0 docker build --quiet --tag "holdfast:$version" "$context"
echo "holdfast:$version"
