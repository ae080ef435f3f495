#!/bin/sh
# Makes what the nodes and the database keep secret, once, in secrets/ beside this file. Keep a copy of the master key.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir secrets # fails where they are already: nothing is ever replaced

head -c 32 /dev/urandom | base64 > secrets/master_key
password=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
printf '%s' "$password" > secrets/database_password
printf 'postgresql://sensos_auth:%s@database:5432/sensos_auth\n' "$password" > secrets/database_url

# The nodes run as the owner of the files, but never as root.
owner=$(id -u):$(id -g)
if [ "$(id -u)" = 0 ]; then
	owner=10001:10001
	chown -R "$owner" secrets
fi
printf 'NODE_USER=%s\n' "$owner" >> .env
