#!/bin/bash
# events: who listens hears each event of its scope once, whoever dies meanwhile. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || { say "no python3"; exit 77; }

# Events of prod and of no environment, some of each.
happen()
{
    local i

    for ((i = 0; i < 8; i++)); do
        { reeve hold prod --reason 'a look' && reeve resume prod && reeve token create "more$1$i"; } >/dev/null 2>&1 || fail "nothing happens"
    done
}

# What the actor of that token is told of the history, the oldest first.
write_wanted()
{
    reeve --quiet --server "http://127.0.0.1:$API" --token "@$WORLD/$1" history -n 1000 -o json >"$WORLD/$1.history" ||
        fail "no history for $1"
    grep -o '"seq":[0-9]*' "$WORLD/$1.history" | cut -d : -f 2 | sort -n >"$WORLD/$1.new"
    mv "$WORLD/$1.new" "$WORLD/$1.wanted"
}

# While they listen and come.
end_in_order()
{
    kill -TERM "$DAEMON"
    wait "$DAEMON"
    expect_equal "how it ended" $? 0
    DAEMON=
}

each_hears_what_is_its()
{
    local listeners name i

    given_world
    API=$((FIRST + 35))
    write_daemon extra="listen: 127.0.0.1:$API"
    spec version=v1
    commit 'version 1'
    start_daemon
    await_converged
    reeve token create all >"$WORLD/all" 2>/dev/null
    reeve token create ours --env prod >"$WORLD/ours" 2>/dev/null
    reeve token create none --env 'pr-*' >"$WORLD/none" 2>/dev/null
    python3 "$(dirname "${BASH_SOURCE[0]}")/../support/listeners.py" "$API" "$WORLD" all ours none >"$WORLD/said" 2>&1 9>&- &
    listeners=$!
    happen a
    kill_daemon
    start_daemon
    happen b
    for ((i = 0; i < 5; i++)); do
        end_in_order
        start_daemon
    done
    happen c
    for name in all ours none; do
        write_wanted $name
    done
    wait $listeners || fail "$(cat "$WORLD/said")"
    say "$(cat "$WORLD/said")"
    expect "of prod there is more than of nothing" test -s "$WORLD/ours.wanted"
    expect "and less than there is" test "$(wc -l <"$WORLD/ours.wanted")" -lt "$(wc -l <"$WORLD/all.wanted")"
    expect_equal "of nothing" "$(cat "$WORLD/none.wanted")" ""
    stop_daemon
}

run_cases each_hears_what_is_its
