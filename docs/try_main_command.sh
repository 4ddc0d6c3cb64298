#!/usr/bin/env bash
# Runs the README's main command in a clone, posts its picture with its curl, checks the label,
# and that nothing of torch came along.
#   docs/try_main_command.sh CLONE
set -euo pipefail
cd "$1"

serve_command=$(grep -E '^python3 -m venv .*convscope serve$' README.md)
bash -c "${serve_command% && *}"
.venv/bin/convscope serve &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
for _ in $(seq 50); do
  curl -fs -o /dev/null http://127.0.0.1:8000/readyz && break
  sleep 0.2
done
post=$(grep -m1 -E '^curl .*classify' README.md)
answer=$(bash -c "$post")
echo "$answer"
case "$answer" in
  *'"predictions":[{"label":"cat"'*) ;;
  *) echo "expected cat as the first label" >&2; exit 1 ;;
esac
if .venv/bin/python -c 'import torch' 2>/dev/null; then
  echo "serving must not need torch" >&2; exit 1
fi
said=$(.venv/bin/convscope train --help 2>&1 || true)
case "$said" in
  *"train extra"*) ;;
  *) echo "convscope train should name the missing extra, said: $said" >&2; exit 1 ;;
esac
kill "$server"
wait "$server" || { echo "the server did not end cleanly" >&2; exit 1; }
