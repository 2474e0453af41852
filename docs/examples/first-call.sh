#!/bin/sh
# The first call to a server of your own: an API token, an app, a meeting, somebody in it, and a tab to join in.
# Usage: first-call.sh SALON_TOML ADDRESS    as in: first-call.sh salon.toml https://meet.example.org
set -eu
config=$1 address=$2 account=acme

# Whether it is there, and called so, before anything is made.
answer=$(curl --silent --show-error --fail-with-body "$address/openapi.json") || { echo "$answer" >&2; exit 1; }

# Once for each program that calls, and once for each app. The server may run meanwhile.
token=$(salon token create --account $account --label first-call --config "$config")
app=$(salon app create main --account $account --config "$config")

call() {
  curl --silent --show-error --fail-with-body "$address/client/v4/accounts/$account/realtime/kit/$app$1" \
    --header "Authorization: Bearer $token" --header 'Content-Type: application/json' --data "$2"
}
# The first value of a name in what was answered. Programs read JSON, as the SDKs do.
first() { printf "%s" "$answer" | grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4; }

answer=$(call /meetings '{"title": "First call"}') || { echo "$answer" >&2; exit 1; }
meeting=$(first id)
answer=$(call "/meetings/$meeting/participants" \
  '{"name": "Ada", "preset_name": "group_call_host", "custom_participant_id": "ada"}') || { echo "$answer" >&2; exit 1; }
ada=$(first token)

echo "app $app, meeting $meeting"
echo "Ada joins here: $address/#token=$ada"
