#!/usr/bin/env bash
# Build an image and run it: docker/build.sh [train]. Says so where no Docker daemon answers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
case "${1:-light}" in
light) file=docker/Dockerfile tag=pinet-mm ;;
train) file=docker/Dockerfile.train tag=pinet-mm:train ;;
*) echo "usage: docker/build.sh [light | train]" >&2 && exit 2 ;;
esac
if ! docker info >/dev/null 2>&1; then
  echo "no Docker daemon answers here: $tag was not built" >&2
  exit 3
fi
DOCKER_BUILDKIT=1 docker build --file "$file" --tag "$tag" .
docker image inspect --format "$tag: {{.Size}} bytes, runs as {{.Config.User}}" "$tag"
docker run --rm "$tag" doctor
