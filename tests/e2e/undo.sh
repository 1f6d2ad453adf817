#!/bin/bash
# undo: from the command to traffic on the old set within 100 ms. SPDX-License-Identifier: Apache-2.0
#
# The clock starts before the command line does; the counters of the load say which version answered when.
# The median of the rounds counts: what else the machine does in one of them is not ours. All are printed.
. "$(dirname "$0")/lib.sh"

LIMIT_MS=100
ROUNDS=5

# When the first answer of a version since the last start_load was counted.
first_ms()
{
    grep -o "\"$1\":{[^}]*}" "$WORLD/load.json" | grep -o '"first_ms":[0-9]*' | cut -d : -f 2
}

last_ms()
{
    grep -o "\"$1\":{[^}]*}" "$WORLD/load.json" | grep -o '"last_ms":[0-9]*' | cut -d : -f 2
}

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

# Undoes NEW to OLD under load; the milliseconds into $TOOK.
measure()
{
    local old=$1 new=$2 began

    start_load --path / --new 2 --kept 2 --pause-ms 1
    await 5 "the load runs" requests_arrive
    now
    began=$NOW
    reeve undo prod --no-wait --reason 'the test goes back' || fail "undo is refused"
    await 10 "$old serves" serves "$old"
    await 10 "the undo has ended" has_undone "$3"
    end_load
    expect_equal "lost requests" "$(counted lost)" 0
    TOOK=$(($(first_ms "$old") - began))
    [ "$(last_ms "$new")" -le "$(($(first_ms "$old") + LIMIT_MS))" ] ||
        fail "$new still answered at $(last_ms "$new"), $old since $(first_ms "$old")"
}

requests_arrive()
{
    get && [ -n "$BODY" ]
}

has_undone()
{
    [ "$(count_events rollout.applied)" -ge "$1" ]
}

# measure_rounds: as many undos of the kept set as ROUNDS; the median counts.
measure_rounds()
{
    local i all=() sorted

    live_service v0
    commit 'the first version'
    start_daemon
    await_converged
    for ((i = 1; i <= ROUNDS; i++)); do
        live_service "v$i"
        deploy "version $i"
        await_converged
        expect_serves "v$i"
        await 10 "what the rollout left is cleared" is_quiet
        [ "${STANDBY:-running}" = running ] || await 10 "the previous set rests" rest 2
        measure v0 "v$i" $((2 * i + 1))
        say "   undo $i: $TOOK ms from the command to the first answer of the old set"
        all+=($TOOK)
        expect_serves v0
    done
    sorted=($(printf '%s\n' "${all[@]}" | sort -n))
    say "   median ${sorted[ROUNDS / 2]} ms, worst ${sorted[ROUNDS - 1]} ms, limit $LIMIT_MS ms"
    MEDIAN=${sorted[ROUNDS / 2]}
}

undo_while_the_previous_set_is_kept()
{
    given_world
    measure_rounds
    [ "$MEDIAN" -le $LIMIT_MS ] || fail "it takes $MEDIAN ms"
}

# The same figure is held; on a machine that does other things too it is told alone.
undo_while_the_previous_set_is_frozen()
{
    given_world
    STANDBY=frozen measure_rounds
}

# Whoever comes back knows that it rests: nothing is wrong with it, and it is woken before anything is routed to it.
a_frozen_set_outlives_the_daemon()
{
    STANDBY=frozen live_service v8
    deploy 'another version'
    await_converged
    await 10 "the previous set rests" rest 2
    kill_daemon
    start_daemon
    await_converged
    expect_equal "instances that rest" "$(resting)" 2
    expect_has "health" "$(reeve status prod)" healthy
    reeve undo prod --reason 'the test goes back' >/dev/null || fail "undo is refused"
    expect_serves v0
    await 10 "nothing rests" rest 0
}

# No operation is open but the wait for the end of keep_previous.
is_quiet()
{
    [ "$(count_events operation.intent)" -eq $(($(count_events operation.verified) + $(count_events operation.ended))) ]
}

what_was_undone_does_not_come_back()
{
    fetch_now
    await 10 "reverted is said" sync_is reverted
    expect_has "explain" "$(explained)" 'undo by local:'
    expect_serves v0
}

run_cases undo_while_the_previous_set_is_kept what_was_undone_does_not_come_back \
    undo_while_the_previous_set_is_frozen a_frozen_set_outlives_the_daemon
