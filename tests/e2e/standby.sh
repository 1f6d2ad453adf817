#!/bin/bash
# standby: another daemon follows, takes over when the first dies, and the first one never acts again.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

STANDBY=

# The same machine: the directories of the providers are shared. Words: more lines of the first one's document.
given_pair()
{
    given_world
    mkdir -p "$WORLD/second"
    write_daemon extra="${1:-}"
    sed "s|file: var/reeve.db|file: $WORLD/second/var/reeve.db|; s|^socket: .*|socket: $WORLD/second/reeve.sock|
        s|directory: var/|directory: $WORLD/var/|; /^peer:/d" "$WORLD/reeve.yaml" >"$WORLD/second/reeve.yaml"
}

second()
{
    "$REEVE" "$@" --config "$WORLD/second/reeve.yaml"
}

start_standby()
{
    "$REEVE" serve --follow "unix:$WORLD/var/reeve.sock" --config "$WORLD/second/reeve.yaml" \
        >>"$WORLD/second/daemon.log" 2>&1 9>&- &
    STANDBY=$!
}

seq_of()
{
    grep -o '"seq":[0-9]*' <<<"$1" | tail -n 1 | cut -d : -f 2
}

# It has every event of the first one.
is_level()
{
    local first copy

    first=$(reeve status -o json 2>/dev/null) copy=$(second status -o json 2>/dev/null)
    [[ $copy == *'"copy":'* ]] && [ "$(grep -o '"hash":"[^"]*"' <<<"$first")" = "$(grep -o '"hash":"[^"]*"' <<<"$copy")" ]
}

# It has events after that one.
is_ahead()
{
    [ "$(seq_of "$(second status -o json 2>/dev/null)")" -gt "$1" ]
}

end_standby()
{
    [ -z "$STANDBY" ] || kill_child "$STANDBY"
    STANDBY=
}

a_copy_that_answers()
{
    given_pair
    spec
    commit 'version 1'
    start_daemon
    start_standby
    await_converged
    await 20 "the standby has everything" is_level
    expect_has "the copy" "$(second status prod 2>&1)" "a copy of"
    expect_has "the copy" "$(second history prod -o json)" '"kind":"rollout.applied"'
    second audit verify --replay >/dev/null || fail "the chain of the copy does not verify"
}

nothing_is_changed_there()
{
    local said status

    said=$(second hold prod --reason 'not here' 2>&1)
    status=$?
    [ $status -eq 5 ] || fail "a hold on the standby: exit status $status: $said"
    expect_has "the refusal" "$said" "unix:$WORLD/var/reeve.sock"
}

# Killed at any moment it goes on from its last event.
killed_while_it_follows()
{
    local i

    for i in 1 2 3 4 5; do
        spec version=v2.$i
        deploy "version 2.$i"
        await 20 "the copy goes on" is_ahead "$(seq_of "$(second status -o json)")"
        end_standby
        start_standby
    done
    await_converged
    await 20 "the standby has everything" is_level
    second audit verify --replay >/dev/null || fail "the chain of the copy does not verify"
}

run_cases a_copy_that_answers nothing_is_changed_there killed_while_it_follows
end_standby
