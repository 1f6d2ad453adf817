#!/bin/sh
# stop: end a daemon and everything that it started. SPDX-License-Identifier: Apache-2.0
#
#     stop.sh DIRECTORY       where reeve.yaml lies; a directory that the demo made is removed as well
#
# First the daemon, whom the lock of its state names; then the keepers, whose pids stand in their state
# files. A keeper that is asked to end asks its program, waits for the grace, and leaves with it.
set -eu
home=$(cd "${1:?usage: stop.sh DIRECTORY}" && pwd)

# A pid may be somebody else's by now: the name must fit, and a keeper's directory stands in its arguments.
is_program()
{
    [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$2" ] || return 1
    [ "$2" != keeper ] || grep -qF "$home/" "/proc/$1/cmdline" 2>/dev/null
}

# end NAME PID...: ask those that are still NAME, then wait for them
end()
{
    name=$1
    shift
    for pid in "$@"; do
        if is_program "$pid" "$name"; then
            kill -TERM "$pid" 2>/dev/null || true # it may end meanwhile
        fi
    done
    for pid in "$@"; do
        while is_program "$pid" "$name"; do sleep 0.05; done
    done
}

end load $(cat "$home/load.pid" 2>/dev/null)
end reeve $(sed -n 's/.*pid \([0-9]*\).*/\1/p' "$home/var/reeve.db.lock" 2>/dev/null)
end keeper $(find "$home/var" -name state -exec sed -n 's/.*"keeper":\([0-9]*\).*/\1/p' {} + 2>/dev/null)
case $home in
/tmp/reeve-demo.*)
    chmod -R u+w "$home" # artifacts are read-only
    rm -rf "$home"
    ;;
esac
