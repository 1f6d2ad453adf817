#!/bin/sh
# stop: end a demo that was left running, and remove its directory. SPDX-License-Identifier: Apache-2.0
#
#     stop.sh DIRECTORY
#
# First the daemon; then the keepers, whose pids stand in their state files. A keeper that is asked to end
# asks its program, waits for the grace, and leaves with it.
set -eu
home=${1:?usage: stop.sh DIRECTORY}

is_program()
{
    [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$2" ]
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
end reeve $(cat "$home/daemon.pid" 2>/dev/null)
end keeper $(find "$home/var" -name state -exec sed -n 's/.*"keeper":\([0-9]*\).*/\1/p' {} + 2>/dev/null)
chmod -R u+w "$home" && rm -rf "$home"
