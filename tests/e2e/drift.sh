#!/bin/bash
# drift: an instance that is gone with its keeper is run again, told or left, as its service says. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# met MODE: web with two instances.
met()
{
    spec replicas=2 service="    drift: {replicas: $1}"
}

n_running()
{
    reeve status prod -o json | grep -o '"state":"running"' | wc -l
}

runs()
{
    [ "$(n_running)" = "$1" ]
}

# With its keeper, so that nobody is there to start it again.
end_one()
{
    local id pid

    id=$(grep -l '"resource":"instance/web@[0-9a-f]*\.1"' "$WORLD"/var/services/run/*/spec.json)
    for pid in $(processes "$(dirname "$id")"); do
        kill -KILL "$pid"
    done
}

tells()
{
    explained | grep -q "$1"
}

looks()
{
    reeve apply prod >/dev/null 2>&1
    "$@"
}

what_is_lost_is_told()
{
    given_world
    met report
    commit 'two of it'
    start_daemon
    await_converged
    end_one
    await 30 "it is told" looks tells 'service/web: replicas differs from what was asked for, and is only reported'
    expect_equal "events" "$(count_events resource.drift)" 1
    expect_equal "repairs" "$(history | grep -c '"cause":"repair"')" 0
    expect_equal "how it feels" "$(field health)" degraded
    expect_serves v1
}

what_is_left_is_not()
{
    met ignore
    deploy 'let it be'
    await 30 "it is told no more" looks await_quiet
    expect_equal "repairs" "$(history | grep -c '"cause":"repair"')" 0
    expect_serves v1
}

await_quiet()
{
    is_considered && ! tells 'replicas differs'
}

what_is_enforced_runs_again()
{
    met enforce
    deploy 'both of it'
    await 30 "it runs again" looks is_whole
    expect "a repair" grep -q 'lost: runs again' <<<"$(history)$(reeve plan prod --recorded 2>&1)"
}

is_whole()
{
    [ -n "$(grep -l '"resource":"instance/web@[0-9a-f]*\.1"' "$WORLD"/var/services/run/*/spec.json 2>/dev/null)" ] &&
        [ -n "$(processes "$(dirname "$(grep -l '"resource":"instance/web@[0-9a-f]*\.1"' "$WORLD"/var/services/run/*/spec.json)")")" ]
}

run_cases what_is_lost_is_told what_is_left_is_not what_is_enforced_runs_again
