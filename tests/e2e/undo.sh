#!/bin/bash
# undo: the old set serves again, nobody's request is lost, and the history says who asked. SPDX-License-Identifier: Apache-2.0
#
# How long it takes is measured by tests/bench/run.
. "$(dirname "$0")/lib.sh"

live_service()
{
    spec version="$1" replicas=2 keep=60s bake=300ms service="    standby: ${STANDBY:-running}"
}

# Instances whose program the kernel has stopped.
resting()
{
    local state pid n=0

    for state in "$WORLD"/var/services/run/*/state; do
        pid=$(grep -o '"pid":[0-9]*' "$state" | cut -d : -f 2)
        grep -qs '^State:.T' "/proc/$pid/status" && n=$((n + 1))
    done
    echo $n
}

rest()
{
    [ "$(resting)" -eq "$1" ]
}

has_undone()
{
    [ "$(count_events rollout.applied)" -ge "$1" ]
}

versions_counted()
{
    grep -o '"versions":{.*}' "$WORLD/load.json" | grep -o '"v[0-9]*":{' | cut -d '"' -f 2 | sort | tr '\n' ' '
}

# Who asks meanwhile has an answer of the one or the other, who asks then of the old one. OLD NEW
undo_under_load()
{
    local old=$1 new=$2 undone=$(($(count_events rollout.applied) + 1))

    start_load --path / --new 2 --kept 2 --pause-ms 1
    reeve undo prod --no-wait --reason "back from $new" || fail "undo is refused"
    await 30 "$old serves" serves "$old"
    await 30 "the undo has ended" has_undone "$undone"
    end_load
    expect_equal "lost requests" "$(counted lost)" 0
    expect_equal "who answered" "$(versions_counted)" "$old $new "
    start_load --path / --new 2 --kept 2 --pause-ms 1
    end_load
    expect_equal "who answers now" "$(versions_counted)" "$old "
}

# undo_twice: each to the set that was kept.
undo_twice()
{
    local i

    live_service v0
    commit 'the first version'
    start_daemon
    await_converged
    for i in 1 2; do
        live_service "v$i"
        deploy "version $i"
        await_converged
        expect_serves "v$i"
        await 30 "what the rollout left is cleared" is_quiet
        [ "${STANDBY:-running}" = running ] || await 30 "the previous set rests" rest 2
        undo_under_load v0 "v$i"
        expect_has "the history" "$(history)" "\"kind\":\"command.undo\""
        expect_has "who and why" "$(explained)" "undo by local:$(id -un)($(id -u)): back from v$i"
        expect_serves v0
    done
}

undo_while_the_previous_set_is_kept()
{
    given_world
    undo_twice
}

undo_while_the_previous_set_is_frozen()
{
    given_world
    STANDBY=frozen undo_twice
}

# Whoever comes back knows that it rests: nothing is wrong with it, and it is woken before anything is routed to it.
a_frozen_set_outlives_the_daemon()
{
    STANDBY=frozen live_service v8
    deploy 'another version'
    await_converged
    await 30 "the previous set rests" rest 2
    kill_daemon
    start_daemon
    await_converged
    expect_equal "instances that rest" "$(resting)" 2
    expect_has "health" "$(reeve status prod)" healthy
    reeve undo prod --reason 'the test goes back' >/dev/null || fail "undo is refused"
    expect_serves v0
    await 30 "nothing rests" rest 0
}

# No operation is open but the wait for the end of keep_previous.
is_quiet()
{
    [ "$(count_events operation.intent)" -eq $(($(count_events operation.verified) + $(count_events operation.ended))) ]
}

what_was_undone_does_not_come_back()
{
    fetch_now
    await 30 "reverted is said" sync_is reverted
    expect_has "explain" "$(explained)" 'undo by local:'
    expect_serves v0
}

run_cases undo_while_the_previous_set_is_kept what_was_undone_does_not_come_back \
    undo_while_the_previous_set_is_frozen a_frozen_set_outlives_the_daemon
