#!/bin/bash
# history: what was then, and whether the record of it holds. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

REPLICAS_THEN=1

state_at()
{
    now
    reeve history prod --at "-$((NOW - $1))ms" "${@:2}"
}

the_state_at_a_time()
{
    local first second then_ms

    given_world
    spec version=v1 replicas=$REPLICAS_THEN
    commit 'the first version'
    start_daemon
    await_converged
    first=$(head_commit)
    now
    then_ms=$NOW
    spec version=v2 replicas=2 keep=100ms
    deploy 'the second version'
    await_converged
    await 20 "one set is left" one_set_is_left
    second=$(head_commit)

    expect_has "then" "$(state_at $then_ms)" "commit ${first:0:8} \"the first version\""
    expect_has_not "then" "$(state_at $then_ms)" "${second:0:8}"
    expect_equal "instances then" "$(state_at $then_ms | grep -c 'instance/web@.*ready')" $REPLICAS_THEN
    expect_has "the specs then" "$(state_at $then_ms -o json)" '"VERSION":"v1"'
    now
    expect_has "now" "$(state_at "$NOW")" "commit ${second:0:8} \"the second version\""
    expect_equal "instances now" "$(state_at "$NOW" | grep -c 'instance/web@.*ready')" 2
}

the_chain_holds_and_the_tables_follow_from_it()
{
    reeve hold prod --reason 'a canary of the history' >/dev/null || fail "hold is refused"
    reeve resume prod >/dev/null || fail "resume is refused"
    expect "the daemon verifies" reeve audit verify --replay
    stop_daemon
    expect "the file is verified without a daemon" reeve audit verify --replay
}

# Every place where the text stands in the file, one after the other.
flip_each()
{
    local text=$1 at n=0

    for at in $(grep -obUaF "$text" "$WORLD/var/reeve.db" | cut -d : -f 1); do
        cp "$WORLD/var/reeve.db" "$WORLD/flipped.db"
        printf 'X' | dd of="$WORLD/flipped.db" bs=1 seek=$((at + 2)) conv=notrunc status=none
        if reeve audit verify --replay "$WORLD/flipped.db" >"$WORLD/verdict" 2>&1; then
            fail "a flipped byte of '$text' at $at is not found"
        fi
        n=$((n + 1))
    done
    [ $n -gt 0 ] || fail "'$text' is not in the file"
    say "   '$text': $n places, each found, the last as: $(head -n 1 "$WORLD/verdict")"
}

one_flipped_byte_is_found()
{
    flip_each rollout.applied
    flip_each 'a canary of the history'
    flip_each '"action":"switch"'
    flip_each 'reeve serve, pid'
}

run_cases the_state_at_a_time the_chain_holds_and_the_tables_follow_from_it one_flipped_byte_is_found
