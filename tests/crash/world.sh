# world: what the matrix and the sweep share. SPDX-License-Identifier: Apache-2.0
#
# Sourced after tests/e2e/lib.sh; INVENTORY is the program that compares rows with the world.
#
#     given_secret_world                         given_world of the library, with a secret that may be read; where ANCHORED is set, with
#                                                a place that keeps the head of its history
#     plain_shop                                 nothing of what follows is set, whatever our environment calls by these names
#     shop VERSION HEALTH [API_VERSION [BAKE]]   writes and commits the specs: web, and api where it has a version
#                                                STRATEGY, REPLICAS, KEEP and MORE (lines) are web's; NAME and OLD_NAME, DOMAIN
#                                                and OLD_DOMAIN what it and the domain are called and were before; JOBS all lines
#     life [POINT]                               one life of the daemon; $? is 137 when it was killed
#     life_that FUNCTION [POINT [BEGIN]]         the same as a service that answers, until FUNCTION is 0: it is asked again and again;
#                                                BEGIN starts it, where that is not `reeve serve`
#     settle                                     lives until the world is at rest
#     expect_rest VERSION SYNC                   what must be true then; the sentences are in $WRONG
#
# POINT is the value of REEVE_CRASH.

LIFE_MS=60000 # of one that is not killed, on a busy machine

# Each revision has secrets, so each has a sealed set; one of them is generated for the first.
export REEVE_SECRET_TOKEN=token-0123456789abcdef0123456789abcdef

given_secret_world()
{
    local anchors=

    given_world
    mkdir "$WORLD/made"
    if [ -n "${ANCHORED:-}" ]; then
        git init -q --bare "$WORLD/place.git"
        anchors="anchors: [{type: git, url: \"file://$WORLD/place.git\", every: 1s}]"
    fi
    write_daemon rule='    secrets: [{path: "env:token", for: services}]' \
        extra="secrets: {generated: made, stores: {env: {type: env}, made: {type: file, directory: $WORLD/made}}}
$anchors"
}

plain_shop()
{
    NAME= OLD_NAME= DOMAIN= OLD_DOMAIN= STRATEGY= REPLICAS= HEALTHY_DEADLINE= KEEP= MORE= JOBS= CONCURRENCY=
}
plain_shop

