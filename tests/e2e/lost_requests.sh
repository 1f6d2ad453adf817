#!/bin/bash
# lost_requests: no request is lost while services are switched. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

SWITCHES=50
REQUESTS=200000

expect_nothing_lost()
{
    end_load
    expect_equal "lost requests" "$(counted lost)" 0
    expect_equal "requests that nobody of ours answered" "$(counted unrouted)" 0
    [ "$(counted sent)" -ge "$1" ] || fail "only $(counted sent) requests were sent, not $1"
    say "   requests: $(counted sent), lost: $(counted lost), versions seen: $(versions_seen)"
}

versions_seen()
{
    grep -o '"v[0-9]*":{' "$WORLD/load.json" | wc -l
}

# Every third version exits abruptly on SIGTERM, every third closes idle connections.
version()
{
    local env=

    case $(($1 % 3)) in
    1) env='APP_TERM: abrupt' ;;
    2) env='APP_IDLE_MS: "1"' ;;
    esac
    spec version="v$1" env="$env" keep=200ms
}

given_load()
{
    given_world
    "$@"
    commit 'the first version'
    start_daemon
    await_converged
    begin_load
}

begin_load()
{
    start_load --path / --path /a/b --new 3 --kept 3 --slow 4 --post 25
}

# --- one after the other ----------------------------------------------------------------------------

switch_to()
{
    version "$1"
    deploy "version $1"
    await 60 "version $1 serves" serves "v$1"
    await_converged 60
}

# A slow machine switches more often, until as many were asked.
fifty_switches()
{
    local i sent

    given_load version 0
    for ((i = 1; i <= SWITCHES; i++)); do
        switch_to $i
    done
    expect_nothing_lost 10000
    expect_equal "versions seen" "$(versions_seen)" $((SWITCHES + 1))
    for ((sent = $(counted sent); sent < REQUESTS; sent += $(counted sent))); do
        begin_load
        for _ in {1..10}; do
            switch_to $((i++))
        done
        expect_nothing_lost 1000
    done
    say "   requests: $sent in $((i - 1)) switches"
    await 20 "one set is left" one_set_is_left
}

# --- kill -9 in the middle --------------------------------------------------------------------------

instances()
{
    ls "$WORLD/var/services/run" | wc -l
}

green_is_made()
{
    [ "$(instances)" -gt 1 ]
}

bake_is_over()
{
    [ "$(count_events rollout.applied)" -gt "$1" ]
}

# Version, and what is waited for before the daemon is killed.
kill_when()
{
    local version=$1

    shift
    await 20 "one set is left" one_set_is_left
    version "$version"
    deploy "version $version"
    LOOK_S=0.002 await 20 "$*" "$@"
    kill_daemon
    start_daemon
    await 30 "in sync with the newest commit" goes_on
    expect_serves "v$version"
}

# After three deaths while it was in work an environment is held and taken back; a person lets it go on, and wants that
# commit all the same.
goes_on()
{
    ! is_converged || return 0
    [[ $(explained) != *crash_suspect* ]] || reeve resume prod --reason 'the test kills it' >/dev/null 2>&1
    ! sync_is waiting || reeve approve "$(plan_id)" --reason 'the test killed it' >/dev/null 2>&1
    return 1
}

killed_in_the_middle_of_a_switch()
{
    local i=0 round

    given_load version 0
    for round in 1 2 3; do
        kill_when $((++i)) green_is_made
        kill_when $((++i)) serves "v$i"
        kill_when $((++i)) bake_is_over "$i"
    done
    expect_nothing_lost 10000
    await 20 "one set is left" one_set_is_left
    expect_equal "instances" "$(instances)" 1
    expect_equal "keepers, with the edge's" "$(keepers | wc -l)" 2
    expect "the chain holds" reeve audit verify --replay
}

# --- a group ----------------------------------------------------------------------------------------

two_services()
{
    spec version="v$1" keep=200ms service='    depends_on: {api: {condition: service_healthy}}' more="
  api:
    command: [\"$APP\"]
    port: 8001
    environment: {VERSION: \"a$1\"}
    healthcheck: {readiness: {http: {path: /healthz}, interval: 100ms, success_threshold: 2}}
    rollout: {min_healthy_time: 200ms, bake_time: 300ms, keep_previous: 200ms}
    termination: {drain: 5s}"
    sed -i 's|routes: .*|routes: {/: {service: web}, /a: {service: api}}}|' "$WORLD/repo/.reeve/app.yaml"
}

two_services_in_one_change()
{
    local i

    given_load two_services 0
    for i in 1 2 3 4 5; do
        two_services $i
        deploy "both to $i"
        await 20 "version $i serves" serves "v$i"
        expect "the other one is switched with it" serves "a$i" /a/b
        await_converged 20
        expect_equal "switches so far" "$(field route_generation)" $((i + 1))
    done
    expect_nothing_lost 10000
    await 20 "one set of each is left" one_set_is_left 2
}

run_cases fifty_switches killed_in_the_middle_of_a_switch two_services_in_one_change
