# boot: systemd as the first process of a clean root, in namespaces of its own. SPDX-License-Identifier: Apache-2.0
#
#     given_machine                 boots $ROOT
#     inside COMMAND..              runs there
#
# The machine that this runs on gives a part of its control groups, and nothing else; its network is a loopback of its
# own. It ends with the script. Sourced after lib.sh and root.sh; started as a program it is what boots.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -eu
    mount --bind "$ROOT" "$ROOT"
    mount -t proc proc "$ROOT/proc"
    mount -t sysfs -o ro sysfs "$ROOT/sys"
    mount -t tmpfs -o mode=755 tmpfs "$ROOT/run"
    mount -t tmpfs -o mode=755 tmpfs "$ROOT/dev"
    for node in null zero full random urandom tty; do
        : >"$ROOT/dev/$node"
        mount --bind "/dev/$node" "$ROOT/dev/$node"
    done
    mkdir "$ROOT/dev/pts" "$ROOT/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$ROOT/dev/pts"
    mount -t tmpfs tmpfs "$ROOT/dev/shm"
    ln -s pts/ptmx "$ROOT/dev/ptmx"
    ln -s /proc/self/fd "$ROOT/dev/fd"
    if [ "$MACHINE_GROUPS" = 2 ]; then
        mount -t cgroup2 cgroup2 "$ROOT/sys/fs/cgroup"
    else
        mount -t tmpfs -o mode=755 tmpfs "$ROOT/sys/fs/cgroup"
        mkdir "$ROOT/sys/fs/cgroup/systemd" "$ROOT/sys/fs/cgroup/unified"
        mount -t cgroup -o none,name=systemd cgroup "$ROOT/sys/fs/cgroup/systemd"
        mount -t cgroup2 cgroup2 "$ROOT/sys/fs/cgroup/unified"
    fi
    mkdir -p "$ROOT/before"
    cd "$ROOT"
    pivot_root . before
    exec env -i container=reeve PATH=/usr/sbin:/usr/bin:/sbin:/bin /bin/sh -c \
        'umount -l /before && rmdir /before && exec /lib/systemd/systemd --log-target=null --show-status=no'
fi

machine_ends()
{
    local part

    [ -z "${MACHINE:-}" ] || kill -KILL "$MACHINE" 2>/dev/null || true # the first process of the namespace: all end
    [ -z "${BOOT:-}" ] || wait "$BOOT" 2>/dev/null || true
    for part in ${MACHINE_PARTS:-}; do
        find "$part" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
    rm -rf --one-file-system "$WORK"
}

machine_is_up()
{
    kill -0 "$BOOT" 2>/dev/null || skip "systemd does not boot in namespaces here: $(tail -n 3 "$WORK/boot.log")"
    MACHINE=$(cat "/proc/$BOOT/task/$BOOT/children" 2>/dev/null | cut -d ' ' -f 1)
    [ -n "$MACHINE" ] && [ "$(cat "/proc/$MACHINE/comm" 2>/dev/null)" = systemd ] &&
        case $(inside systemctl is-system-running 2>/dev/null) in running | degraded) ;; *) false ;; esac
}

inside()
{
    nsenter -t "$MACHINE" --mount --uts --ipc --net --pid --cgroup --root --wd env -i \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

given_machine()
{
    local part=reeve-package.$$ groups

    [ "$(id -u)" -eq 0 ] || skip "a machine of its own is made by root"
    trap machine_ends EXIT
    if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
        export MACHINE_GROUPS=2
        MACHINE_PARTS=/sys/fs/cgroup/$part
    else # of each hierarchy: what it makes there goes with it
        export MACHINE_GROUPS=1
        MACHINE_PARTS=/sys/fs/cgroup/systemd/$part
        for groups in devices pids unified memory; do
            [ ! -w "/sys/fs/cgroup/$groups" ] || MACHINE_PARTS="$MACHINE_PARTS /sys/fs/cgroup/$groups/$part"
        done
    fi
    # shellcheck disable=SC2086 # paths without spaces, one a word
    mkdir $MACHINE_PARTS 2>/dev/null || skip "there is no part of the control groups for it here"
    (
        for part in $MACHINE_PARTS; do
            echo 0 >"$part/cgroup.procs"
        done
        exec env ROOT="$ROOT" unshare --mount --pid --cgroup --uts --ipc --net --fork --kill-child --propagation private \
            bash "$(dirname "${BASH_SOURCE[0]}")/boot.sh"
    ) >"$WORK/boot.log" 2>&1 &
    BOOT=$!
    await 90 "systemd is up" machine_is_up
}
