#!/usr/bin/env bash
# Writes the secrets that compose.keys.yaml wants, each unless it is there already:
#   api_keys, admin_keys   one key a line, for the service
#   metrics_key            the one of the api_keys that Prometheus uses
#   grafana_password       of Grafana's user admin
# The folder is closed to other users of this machine. The files in it are not, because the users
# inside of the containers must read them, each only those that are mounted for it.
#   docker/make_keys.sh [FOLDER]
set -euo pipefail
folder=${1:-"$(dirname "$0")/secrets"}

random() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }

mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"
for name in metrics_key admin_keys grafana_password; do
  [ -e "$name" ] || random >"$name"
done
[ -e api_keys ] || random >api_keys
grep -qFf metrics_key api_keys || { echo "# Prometheus:"; cat metrics_key; } >>api_keys
chmod 644 api_keys admin_keys metrics_key grafana_password
echo "$PWD: api_keys admin_keys metrics_key grafana_password"
