#!/bin/bash
# grow: the pool of the edge grows while it serves. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# web, and $2 services like it.
shop()
{
    local more= i

    for ((i = 1; i <= $2; i++)); do
        more+="
  more$i:
    command: [\"$APP\"]
    port: 8001
    environment: {VERSION: \"$1\"}
    healthcheck: {readiness: {http: {path: /healthz}, interval: 100ms, success_threshold: 2}}
    rollout: {min_healthy_time: 200ms, bake_time: 300ms, keep_previous: 200ms}
    termination: {drain: 5s, stop_grace_period: 500ms}"
    done
    spec version="$1" keep=200ms more="$more"
}

restart_with()
{
    stop_daemon
    write_daemon "$@"
    start_daemon
}


live()
{
    reeve status prod -o json | grep -o '"state":"live"' | wc -l
}

fewer_than()
{
    [ "$(live)" -lt "$1" ]
}

# Two backends: one for what serves and one for what comes.
a_pool_that_grows()
{
    given_world
    write_daemon backends=2
    shop v1 0
    commit 'one service'
    start_daemon
    await_converged
    start_load --path / --new 3 --kept 3 --slow 4 --post 25

    shop v2 4
    deploy 'five services'
    await 20 "refused with the number" history_has 'all 2 backends'
    say "   $(history | grep -o 'the pool is used up[^"]*' | head -n 1)"
    expect "more sets than the pool has room for" fewer_than 5

    restart_with backends=16
    shop v3 4
    deploy 'five services, and room for them'
    await_converged 60
    expect_serves v3
    expect_equal "sets that serve" "$(live)" 5

    end_load
    expect_equal "lost requests" "$(counted lost)" 0
    expect_equal "requests that nobody of ours answered" "$(counted unrouted)" 0
    say "   requests: $(counted sent), lost: $(counted lost)"
}

run_cases a_pool_that_grows
