#!/bin/bash
# drain: websockets of a set that is un-routed: told, waited for, ended one after the other, counted. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

N=24
OLD=

# holds VERSION MAX SPREAD [WORDS..]: its instances write down that they were told.
holds()
{
    local version=$1 max=$2 spread=$3

    shift 3
    spec version="$version" keep=200ms drain=1s "$@"
    sed -i -e "s|termination: {|&long_lived: {notify: true, max: $max, spread: $spread}, |" \
        -e "s|command: \\[\"$APP\"\\]|command: [sh, -c, 'trap \"echo $version >>$WORLD/told\" WINCH; $APP \& while kill -0 \$! 2>/dev/null; do wait \$!; done']|" \
        "$WORLD/repo/.reeve/app.yaml"
}

# Connections that the port has, into $OPEN.
count_open()
{
    OPEN=$(awk -v port="$(printf '%04X' "$1")" 'FNR > 1 && $4 == "01" && substr($2, length($2) - 3) == port' /proc/net/tcp | wc -l)
}

# The port of whoever serves now; OLD is not it.
live_port()
{
    reeve status prod -o json | grep -o '"address":"127.0.0.1:[0-9]*"' | grep -o '[0-9]*"$' | tr -d '"' | grep -vx "${OLD:-none}" | head -n 1
}

all_are_open()
{
    count_open "$1"
    [ "$OPEN" -ge $N ]
}

# Some of them, and not all: they are ended one after the other.
some_are_open()
{
    count_open "$1"
    [ "$OPEN" -gt 2 ] && [ "$OPEN" -lt $((N - 2)) ]
}

ends()
{
    [ "$(count_events gate.ending)" -ge "$1" ]
}

no_plan_is_under_way()
{
    [ "$(count_events plan.over)" -ge "$1" ]
}

given_sockets()
{
    given_world
    : >"$WORLD/told"
    holds v1 "$1" "$2"
    commit 'the first version'
    start_daemon
    await_converged
    PORT=$(live_port)
    start_load --path / --websocket $N
    await 20 "they are open" all_are_open "$PORT"
}

what_stays_open_is_told_waited_for_and_ended()
{
    given_sockets 4s 5s
    holds v2 4s 5s
    deploy 'another version'
    await 30 "what drains is told" grep -qx v1 "$WORLD/told"
    count_open "$PORT"
    expect "they stay open while they are waited for" [ "$OPEN" -ge $N ]
    await 30 "they are ended one after the other" some_are_open "$PORT"
    kill_daemon
    start_daemon
    await 60 "the old set is gone" no_plan_is_under_way 2
    end_load
    expect_equal "who was told" "$(sort -u "$WORLD/told")" v1
    expect_equal "how often it is begun" "$(count_events gate.ending)" 1
    expect_has "how many" "$(history)" "$N connections stayed open and were ended"
    expect_has "explain" "$(reeve explain prod/service/web)" "$N connections stayed open and were ended"
    expect_equal "cut, as the clients saw it" "$(grep -o '"websockets":{[^}]*}' "$WORLD/load.json" | grep -o '"cut":[0-9]*')" "\"cut\":$N"
    expect_equal "lost requests" "$(counted lost)" 0
}

# Whoever goes back to it while it drains finds it as it was: nobody is cut.
an_undo_in_between_is_done_at_once()
{
    given_sockets 120s 3s
    holds v2 120s 3s
    deploy 'another version'
    await 30 "what drains is told" test -s "$WORLD/told"
    reeve undo prod --reason 'the test goes back' >/dev/null || fail "undo is refused"
    expect_serves v1
    await 30 "both plans are over" no_plan_is_under_way 2
    end_load
    expect_equal "what was ended" "$(count_events gate.ending)" 0
    expect_equal "cut, as the clients saw it" "$(grep -o '"websockets":{[^}]*}' "$WORLD/load.json" | grep -o '"cut":[0-9]*')" '"cut":0'
    expect_serves v1
}

# Otherwise a commit that mends it would wait for all of max.
nobody_has_to_wait_for_what_goes_back()
{
    given_world
    : >"$WORLD/told"
    holds v1 120s 2s
    commit 'the first version'
    start_daemon
    await_converged
    OLD=$(live_port)
    holds v2 120s 2s bake=120s
    deploy 'another version'
    await 30 "it is switched to" serves v2
    PORT=$(live_port)
    start_load --path / --websocket $N
    await 20 "they are open" all_are_open "$PORT"
    reeve cancel prod --reason 'the test goes back' >/dev/null || fail "cancel is refused"
    await 30 "what drains is told" grep -qx v2 "$WORLD/told"
    await 30 "they are waited for" reeve advance prod
    await 30 "it has gone back" no_plan_is_under_way 2
    end_load
    expect_has "how many" "$(history)" "$N connections stayed open and were ended"
    expect_equal "lost requests" "$(counted lost)" 0
}

run_cases what_stays_open_is_told_waited_for_and_ended an_undo_in_between_is_done_at_once \
    nobody_has_to_wait_for_what_goes_back
