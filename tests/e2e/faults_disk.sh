#!/bin/bash
# faults_disk: a full disk under the state. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

given_small_disk()
{
    given_world
    write_daemon state="${1:-}"
    mount_disk || skip "a file system of 12 MiB cannot be mounted here"
    spec version=v1 keep=100ms
    commit 'version 1'
    start_daemon
    await_converged
    expect_serves v1
}

log_says()
{
    grep -qF "$1" "$WORLD/daemon.log"
}

# What runs goes on; what cannot be written is not done; with room again it goes on by itself.
the_disk_is_full()
{
    given_small_disk
    fill_disk
    spec version=v2 keep=100ms
    deploy 'version 2'
    await 30 "the log says it" log_says 'disk full'
    say "   $(grep -F 'disk full' "$WORLD/daemon.log" | head -n 1)"
    [ ! -e "$DISK/reeve.db.ballast" ] || fail "the ballast is still there"
    fill_disk
    expect "something serves" get
    expect_equal "status" "$STATUS" 200
    rm "$DISK/filler"
    await_converged 90
    expect_serves v2
    reeve hold prod --reason 'something is written' >/dev/null || fail "hold"
    await 20 "the ballast is there for the next time" [ -e "$DISK/reeve.db.ballast" ]
    expect "the chain holds" reeve audit verify --replay
    stop_daemon
    end_disk
}

# Of the daemon, and of no environment.
n_events()
{
    reeve history -n 1000 -o json | grep -o "\"kind\":\"$1\"" | wc -l
}

is_event()
{
    [ "$(n_events "$1")" -gt 0 ]
}

status_says()
{
    reeve status | grep -qF "$1"
}

# It would lie beside the database for a moment, and what is free there is for what must be written.
a_copy_is_not_what_fills_the_disk()
{
    given_small_disk "backup: {directory: $WORLD/copies, every: 1s}"
    fill_disk
    truncate -s -1M "$DISK/filler"
    reeve hold prod --reason 'something to copy' >/dev/null || fail "hold"
    await 20 "status says it" status_says 'no room for a copy'
    expect "the ballast is there" [ -e "$DISK/reeve.db.ballast" ]
    expect_equal "copies" "$(compgen -G "$WORLD/copies/*" | wc -l)" 0
    await 30 "it is trouble" is_event disk.low
    rm "$DISK/filler"
    await 30 "the trouble is over" is_event disk.back
    expect_equal "said once" "$(n_events disk.low)" 1
    stop_daemon
    end_disk
}

run_cases the_disk_is_full a_copy_is_not_what_fills_the_disk
