#!/usr/bin/env bash
# Builds the image, starts it as compose does (read-only and without capabilities; buildah can do
# neither, but runs as the same user), posts a picture and checks the answer. Works with docker, podman or buildah, whichever is found first to work.
#   docker/smoke.sh                      choose an engine by itself
#   ENGINE=buildah docker/smoke.sh       choose it
#   BUILD_FLAGS="--network host" ...     more flags for the build
set -euo pipefail
cd "$(dirname "$0")/.."

PORT=${PORT:-8321}
IMAGE=convscope-smoke
PICTURE=docs/samples/cat.jpg
EXPECTED=cat

works() { command -v "$1" >/dev/null && "$1" info >/dev/null 2>&1; }
if [ -z "${ENGINE:-}" ]; then
  for candidate in docker podman buildah; do
    if works "$candidate"; then ENGINE=$candidate; break; fi
  done
fi
[ -n "${ENGINE:-}" ] || { echo "smoke: none of docker, podman, buildah works here" >&2; exit 2; }
echo "smoke: building with $ENGINE"

read -r -a flags <<<"${BUILD_FLAGS:-}"
case "$ENGINE" in
  buildah) buildah bud "${flags[@]}" -t "$IMAGE" . ;;
  *) "$ENGINE" build "${flags[@]}" -t "$IMAGE" . ;;
esac

cleanup() {
  case "$ENGINE" in
    buildah) [ -z "${server:-}" ] || kill "$server" 2>/dev/null || true
             [ -z "${server:-}" ] || wait "$server" 2>/dev/null || true
             [ -z "${container:-}" ] || buildah rm "$container" >/dev/null ;;
    *) [ -z "${container:-}" ] || "$ENGINE" rm -f "$container" >/dev/null ;;
  esac
}
trap cleanup EXIT

if [ "$ENGINE" = buildah ]; then
  container=$(buildah from "$IMAGE")
  # chroot isolation shares the network, so the port is chosen inside
  buildah run --env CONVSCOPE_PORT="$PORT" --env CONVSCOPE_HOST=127.0.0.1 --user 10001 \
    "$container" -- convscope serve &
  server=$!
  healthy() { buildah run --env CONVSCOPE_PORT="$PORT" "$container" -- python /opt/convscope/healthcheck.py 2>/dev/null; }
else
  container=$("$ENGINE" run -d --read-only --tmpfs /tmp --cap-drop ALL \
    --security-opt no-new-privileges -p "127.0.0.1:$PORT:8000" "$IMAGE")
  healthy() { "$ENGINE" exec "$container" python /opt/convscope/healthcheck.py 2>/dev/null; }
fi

for _ in $(seq 60); do
  if healthy; then break; fi
  sleep 1
done
healthy || { echo "smoke: the container did not become ready" >&2; exit 1; }

answer=$(curl -fsS --data-binary "@$PICTURE" "http://127.0.0.1:$PORT/v1/models/cifar10/classify?top_k=1")
echo "smoke: $answer"
case "$answer" in
  *"\"label\":\"$EXPECTED\""*) echo "smoke: passed" ;;
  *) echo "smoke: expected the label $EXPECTED" >&2; exit 1 ;;
esac
