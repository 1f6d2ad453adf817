#!/bin/bash
# world: a daemon for the page to show, told what to do line by line. SPDX-License-Identifier: Apache-2.0
#
#     world.sh shop             people, and version 1 of two services that serves
#     world.sh oidc             the same, whose people may sign in at an identity provider: `provider` starts it
#     world.sh estate NUMBER    so many environments with nothing behind them
#
# Started by world.mjs. Says `ready URL FOLDER`; then each line of the standard input is a command of obey(), its words
# divided by 0x1f, answered by `done`, and by the id of the plan where one was waited for. At the end of the input the world
# ends.
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/../e2e/lib.sh"
. "$HERE/../bench/estate.sh"

PASSWORD='correct horse battery staple'
APPROVAL=auto
PARTS=both
BAKE=3s # of web
SPEED='min_healthy_time: 300ms, healthy_deadline: 1m, progress_deadline: 5m, keep_previous: 10m' # the machine may be slow

# write_specs VERSION [MORE VARIABLES]: web, which needs a moment to start, and, where both are wanted, api, behind one domain.
write_specs()
{
    local version=$1 more=${2:-} api='' routes='/: {service: web}'

    if [ $PARTS = both ]; then
        routes+=', /api: {service: api}'
        api=$'\n  api:\n    <<: *app\n    replicas: 1\n    depends_on: {web: {condition: service_started}}\n    environment: {VERSION: v1}\n    rollout: {strategy: blue_green, bake_time: 3s, '$SPEED'}'
    fi
    write_shop "$APPROVAL" <<SPEC
services:
  web: &app
    command: ["$WORLD/shop"]
    port: 8000
    replicas: 2
    environment: {VERSION: "$version", LOG_LEVEL: info, APP_START_MS: "1500"$more}
    healthcheck: {readiness: {http: {path: /healthz}, interval: 100ms, success_threshold: 2}}
    rollout: {strategy: blue_green, bake_time: $BAKE, $SPEED}
    termination: {drain: 1s, stop_grace_period: 500ms}$api
domains:
  app: {hosts: [$HOST], routes: {$routes}}
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

# Ann and bob by password, as everywhere; who comes from the provider is called as it calls them.
given_provider_named()
{
    PORT=$((FIRST + 36)) KEPT=$WORLD/provider
    mkdir "$KEPT" "$WORLD/secrets"
    printf 'it is/the+secret of: the client\n' | tee "$WORLD/secrets/oidc" >"$KEPT/oidc"
    chmod 600 "$WORLD/secrets/oidc"
    printf '{"olga@acme":["ops"],"eve@elsewhere":[]}' >"$KEPT/groups.json"
    sed -i "s|^auth: {\(.*\)}$|auth: {\1, oidc: {issuer: http://127.0.0.1:$PORT, client_id: reeve, client_secret: {secret: oidc}}}|; \
        s|approver: \[|approver: [group:ops, |; s|people: {|people: {olga: {oidc: olga@acme}, |" "$WORLD/reeve.yaml"
    echo "secrets: {default: files, stores: {files: {type: file, directory: secrets}}}" >>"$WORLD/reeve.yaml"
}

start_provider()
{
    node "$HERE/../e2e/provider.mjs" real "$PORT" "$API/api/v1/oidc/callback" "$KEPT" "$OIDC" >>"$KEPT/log" 2>&1 9>&- &
    PROVIDER=$!
    await 20 "the provider answers" curl -sf --noproxy '*' -o /dev/null "http://127.0.0.1:$PORT/.well-known/openid-configuration"
}

end_provider()
{
    [ -z "${PROVIDER:-}" ] || kill_child "$PROVIDER"
    PROVIDER=
}

given_people()
{
    local name

    for name in ann bob vic; do
        reeve --quiet people password $name <<<"$PASSWORD $name" || fail "no password"
    done
}

# given_shop [HOW PEOPLE COME, TOO]
given_shop()
{
    given_world
    given_door
    ${1:-:}
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
    parts) PARTS=$2 ;; # both|web
    bake) BAKE=$2 ;;
    converged) await_converged 120 ;;
    waits) await 120 "a plan of the newest commit waits" waits_at_head && TOLD=$(plan_id) ;;
    serves) await 60 "$2 is served" serves "$2" ;;
    show) show_world ;;
    load) start_load --kept 4 --new 2 --pause-ms 10 ;;
    unload) end_load ;;
    provider) start_provider ;;
    away) end_provider ;;
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
oidc) trap 'end_provider; end_script $?' EXIT && given_shop given_provider_named ;;
estate) given_many "$2" ;;
esac
echo "ready $API $WORLD" >&3
while IFS=$'\x1f' read -r -a words; do
    TOLD=
    obey "${words[@]}"
    echo "done $TOLD" >&3
done
