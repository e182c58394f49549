#!/bin/sh
# Hashes the accounts (lines of NAME:PASSWORD in $ACCOUNTS) into memory, then becomes the broker.
set -eu
run="${RUN_FOLDER:-/run/mosquitto}"
here="$(dirname "$0")"
umask 077
cp "$ACCOUNTS" "$run/passwords"
mosquitto_passwd -U "$run/passwords"
cp "$here/acl" "$run/acl"
# The broker gives up root; started by another user, there is nothing to hand over.
if [ "$(id -u)" = 0 ] && id mosquitto >/dev/null 2>&1; then chown mosquitto "$run/passwords" "$run/acl"; fi
exec mosquitto -c "${CONFIG:-/mosquitto/config/mosquitto.conf}"
