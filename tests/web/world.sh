#!/bin/bash
# world: a daemon for the page to show, told what to do line by line. SPDX-License-Identifier: Apache-2.0
#
#     world.sh shop             people, and version 1 of two services that serves
#     world.sh estate NUMBER    so many environments with nothing behind them
#
# Started by world.mjs. Says `ready URL FOLDER`; then each line of the standard input is a command of obey(), its words
# divided by 0x1f, answered by `done`. At the end of the input the world ends.
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/../bench/estate.sh"

PASSWORD='correct horse battery staple'
APPROVAL=auto
SPEED='bake_time: 3s, min_healthy_time: 300ms, healthy_deadline: 10s, progress_deadline: 20s, keep_previous: 10m'

# write_specs VERSION [MORE VARIABLES]: web, which needs a moment to start, and api, behind one domain.
write_specs()
{
    local version=$1 more=${2:-}

    write_shop "$APPROVAL" <<SPEC
services:
  web: &app
    command: ["$WORLD/shop"]
    port: 8000
    replicas: 2
    environment: {VERSION: "$version", LOG_LEVEL: info, APP_START_MS: "1500"$more}
    healthcheck: {readiness: {http: {path: /healthz}, interval: 100ms, success_threshold: 2}}
    rollout: {strategy: blue_green, $SPEED}
    termination: {drain: 1s, stop_grace_period: 500ms}
  api:
    <<: *app
    replicas: 1
    depends_on: {web: {condition: service_started}}
    environment: {VERSION: v1}
domains:
  app: {hosts: [$HOST], routes: {/: {service: web}, /api: {service: api}}}
SPEC
}

AUTH='auth: {same_user: allow, roles: {viewer: [user:vic], approver: [user:ann, user:bob], operator: [user:ann, user:bob], '
AUTH+='admin: [user:ann], override: [user:ann]}, people: {ann: {emails: [ann@acme.test]}, bob: {emails: [bob@acme.test]}, '
AUTH+='vic: {emails: [vic@acme.test]}}}'

# Where people sign in.
given_door()
{
    API=http://localhost:$((FIRST + 35))
    sed -i "s|^auth: .*|$AUTH|" "$WORLD/reeve.yaml"
    echo "listen: localhost:$((FIRST + 35))" >>"$WORLD/reeve.yaml"
}

given_people()
{
    local name

    for name in ann bob vic; do
        reeve --quiet people password $name <<<"$PASSWORD $name" || fail "no password"
    done
}

given_shop()
{
    given_world
    given_door
    write_specs v1
    cp "$APP" "$WORLD/shop"
    commit 'version 1'
    start_daemon
    await_converged
    given_people
}

all_are_there()
{
    [ "$(reeve status -o json | grep -o '"sync":"in_sync"' | wc -l)" = "$1" ]
}

given_many()
{
    given_estate "$1" 1 1 durable
    given_door
    start_daemon
    await 180 "all of them are in sync" all_are_there "$1"
    given_people
}

waits_at_head()
{
    sync_is waiting && [[ $(reeve plan prod -o json) == *"\"commit\":\"$(head_commit)\""* ]]
}

obey()
{
    case $1 in
    deploy) write_specs "$2" "${3:-}" && deploy "${4:-version $2}" ;; # VERSION [MORE VARIABLES [SENTENCE]]
    approval) APPROVAL=$2 ;;
    converged) await_converged 60 ;;
    waits) await 40 "a plan of the newest commit waits" waits_at_head ;;
    serves) await 20 "$2 is served" serves "$2" ;;
    stop) stop_daemon ;;
    start) start_daemon ;;
    reeve) shift && reeve "$@" ;;
    *) fail "no command $1" ;;
    esac >&2
}

trap : PIPE # who asked is gone: the end of the input says so, too
exec 3>&1 1>&2
case $1 in
shop) given_shop ;;
estate) given_many "$2" ;;
esac
echo "ready $API $WORLD" >&3
while IFS=$'\x1f' read -r -a words; do
    obey "${words[@]}"
    echo done >&3
done
