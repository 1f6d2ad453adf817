#!/bin/bash
# matrix: the daemon dies at every listed point of every scenario, and once more in its next life.
# SPDX-License-Identifier: Apache-2.0
#
#     matrix.sh [SCENARIO [POINT]]      REEVE, APP, INVENTORY and CRASH_POINTS (the .def) in the environment
#
# A row is one change of a world that is at rest: the change is pushed, the daemon is killed at the point,
# started and killed at the same point if it comes by again, then left alone. Afterwards rows and world
# must agree (inventory.h), the chain must hold, and the wanted version must be served. A world is used
# for the next row unless something was wrong; `create` has a new one each time, and so has `delete`: its daemon
# serves, and an environment in which that dies three times in five minutes is held.
#
# Printed: `2` killed twice, `1` killed once (the second life did not come by), `-` not reached, `!` wrong.
# A point that no scenario reaches is a failure. What is lost in `recover` is the database: it is put back as it was a
# rollout before, and `reeve recover` is what dies.
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/world.sh"

# The passage to die at, so that points of operations meet the scenario's own: the first operation, the
# switch, the switch back, the stop of a removed service.
#          scenario  OP  GATE
passages='
           create    1   1
           update    1   1
           switch    4   2
           revert    6   2
           delete    3   1
           recover   1   1
           canary    4   2
           rolling   3   2
'
WORKERS=('create recover' 'update switch' 'revert canary' 'delete rolling')
# What the points of operations, gates and switches are for canaries and rolling changes: the others do not know them.
STEP_POINTS=' OP_AFTER_INTENT OP_BEFORE_IDENTIFIED OP_AFTER_ACT OP_AFTER_VERIFIED GATE_AFTER_OPENED GATE_AFTER_VERDICT ROLLOUT_AFTER_SWITCH '

AT_ONCE=2
API=a1

# --- scenarios: given_X makes a world at rest, push_X the change; WANTED and SYNC is what must be then --

given_create()
{
    given_secret_world
}

push_create()
{
    shop v1 ok
    WANTED=v1 SYNC=in_sync
}

given_update()
{
    given_secret_world
    shop v0 ok
    life
}

push_update()
{
    shop "v$1" ok
    WANTED=v$1 SYNC=in_sync
}

given_switch()
{
    given_update
}

push_switch()
{
    push_update "$1"
}

given_revert()
{
    given_update
}

# Ready at first, and found out in the bake. A good one before it: three bad ones in a row hold the environment.
push_revert()
{
    shop "good$1" ok
    life
    shop "bad$1" fail_after:1200 '' 5s
    WANTED=good$1 SYNC=reverted
}

# Dies with a share, and with the next one.
given_canary()
{
    given_secret_world
    STRATEGY='canary, canary: {steps: [{weight: 10%, pause: 200ms}, {weight: 50%, pause: 200ms}]}'
    shop v0 ok
    life
}

push_canary()
{
    push_update "$1"
}

# Dies with instances of both behind one backend.
given_rolling()
{
    given_secret_world
    STRATEGY='rolling' REPLICAS=3
    shop v0 ok
    life
}

push_rolling()
{
    push_update "$1"
}

given_delete()
{
    given_secret_world
    shop v0 ok $API
    life
}

push_delete()
{
    shop v0 ok
    WANTED=v0 SYNC=in_sync
}

given_recover()
{
    given_update
    cp "$WORLD/var/reeve.db" "$WORLD/older.db"
}

push_recover()
{
    shop "v$1" ok
    life
    rm -f "$WORLD"/var/reeve.db*
    cp "$WORLD/older.db" "$WORLD/var/reeve.db"
    WANTED=v$1 SYNC=held
}

recover_once()
{
    REEVE_CRASH=$1 "$REEVE" recover >>"$WORLD/daemon.log" 2>&1 9>&-
}

# What no label knows is known from the old file, which is there whole, however often recover died.
expect_recovered()
{
    local old

    old=$(find "$WORLD/var" -name 'reeve.db.lost-*' ! -name '*-wal' ! -name '*-shm')
    [ "$(wc -l <<<"$old")" = 1 ] || note_wrong "the old file is not there once"
    cmp -s "$WORLD/older.db" "$old" || note_wrong "the old file was changed"
    [ ! -e "$WORLD/var/reeve.db.new" ] || note_wrong "half a database is left"
    [[ $("$REEVE" status prod -o json) == *'"revisions":[{'* ]] || note_wrong "no revision is known"
}

# The points that a scenario can come by.
points_of()
{
    local point

    for point in $POINTS; do
        case $1:$point in
        recover:RECOVER_*) echo "$point" ;;
        recover:* | *:RECOVER_*) ;;
        canary:* | rolling:*) [[ $STEP_POINTS != *" $point "* ]] || echo "$point" ;;
        *) echo "$point" ;;
        esac
    done
}

