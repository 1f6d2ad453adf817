#!/bin/bash
# scale: as many instances as their use of processors asks for. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# Version, min, max and more words of spec: each request takes 1 ms of a processor, each instance may use a fifth of one
# and is to use half of that.
scaled()
{
    local version=$1 min=$2 max=$3

    shift 3
    spec version="$version" env='APP_BURN_US: "1000"' \
        replicas="{min: $min, max: $max, cpu: 50%, down_after: 1s}" \
        service='    resources: {reservations: {cpus: 0.2}}' "$@"
    sed -i 's|healthcheck: {readiness|healthcheck: {liveness: {http: {path: /healthz}, interval: 1s}, readiness|' \
        "$WORLD/repo/.reeve/app.yaml"
}

# Of the live set, as its row says.
replicas()
{
    reeve status prod -o json | grep -o '"replicas":[0-9]*[^{}]*"state":"live"' | grep -o '[0-9]*' | head -n 1
}

has()
{
    [ "$(replicas)" = "$1" ]
}

# So many processes answer.
lives()
{
    [ "$(ls "$WORLD/var/services/run" | wc -l)" = "$1" ]
}

expect_nothing_lost()
{
    end_load
    expect_equal "lost requests" "$(counted lost)" 0
    expect_equal "requests that nobody of ours answered" "$(counted unrouted)" 0
    [ "$(counted sent)" -ge "$1" ] || fail "only $(counted sent) requests were sent, not $1"
}

it_grows_and_shrinks_and_loses_nothing()
{
    given_world
    scaled v1 1 3
    commit 'version 1'
    start_daemon
    await_converged
    expect_equal "instances at first" "$(replicas)" 1

    start_load --new 4 --kept 4 --pause-ms 10
    await 60 "there are as many as it may have" has 3
    expect "it is told why" history_has '% is aimed at: 1 -> 3'
    kill_daemon
    start_daemon
    expect_equal "instances after a restart" "$(replicas)" 3
    scaled v2 1 3
    deploy 'version 2'
    await_converged 60
    expect_equal "instances of the new set" "$(replicas)" 3
    expect_nothing_lost 500

    start_load --new 1 --kept 1 --pause-ms 60
    await 60 "there are as few as it may have" has 1
    await 20 "the others are gone" lives 1
    expect_nothing_lost 50
    expect_serves v2
}

run_cases it_grows_and_shrinks_and_loses_nothing
