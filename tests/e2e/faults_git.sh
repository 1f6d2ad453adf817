#!/bin/bash
# faults_git: a source that is away, mute, or says something odd. SPDX-License-Identifier: Apache-2.0
#
# Absence is not evidence: what was applied goes on serving.
. "$(dirname "$0")/lib.sh"

source_says()
{
    reeve status 2>&1 | grep -qF "$1"
}

deletes()
{
    reeve history -n 1000 -o json | grep -o '"action":"delete"' | wc -l
}

events_of_source()
{
    reeve history -n 1000 | grep -c " source\.$1 "
}

# What it says, and the event's kind.
expect_serves_on()
{
    await 30 "said: $1" source_says "$1"
    say "   $(reeve status | grep -F "$1" | head -n 1)"
    expect_serves v1
    expect_equal "deletes" "$(deletes)" 0
    [ "$(events_of_source "$2")" -gt 0 ] || fail "there is no event source.$2"
    expect_serves_after_restart
}

# A new life that cannot read the source knows what was applied.
expect_serves_after_restart()
{
    kill_daemon
    start_daemon
    expect_serves v1
    expect_has "status after a restart" "$(reeve status prod)" 'web '
}

expect_next_commit_converges()
{
    spec version=v2 keep=100ms
    deploy 'version 2'
    await_converged
    expect_serves v2
}

git_is_unreachable()
{
    given_served
    mv "$WORLD/repo" "$WORLD/away"
    fetch_now
    expect_serves_on "repo" failed
    mv "$WORLD/away" "$WORLD/repo"
    expect_next_commit_converges
}

the_repository_is_broken()
{
    given_served
    mv "$WORLD/repo/.git/HEAD" "$WORLD/head"
    echo garbage >"$WORLD/repo/.git/HEAD"
    fetch_now
    expect_serves_on "corrupted" failed
    mv "$WORLD/head" "$WORLD/repo/.git/HEAD"
    expect_next_commit_converges
}

# A server that accepts and says nothing.
git_is_mute()
{
    given_served
    stop_daemon
    beside silent python3 -c '
import socket, sys
s = socket.socket()
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen(16)
held = []
while True:
    held.append(s.accept())
' $((FIRST + 31))
    await 30 "it listens" accepts $((FIRST + 31))
    sed -i "s|url: \"file://[^\"]*\"|url: \"https://127.0.0.1:$((FIRST + 31))/repo\"|" "$WORLD/reeve.yaml"
    start_daemon
    expect_serves v1
    await 90 "said" said_by_shop
    say "   $(reeve status | grep 'shop' | tail -n 1)"
    expect_serves v1
    expect_equal "deletes" "$(deletes)" 0
}

accepts()
{
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

said_by_shop()
{
    reeve status -o json | grep -q '"error":"[^"]'
}

the_branch_is_deleted()
{
    given_served
    git -C "$WORLD/repo" checkout -q -b other
    git -C "$WORLD/repo" branch -q -D main
    fetch_now
    expect_serves_on "the branch is gone" gone
    git -C "$WORLD/repo" checkout -q -b main
    expect_next_commit_converges
}

the_branch_is_rewound()
{
    local first

    given_served
    first=$(head_commit)
    spec version=v2 keep=100ms
    deploy 'version 2'
    await_converged
    git -C "$WORLD/repo" reset -q --hard "$first"
    fetch_now
    await 20 "it waits" sync_is waiting
    expect_has "why" "$(explained)" "rewound: commit ${first:0:12} does not descend from"
    say "   $(explained | sed -n 2p)"
    expect_serves v2
    kill_daemon
    start_daemon
    await 20 "it waits after a restart" sync_is waiting
    expect_serves v2
    reeve approve "$(plan_id)" --reason 'back on purpose' >/dev/null || fail "approve"
    await_converged
    expect_serves v1
    expect_next_commit_converges
}

# The tip is an unrelated history; what it says is the same, so that nothing is to be done or asked.
a_rewound_tip_without_a_change_is_not_what_counts_as_applied()
{
    given_served
    git -C "$WORLD/repo" checkout -q --orphan fresh
    commit 'history written anew'
    git -C "$WORLD/repo" branch -q -M main
    fetch_now
    await 20 "seen" is_considered
    expect_equal "sync" "$(field sync)" in_sync
    spec version=v2
    deploy 'one more on top'
    await 20 "it waits" sync_is waiting
    expect_has "why" "$(explained)" "rewound: commit $(head_commit | cut -c 1-12) does not descend from"
    expect_serves v1
}

# Links and submodules in the specs' folder are refused, not followed.
a_hostile_tree()
{
    given_served
    ln -s /etc/passwd "$WORLD/repo/.reeve/more.yaml"
    deploy 'a link'
    await 20 "said" source_says "more.yaml"
    say "   $(reeve status | grep -F more.yaml | head -n 1)"
    expect_serves v1
    rm "$WORLD/repo/.reeve/more.yaml"
    expect_next_commit_converges
}

run_cases git_is_unreachable the_repository_is_broken git_is_mute the_branch_is_deleted \
    the_branch_is_rewound a_rewound_tip_without_a_change_is_not_what_counts_as_applied a_hostile_tree
