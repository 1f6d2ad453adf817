#!/bin/bash
# matrix: the daemon dies at every listed point of every scenario, and once more in its next life.
# SPDX-License-Identifier: Apache-2.0
#
#     matrix.sh [SCENARIO [POINT]]      REEVE, APP, INVENTORY and CRASH_POINTS (the .def) in the environment
#
# A row is one change of a world that is at rest: the change is pushed, the daemon is killed at the point,
# started and killed at the same point if it comes by again, then left alone. Afterwards rows and world
# must agree (inventory.h), the chain must hold, and the wanted version must be served. A world is used
# for the next row unless something was wrong; `create` has a new one each time, and so have those whose daemon
# serves (delete, undo, jobs, replace, takeover), and an environment in which that dies three times in five minutes is held.
#
# Printed: `2` killed twice, `1` killed once (the second life did not come by), `-` not reached, `!` wrong.
# A point that no scenario reaches is a failure. What is lost in `recover` is the database: it is put back as it was a
# rollout before, and `reeve recover` is what dies.
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/scenarios.sh"

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
           verify    3   2
           frozen    6   2
           undo      1   1
           moved     4   2
           jobs      1   1
           replace   2   1
           tell      1   1
           takeover  1   1
'
WORKERS=('create recover' 'update switch' 'revert canary' 'delete rolling' 'undo jobs tell' 'replace moved verify frozen takeover')
# What the points of operations, gates and switches are for canaries and rolling changes: the others do not know them.
STEP_POINTS=' OP_AFTER_INTENT OP_BEFORE_IDENTIFIED OP_AFTER_ACT OP_AFTER_VERIFIED GATE_AFTER_OPENED GATE_AFTER_VERDICT ROLLOUT_AFTER_SWITCH '
# One operation of a kind that the others do not have: a verify command, a set that is frozen or woken.
ACT_POINTS=' OP_AFTER_INTENT OP_BEFORE_IDENTIFIED OP_AFTER_ACT OP_AFTER_SETTLED OP_AFTER_VERIFIED '
UNDO_POINTS=' OP_AFTER_ACT PLAN_AFTER_STARTED ROLLOUT_AFTER_SWITCH '
MOVED_POINTS="$UNDO_POINTS PLAN_AFTER_STORED ROLLOUT_AFTER_PROVEN "
# In jobs, which is one run alone, it dies at every point.
REPLACE_POINTS=' JOB_AFTER_DUE JOB_AFTER_STARTED JOB_AFTER_ENDED JOB_AFTER_CLEARED '
# Of a daemon that was a standby until then: what it finds half done.
TAKEOVER_POINTS=' OP_AFTER_INTENT OP_AFTER_ACT ROLLOUT_AFTER_SWITCH '

AT_ONCE=2

# The points that a scenario can come by.
points_of()
{
    local point

    for point in $POINTS; do
        case $1:$point in
        recover:RECOVER_*) echo "$point" ;;
        recover:* | *:RECOVER_*) ;;
        takeover:TAKEOVER_*) echo "$point" ;;
        takeover:*) [[ $TAKEOVER_POINTS != *" $point "* ]] || echo "$point" ;;
        *:TAKEOVER_*) ;;
        jobs:JOB_*) echo "$point" ;;
        replace:*) [[ $REPLACE_POINTS != *" $point "* ]] || echo "$point" ;;
        jobs:* | *:JOB_*) ;;
        verify:* | frozen:*) [[ $ACT_POINTS != *" $point "* ]] || echo "$point" ;;
        tell:NOTIFY_*) echo "$point" ;;
        tell:* | *:NOTIFY_*) ;;
        undo:*) [[ $UNDO_POINTS != *" $point "* ]] || echo "$point" ;;
        moved:*) [[ $MOVED_POINTS != *" $point "* ]] || echo "$point" ;;
        canary:* | rolling:*) [[ $STEP_POINTS != *" $point "* ]] || echo "$point" ;;
        *) echo "$point" ;;
        esac
    done
}

# --- one row ----------------------------------------------------------------------------------------

passage()
{
    awk -v scenario="$1" -v point="$2" '
        $1 == scenario { print point == "OP_AFTER_PENDING" ? 1 : point == "RECOVER_BETWEEN_FILES" ? 3 : point ~ /^OP_/ ? $2 : point ~ /^GATE_/ ? $3 : point ~ /^JOB_AFTER_(STARTED|ACT)/ ? $2 : 1 }' <<<"$passages"
}

# row SCENARIO POINT NUMBER: into $RESULT and $AT.
row()
{
    local scenario=$1 point=$2

    NUMBER=$3 UNDONE=
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
    if [ "$scenario" = undo ]; then # what is kept goes with the next commit
        again
        serves "$WANTED" || UNDONE="$WANTED does not serve after the undo, but '$BODY'"
        KEEP=0s
        push_update "$3"
        again() { life; }
    fi
    settle again
    expect_rest "$WANTED" "$SYNC"
    if declare -F "also_$scenario" >/dev/null; then
        "also_$scenario"
    fi
    [ -z "$WRONG" ] || RESULT=!
}

run_scenario()
{
    local scenario=$1 point n=0

    shift
    plain_shop
    for point; do
        n=$((n + 1))
        now
        began=$NOW
        case ${WORLD:+old}:$scenario in
        :* | *:create | *:delete | *:recover | *:undo | *:jobs | *:replace | *:takeover) "given_$scenario" ;;
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
