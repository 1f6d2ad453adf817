#!/bin/bash
# faults_disk: a full disk under the state. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

DISK=

end_disk()
{
    [ -z "$DISK" ] || umount -l "$DISK" 2>/dev/null
    DISK=
}

# var/state is a file system of its own, small enough to be filled.
given_small_disk()
{
    given_world
    mkdir -p "$WORLD/var/state"
    mount -t tmpfs -o size=12m none "$WORLD/var/state" 2>/dev/null ||
        skip "a file system of 12 MiB cannot be mounted here"
    DISK=$WORLD/var/state
    trap 'status=$?; end_disk; end_script $status' EXIT
    sed -i 's|var/reeve.db|var/state/reeve.db|' "$WORLD/reeve.yaml"
    spec version=v1 keep=100ms
    commit 'version 1'
    start_daemon
    await_converged
    expect_serves v1
}

fill_disk()
{
    dd if=/dev/zero of="$DISK/filler" bs=64k 2>/dev/null
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
    expect "the chain holds" reeve audit verify --replay
    stop_daemon
    end_disk
}

run_cases the_disk_is_full
