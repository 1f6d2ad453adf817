# machine: a small disk, a file that is damaged, and a wall clock of its own. SPDX-License-Identifier: Apache-2.0
#
# Sourced by lib.sh.

# --- a small disk -----------------------------------------------------------------------------------

DISK=

# var/state is a file system of its own, small enough to be filled. Fails where none can be mounted.
mount_disk()
{
    mkdir -p "$WORLD/var/state"
    mount -t tmpfs -o size=12m none "$WORLD/var/state" 2>/dev/null || return
    DISK=$WORLD/var/state
    trap 'status=$?; end_disk; end_script $status' EXIT
    sed -i 's|var/reeve.db|var/state/reeve.db|' "$WORLD/reeve.yaml"
}

end_disk()
{
    [ -z "$DISK" ] || umount -l "$DISK" 2>/dev/null
    DISK=
}

fill_disk()
{
    dd if=/dev/zero of="$DISK/filler" bs=64k 2>/dev/null
}

# flip_bit FILE PLACE: another byte stands there, whatever it was.
flip_bit()
{
    local byte

    byte=$(od -An -tu1 -j "$2" -N 1 "$1") || fail "nothing of '$1' can be read"
    [ -n "$byte" ] || fail "'$1' has no byte $2"
    printf "\\x$(printf %02x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# --- the wall clock ---------------------------------------------------------------------------------

# libfaketime is installed: into $CLOCK_LIBRARY.
has_clock()
{
    for CLOCK_LIBRARY in /usr/lib/*/faketime/libfaketimeMT.so.1; do
        [ ! -e "$CLOCK_LIBRARY" ] || return 0
    done
    return 1
}

# Of this world: what is started with $CLOCK has a wall clock of its own.
with_clock()
{
    set_clock +0
    CLOCK="LD_PRELOAD=$CLOCK_LIBRARY FAKETIME_TIMESTAMP_FILE=$WORLD/clock FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_FAKE_MONOTONIC=1"
}

# A world whose daemon has a wall clock of its own; $CLOCK starts it again with that.
given_clock()
{
    given_world
    with_clock
    spec version=v1 keep=60s
    commit 'version 1'
    start_daemon $CLOCK
    await_converged
    expect_serves v1
}

set_clock()
{
    printf '%s\n' "$1" >"$WORLD/clock.new"
    mv "$WORLD/clock.new" "$WORLD/clock"
}