life_of()
{
    case $1 in
    recover) quietly recover_once "${2:-}" ;;
    delete) life_with_approval "${2:-}" ;;
    *) life "${2:-}" ;;
    esac
}

# --- one row ----------------------------------------------------------------------------------------

passage()
{
    awk -v scenario="$1" -v point="$2" '
        $1 == scenario { print point == "OP_AFTER_PENDING" ? 1 : point == "RECOVER_BETWEEN_FILES" ? 3 : point ~ /^OP_/ ? $2 : point ~ /^GATE_/ ? $3 : 1 }' <<<"$passages"
}

# row SCENARIO POINT NUMBER: into $RESULT and $AT.
row()
{
    local scenario=$1 point=$2

    "push_$scenario" "$3"
    RESULT=- AT=
    life_of "$scenario" "$point:$(passage "$scenario" "$point")"
    if [ $? = 137 ]; then
        RESULT=1
        AT=$("$INVENTORY" "$WORLD/var" last)
        life_of "$scenario" "$point"
        [ $? = 137 ] && RESULT=2
    fi
    again() { life_of "$scenario"; }
    settle again
    if [ "$scenario" = delete ]; then
        expect_rest "$WANTED" "$SYNC" ''
    elif [ "$scenario" = recover ]; then
        expect_rest "$WANTED" "$SYNC"
        expect_recovered
        [ -z "$WRONG" ]
    else
        expect_rest "$WANTED" "$SYNC"
    fi || RESULT=!
}

run_scenario()
{
    local scenario=$1 point n=0

    shift
    STRATEGY=blue_green REPLICAS=1
    for point; do
        n=$((n + 1))
        now
        began=$NOW
        case ${WORLD:+old}:$scenario in
        :* | *:create | *:delete | *:recover) "given_$scenario" ;;
        esac
        row "$scenario" "$point" $n
        now
        printf '%s %s %s %s %s\n' "$scenario" "$point" "$RESULT" $((NOW - began)) "$AT" >>"$RESULTS/rows"
        if [ "$RESULT" = ! ]; then
            printf -- '-- %s at %s (%s)\n%s' "$scenario" "$point" "$AT" "$WRONG" >>"$RESULTS/wrong"
            show_world 2>>"$RESULTS/wrong"
            [ -z "${CRASH_KEEP:-}" ] || cp -a "$WORLD" "$WORLD.$scenario.$point"
            end_world
        fi
    done
    [ -z "$WORLD" ] || end_world
}

run_worker()
{
    local scenario

    for scenario in $1; do
        run_scenario "$scenario" $(points_of "$scenario")
    done
    end_script 0
}

# --- the table --------------------------------------------------------------------------------------

print_table()
{
    awk -v points="$POINTS" -v scenarios="$SCENARIOS" '
        { result[$1, $2] = $3; took[$1] += $4; if ($3 ~ /[12]/) reached[$2] = 1; if ($3 == "!") wrong++; rows++ }
        { at = $5; for (i = 6; i <= NF; i++) at = at " " $i; where[$1, $2] = at }
        END {
            n = split(points, point, " ")
            m = split(scenarios, scenario, " ")
            printf "%-25s", "point"
            for (s = 1; s <= m; s++) printf " %-8s", scenario[s]
            print ""
            for (p = 1; p <= n; p++) {
                printf "%-25s", point[p]
                for (s = 1; s <= m; s++) printf " %-8s", result[scenario[s], point[p]]
                print reached[point[p]] ? "" : " never reached"
                missed += !reached[point[p]]
            }
            printf "%-25s", "seconds"
            for (s = 1; s <= m; s++) printf " %-8.1f", took[scenario[s]] / 1000
            print ""
            printf "%d rows, %d wrong, %d points never reached\n", rows, wrong, missed
            exit wrong || missed
        }' "$RESULTS/rows"
}

print_places()
{
    awk '{ printf "%-8s %-25s %s %6d ms ", $1, $2, $3, $4; for (i = 5; i <= NF; i++) printf " %s", $i; print "" }' \
        "$RESULTS/rows"
}

POINTS=${2:-$(sed -n 's/^CRASH(\([A-Z_]*\),.*/\1/p' "$CRASH_POINTS")}
[ -z "${1:-}" ] || WORKERS=("$1")
SCENARIOS=${WORKERS[*]}
RESULTS=$(mktemp -d /tmp/crash.XXXXXX) || exit 1
trap 'rm -rf "$RESULTS"' EXIT
for worker in "${WORKERS[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge $AT_ONCE ]; do
        wait -n
    done
    (run_worker "$worker") 2>>"$RESULTS/told" &
done
wait
grep -v ' Killed  ' "$RESULTS/told" >&2 # the shell tells of what died, and that is what we came for
[ -z "${CRASH_VERBOSE:-}" ] || print_places
[ ! -e "$RESULTS/wrong" ] || cat "$RESULTS/wrong" >&2
print_table