# No set is kept, api has to be killed at the end of its grace, and gates are as short as they can be told apart.
shop()
{
    local api_rows= api_route=

    if [ -n "${3:-}" ]; then
        api_route='      /api: {service: api}'
        api_rows="  api:
    command: [\"$APP\"]
    port: 8001
    environment: {VERSION: \"$3\", APP_TERM: ignore}
    healthcheck: {readiness: {http: {path: /healthz}, interval: 100ms, success_threshold: 1}}
    rollout: {strategy: blue_green, healthy_deadline: 5s, min_healthy_time: 50ms, bake_time: 100ms, keep_previous: 0s}
    termination: {drain: 2s, stop_grace_period: 300ms}"
    fi
    cat >"$WORLD/repo/.reeve/app.yaml" <<END
apiVersion: reeve/v1
kind: Application
name: shop
secrets: {token: {}, key: {generate: 32}}
services:
  ${NAME:-web}:
    command: ["$APP"]
    port: 8000
    environment: {VERSION: "$1", APP_HEALTH: "$2", TOKEN: {secret: token}, KEY: {secret: key}}
    healthcheck: {readiness: {http: {path: /healthz}, interval: 100ms, success_threshold: 1, failure_threshold: 1}}
    replicas: ${REPLICAS:-1}
    rollout: {strategy: ${STRATEGY:-blue_green}, healthy_deadline: ${HEALTHY_DEADLINE:-5s}, min_healthy_time: 50ms, bake_time: ${4:-100ms}, keep_previous: ${KEEP:-0s}}
    termination: {drain: 2s, stop_grace_period: 1s}
${OLD_NAME:+    moved: $OLD_NAME
}${MORE:-}
$api_rows
${JOBS:-}
domains:
  ${DOMAIN:-app}:
${OLD_DOMAIN:+    moved: $OLD_DOMAIN
}    hosts: [$HOST]
    headers: {set: {X-Version: "$1"}}
    routes:
      /: {service: ${NAME:-web}}
      /closed: {deny: true}
      /known: {service: ${NAME:-web}, access: {type: basic, users: {ann: {secret: token}}}}
      /near: {service: ${NAME:-web}, access: {type: ip, allow: [127.0.0.0/8]}}
$api_route
---
apiVersion: reeve/v1
kind: Environment
name: prod
application: shop
trigger: {branch: main}
approval: {policy: auto}
END
    commit "web $1, api ${3:-none}"
}

# --- lives ------------------------------------------------------------------------------------------

# The shell tells of a program that was killed; that is no news here.
quietly()
{
    { "$@"; } 2>/dev/null
}

life()
{
    quietly reeve_once "${1:-}"
}

reeve_once()
{
    REEVE_CRASH=$1 "$REEVE" once >>"$WORLD/daemon.log" 2>&1 9>&-
}

# The same, with somebody who approves whatever waits.
life_with_approval()
{
    APPROVED=
    life_that approves "${1:-}"
}

approves()
{
    local plan

    plan=$("$REEVE" status -o json 2>/dev/null 9>&- | sed -n 's/.*"id":"\([0-9a-f]*\)"[^}]*"state":"waiting".*/\1/p')
    if [ -n "$plan" ] && [ "$plan" != "$APPROVED" ]; then
        "$REEVE" approve "$plan" --no-wait -m 'it is not needed any more' >>"$WORLD/daemon.log" 2>&1 9>&-
        APPROVED=$plan
        return 1
    fi
    "$INVENTORY" "$WORLD/var" >/dev/null && is_converged
}

life_that()
{
    local end

    quietly "${3:-serve_begin}" "${2:-}"
    now
    end=$((NOW + LIFE_MS))
    while kill -0 "$DAEMON" 2>/dev/null; do
        now
        [ $NOW -lt $end ] || break
        if "$1"; then
            kill -TERM "$DAEMON" 2>/dev/null
            break
        fi
        sleep 0.03
    done
    quietly serve_end $end
}

serve_begin()
{
    REEVE_CRASH=${1:-} "$REEVE" serve >>"$WORLD/daemon.log" 2>&1 9>&- &
    DAEMON=$!
}

# Whoever does not end by the deadline is killed, and that is wrong.
serve_end()
{
    local status

    while kill -0 "$DAEMON" 2>/dev/null; do
        now
        [ $NOW -lt "$1" ] || kill -KILL "$DAEMON"
        sleep 0.02
    done
    wait "$DAEMON"
    status=$?
    DAEMON=
    return $status
}

# --- afterwards -------------------------------------------------------------------------------------

# Lives that nobody cuts short, until rows and world agree that nothing is left to do. One does not wait for the
# end of what is kept.
settle()
{
    local end

    now
    end=$((NOW + LIFE_MS))
    while "$1"; ! "$INVENTORY" "$WORLD/var" >/dev/null && [ $NOW -lt $end ]; do
        now
    done
}

note_wrong()
{
    WRONG="$WRONG$*
"
}

expect_rest()
{
    local plans

    WRONG=$("$INVENTORY" "$WORLD/var" 2>&1)
    [ -z "$WRONG" ] || WRONG="$WRONG
"
    "$REEVE" audit verify "$WORLD/var/reeve.db" >/dev/null 2>&1 || note_wrong "the chain does not hold"
    sync_is "$2" || note_wrong "the environment is $(field sync), not $2: $(field reason)"
    serves "$1" || note_wrong "$1 is not served, but '$STATUS $BODY'"
    [ -z "$WRONG" ]
}
