#!/usr/bin/env bash
# Builds the image, starts it as compose does, asks it, and stops it while it is answering. Works
# with docker, podman or buildah, whichever is found first to work. buildah knows neither read-only
# root file systems nor dropped capabilities: there it is looked up afterwards that nothing was
# written.
#   docker/smoke.sh                      choose an engine by itself
#   ENGINE=buildah docker/smoke.sh       choose it
#   BUILD_FLAGS="--network host" ...     more flags for the build
set -euo pipefail
cd "$(dirname "$0")/.."

PORT=${PORT:-8321}
IMAGE=convscope-smoke
URL=http://127.0.0.1:$PORT
READY="python /opt/convscope/healthcheck.py"
work=$(mktemp -d)

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

fail() { echo "smoke: $*" >&2; exit 1; }

if [ "$ENGINE" = buildah ]; then
  inside() { buildah run --env CONVSCOPE_PORT="$PORT" "$container" -- "$@"; }
  start() {
    container=$(buildah from "$IMAGE")
    root=$(buildah mount "$container")
    touch "$work/started"
    # chroot isolation shares the network, so the port is chosen inside
    buildah run --env CONVSCOPE_PORT="$PORT" --env CONVSCOPE_HOST=127.0.0.1 \
      "$container" -- convscope serve &
    server=$!
  }
  # buildah passes no signal on: the server is the last of the processes below it
  innermost() {
    local pid=$server child
    while child=$(pgrep -P "$pid" | head -n 1) && [ -n "$child" ]; do pid=$child; done
    echo "$pid"
  }
  terminate() { kill -TERM "$(innermost)"; }
  ended() { wait "$server"; }
  wrote() {
    find "$root" -xdev -type f -newer "$work/started" \
      -not -path "$root/tmp/*" -not -path "$root/run/*" -not -path "$root/etc/*"
  }
  cleanup() {
    [ -z "${server:-}" ] || { kill -KILL "$(innermost)" 2>/dev/null || true; wait "$server" || true; }
    [ -z "${container:-}" ] || buildah rm "$container" >/dev/null
    buildah rmi "$IMAGE" >/dev/null
    rm -rf "$work"
  }
else
  inside() { "$ENGINE" exec "$container" "$@"; }
  start() {
    container=$("$ENGINE" run -d --init --read-only --tmpfs /tmp --cap-drop ALL \
      --security-opt no-new-privileges -p "127.0.0.1:$PORT:8000" "$IMAGE")
  }
  terminate() { "$ENGINE" kill --signal TERM "$container" >/dev/null; }
  ended() { [ "$("$ENGINE" wait "$container")" = 0 ]; }
  wrote() { "$ENGINE" diff "$container" | grep -vE '^[A-Z] /(tmp|run|dev|proc|etc)(/|$)' || true; }
  cleanup() {
    [ -z "${container:-}" ] || "$ENGINE" rm -f "$container" >/dev/null
    "$ENGINE" rmi "$IMAGE" >/dev/null
    rm -rf "$work"
  }
fi
trap cleanup EXIT

start
for _ in $(seq 60); do
  # shellcheck disable=SC2086 # two words
  if inside $READY 2>/dev/null; then break; fi
  sleep 1
done
# shellcheck disable=SC2086
inside $READY 2>/dev/null || fail "the container did not become ready"

answer=$(curl -fsS --data-binary @docs/samples/cat.jpg "$URL/v1/models/cifar10/classify?top_k=1")
echo "smoke: $answer"
[[ $answer == *'"label":"cat"'* ]] || fail "expected the label cat"

curl -fsS -o "$work/v2" "$URL/v2/health/ready" || fail "/v2/health/ready should answer 200"
curl -fsS -o "$work/metrics" "$URL/metrics"
grep -qx 'convscope_ready 1.0' "$work/metrics" || fail "/metrics should say that it is ready"
grep -q '^convscope_requests_total{code="200",model="cifar10",task="classify"' "$work/metrics" \
  || fail "/metrics should count the request"

[ "$(inside id -u)" = 10001 ] || fail "it should run as the user 10001"
if inside touch /models/x 2>/dev/null || inside touch /x 2>/dev/null; then
  fail "its user should be able to write nowhere but in /tmp"
fi

# What takes seconds is being answered when SIGTERM comes: it is answered, and then all ends well.
curl -sS -o "$work/late.png" -w '%{http_code}' --data-binary @docs/samples/temple.jpg \
  "$URL/v1/models/street/explain?method=occlusion" >"$work/late" &
late=$!
for _ in $(seq 100); do
  curl -fsS "$URL/metrics" | grep -qx 'convscope_in_flight 2.0' && break
  sleep 0.1
done
curl -fsS "$URL/metrics" | grep -qx 'convscope_in_flight 2.0' || fail "nothing was being answered"
terminate
wait "$late" || fail "what was being answered was cut off"
[ "$(cat "$work/late")" = 200 ] || fail "what was being answered ended with $(cat "$work/late")"
ended || fail "it should end with 0 after SIGTERM"
server=
[ -z "$(wrote)" ] || fail "it should write nothing: $(wrote)"
echo "smoke: passed"
