#!/bin/bash
# anchors: the head of the history lies where the daemon's machine cannot rewrite it. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/heads.sh"

PLACE=

# Words: more fields of the place, more of the rule.
given_place()
{
    given_world
    PLACE=$WORLD/place.git
    git init -q --bare -b main "$PLACE"
    write_daemon rule="${2:-}" extra="anchors: [{type: git, url: \"file://$PLACE\", every: 1s${1:+, $1}}]"
    spec version=v1
    commit 'the first version'
}

in_place()
{
    git -C "$PLACE" "$@" 2>/dev/null
}

lines()
{
    in_place log --format=%s main
}

brought()
{
    lines | grep '^reeve/anchor/2 ' | head -n 1 | cut -d ' ' -f 3
}

python_verifies()
{
    python3 "$(dirname "${BASH_SOURCE[0]}")/../../docs/verify_history.py" "$@"
}

the_head_is_brought_there()
{
    given_place
    start_daemon
    await_converged
    await_anchored
    expect_has "its form" "$(lines | head -n 1)" "reeve/anchor/2 "
    reeve audit export >"$WORLD/history.jsonl" || fail "the export is refused"
    git clone -q "$PLACE" "$WORLD/clone"
    expect_has "reeve" "$(reeve audit verify "$WORLD/history.jsonl" --anchors "$WORLD/clone")" "$(lines | wc -l) events are the ones that were anchored"
    expect_has "python" "$(python_verifies "$WORLD/history.jsonl" "$WORLD/clone")" "$(lines | wc -l) anchors"
    cat "$WORLD"/clone/*/*/*/*/* >"$WORLD/lines"
    expect_has "a file of them" "$(reeve audit verify "$WORLD/history.jsonl" --anchors "$WORLD/lines")" "were anchored"
    expect "the tables follow from the events" reeve audit verify --replay
    expect_has "who looks" "$(reeve status -o json)" "\"place\":\"file://$PLACE#main\""
}

# Else each anchor would be followed by another one.
an_anchor_asks_for_none()
{
    local before

    before=$(lines | wc -l)
    for n in 1 2 3; do
        something_happens "the $n. canary"
        await_anchored
    done
    [ "$(lines | wc -l)" -le $((before + 6)) ] || fail "six events, $(($(lines | wc -l) - before)) anchors"
    await 20 "an event each" an_event_says_each
}

# It is written when the place has the line.
an_event_says_each()
{
    [ "$(n_made)" = "$(lines | wc -l)" ]
}

a_place_that_is_down_is_told_and_comes_back()
{
    local before

    before=$(lines | wc -l)
    mv "$PLACE" "$WORLD/away.git"
    something_happens 'nobody anchors this'
    await_told 1 .
    expect_has "why" "$(reeve history -n 50)" "anchor.failed"
    mv "$WORLD/away.git" "$PLACE"
    await_over 1
    [ "$(lines | wc -l)" -gt "$before" ] || fail "nothing more was brought"
}

# Nothing of ours is pushed over it.
a_place_that_was_rewritten_is_told()
{
    local kept=$(in_place rev-parse main) other

    other=$(in_place rev-parse main~1)
    in_place update-ref refs/heads/main "$other"
    something_happens 'the place was put back'
    await_told 2 'the branch was rewritten'
    expect_equal "it stays as they made it" "$(in_place rev-parse main)" "$other"
    in_place update-ref refs/heads/main "$kept"
    await_over 2
}

# Another daemon writes there, too.
others_may_write_beside_it()
{
    rm -rf "$WORLD/clone"
    git clone -q "$PLACE" "$WORLD/clone"
    mkdir -p "$WORLD/clone/another/2026/01/01"
    printf 'reeve/anchor/1 another 1 %064d\n' 7 >"$WORLD/clone/another/2026/01/01/00"
    git -C "$WORLD/clone" add . && git -C "$WORLD/clone" commit -qm another && git -C "$WORLD/clone" push -q origin main || fail "no push"
    something_happens 'we go on from there'
    await_anchored
    expect_has "theirs stays" "$(in_place ls-tree -r --name-only main)" "another/2026/01/01/00"
}

expect_stale()
{
    start_daemon
    expect_has "the daemon" "$(reeve status 2>&1)" "$1"
    ! reeve hold prod --reason 'nothing is written' >/dev/null 2>&1 || fail "it writes all the same"
    stop_daemon
    say "   $(grep -o 'why=.*' "$WORLD/daemon.log" | tail -n 1)"
}

# Nothing on this machine tells.
a_daemon_that_was_put_back_is_stale()
{
    put_back
    expect_stale "was anchored, and it has not happened here"
    put_forward
    start_daemon
    expect_has_not "the one that goes on" "$(reeve status 2>&1)" "older than the world"
    stop_daemon
}

# Every hash of it right, and sealed with the machine's own key.
a_history_that_was_rewritten_with_our_key_is_stale()
{
    cp -a "$WORLD/var" "$WORLD/var.now"
    python3 "$(dirname "${BASH_SOURCE[0]}")/../support/rewrite_history.py" "$WORLD/var" || fail "it was not rewritten"
    expect_has "by itself it holds" "$(reeve audit verify)" "the sealed head, event"
    expect_stale "is another one than was anchored"
    put_forward
}

# Words: what the rule asks for.
nothing_is_applied_while_it_cannot_be_anchored()
{
    given_place "" "    floor: {anchor: required}"
    mv "$PLACE" "$WORLD/away.git"
    start_daemon
    await 20 "the plan waits" waits_for_an_anchor
    expect_has "why" "$(explained prod)" "was never brought to a place"
    mv "$WORLD/away.git" "$PLACE"
    await_converged
    await_anchored
    mv "$PLACE" "$WORLD/away.git"
    something_happens 'nobody anchors this'
    await_told 1 .
    await 30 "a later one waits, too" the_next_version_waits
    mv "$WORLD/away.git" "$PLACE"
    await_converged
}

NEXT=1
the_next_version_waits()
{
    waits_for_an_anchor && return
    is_converged || return
    NEXT=$((NEXT + 1))
    spec version=v$NEXT
    deploy "version $NEXT"
    false
}

run_cases the_head_is_brought_there an_anchor_asks_for_none a_place_that_is_down_is_told_and_comes_back \
    a_place_that_was_rewritten_is_told others_may_write_beside_it a_daemon_that_was_put_back_is_stale \
    a_history_that_was_rewritten_with_our_key_is_stale nothing_is_applied_while_it_cannot_be_anchored
