# canary: values that are looked for everywhere. SPDX-License-Identifier: Apache-2.0
#
# Sourced behind lib.sh by scripts whose services get them. What a user cannot read is not seen: they run as root
# as well.

# Of this run alone: others may run beside it.
random=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
CANARY=canary-$random
SECOND=second-$random
SHORT=short-${random:0:16}
DOOR=door-$random
OTHER_DOOR=other-$random

# inner USER:PASSWORD STATUS
inner()
{
    [ "$(curl -s -m 10 -o /dev/null -w '%{http_code}' -H "Host: $HOST" ${1:+-u "$1"} "http://127.0.0.1:$HTTP/inner")" = "$2" ]
}

# What anybody can ask for, as text and as JSON.
everything_told()
{
    local verb route

    for verb in status 'status prod' 'explain prod' 'plan prod' 'history prod -n 1000' doctor; do
        # shellcheck disable=SC2086 # words
        reeve $verb
        # shellcheck disable=SC2086
        reeve $verb -o json
    done
    reeve logs prod
    reeve audit verify --replay
    for route in status environments/prod environments/prod/plan "plans/$(plan_id)" 'history?limit=1000' \
        "environments/prod/history?at_ms=$(date +%s)000" environments/prod/explain environments/prod/logs \
        audit/verify 'audit/export?limit=1000' doctor; do
        curl -s -m 20 --unix-socket "$WORLD/var/reeve.sock" "http://localhost/api/v1/$route"
    done
}

# The value as it is, in hex, in base64, and as a browser says it to the edge.
spellings()
{
    printf '%s\n' "$1" "$(printf '%s' "$1" | od -An -tx1 | tr -d ' \n')" "$(printf '%s' "$1" | base64 -w 0)" \
        "$(printf 'ops:%s' "$1" | base64 -w 0)"
}

# What runs for a service, below a keeper of its provider.
is_of_a_service()
{
    local pid=$1

    while [ "${pid:-0}" -gt 1 ]; do
        pid=$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status" 2>/dev/null)
        grep -qsaF "$WORLD/var/services/run/" "/proc/${pid:-0}/cmdline" && return 0
    done
    return 1
}

# The daemon, or a child of it before it becomes another program, which has its words and its environment.
is_the_daemon()
{
    [ "$1" != "$DAEMON" ] || return 0
    [ "$(awk '/^PPid:/ { print $2 }' "/proc/$1/status" 2>/dev/null)" = "$DAEMON" ] && cmp -s "/proc/$1/cmdline" "/proc/$DAEMON/cmdline"
}

# Of every user: the value is in the environment of the daemon, whose store that is, and of the services. Who has gone meanwhile
# shows nothing any more.
no_process_shows()
{
    local file pid

    expect_equal "command lines that hold it" "$(grep -lsaF -f - /proc/[0-9]*/cmdline <<<"$1")" ""
    for file in $(grep -lsaF -f - /proc/[0-9]*/environ <<<"$1"); do
        pid=${file//[!0-9]/}
        is_the_daemon "$pid" || is_of_a_service "$pid" || [ ! -e "/proc/$pid/exe" ] ||
            fail "process $pid has it in its environment: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
    done
}

and_nothing_else()
{
    local value spelling

    everything_told >"$WORLD/shown.txt" 2>&1
    for value in "$CANARY" "$SECOND" "$SHORT" "$DOOR" "$OTHER_DOOR"; do
        for spelling in $(spellings "$value"); do
            expect_equal "files that hold it" \
                "$(grep -rlaF "$spelling" "$WORLD/var" "$WORLD/repo" "$WORLD/daemon.log" "$WORLD/shown.txt")" ""
        done
        expect_equal "files elsewhere that hold it" "$(find /tmp /var/tmp /dev/shm -maxdepth 2 -type f -size -2M \
            -newer "$WORLD/reeve.yaml" -not -path "$WORLD/*" -exec grep -laF "$value" {} + 2>/dev/null)" ""
        no_process_shows "$value"
    done
}

services_have()
{
    local pid

    for pid in $(grep -lsaF "$1" /proc/[0-9]*/environ | cut -d / -f 3); do
        is_of_a_service "$pid" && return 0
    done
    return 1
}

# What the kernel itself says, also where cores go to a program: 0 is overlooked there, 1 is not (core(5)).
writes_no_core()
{
    expect_has "process $1" '0 1' "$(awk '/^Max core file size/ { print $5 }' "/proc/$1/limits")"
    expect_has "process $1" '0 1' "$(awk '/^Max core file size/ { print $6 }' "/proc/$1/limits")"
}

# The daemon, keepers and what they keep.
nobody_writes_a_core()
{
    local pid keeper

    writes_no_core "$DAEMON"
    for keeper in $(processes "$WORLD/var/services/run/") $(processes "$WORLD/var/edge/run/"); do
        writes_no_core "$keeper"
        for pid in $(cat "/proc/$keeper/task/$keeper/children" 2>/dev/null); do
            writes_no_core "$pid"
        done
    done
}

sees_memory()
{
    if ! true 2>/dev/null <"/proc/$DAEMON/mem"; then
        say "   not tried: the memory of the daemon is not for us"
        return 1
    fi
}

# remembers PID VALUE: it stands in the memory that a process writes.
remembers()
{
    local answer

    answer=$(python3 - "$1" "$2" <<'END'
import sys

def is_there():
    with open("/proc/%s/mem" % sys.argv[1], "rb", 0) as memory, open("/proc/%s/maps" % sys.argv[1], encoding="ascii") as maps:
        for line in maps:
            place, mode = line.split()[:2]
            if "w" not in mode:
                continue
            begin, end = (int(x, 16) for x in place.split("-"))
            memory.seek(begin)
            try:
                if sys.argv[2].encode() in memory.read(end - begin):
                    return True
            except OSError:
                pass  # a part that was given back meanwhile
    return False

print("yes" if is_there() else "no")
END
    )
    [ "$answer" = yes ] || { [ "$answer" = no ] && return 1; } || fail "the memory of $1 cannot be read"
}
