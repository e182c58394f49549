#!/usr/bin/env bash
# Makes the secrets of compose.yaml in compose/secrets/, each random, each once: what is there is kept.
set -euo pipefail
folder="${1:-$(dirname "$0")/secrets}"
# Nobody else may enter the folder; the files inside must be readable to the containers' users, who are not you.
install -d -m 0700 "$folder"

random_hex() { od -An -tx1 -N "$1" /dev/urandom | tr -d ' \n'; }

keep_or_make() { # name, content
  [ -s "$folder/$1" ] && return
  (umask 022 && printf '%s' "$2" >"$folder/$1.new")
  mv "$folder/$1.new" "$folder/$1"
}

keep_or_make postgres_password "$(random_hex 24)"
keep_or_make database_url "postgresql://sharpeyes:$(cat "$folder/postgres_password")@postgres:5432/sharpeyes"
keep_or_make sharpeyes_key "$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')"
keep_or_make s3_access_key "sharpeyes-$(random_hex 6)"
keep_or_make s3_secret_key "$(random_hex 24)"
keep_or_make mqtt_bridge_password "$(random_hex 24)"
keep_or_make mqtt_accounts "bridge:$(cat "$folder/mqtt_bridge_password")
"
echo "密钥已就绪 / secrets are ready: $folder"
