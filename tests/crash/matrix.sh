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

given_served_world()
{
    given_secret_world
    shop v0 ok
    life
}

# Its history is anchored, too.
given_update()
{
    ANCHORED=yes
    given_served_world
    ANCHORED=
}

push_update()
{
    shop "v$1" ok
    WANTED=v$1 SYNC=in_sync
}

given_switch()
{
    given_served_world
}

push_switch()
{
    push_update "$1"
}

given_revert()
{
    given_served_world
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

# What verifies says so, once a version.
given_verify()
{
    given_secret_world
    shop v0 ok
    life
}

push_verify()
{
    MORE="    verify: {command: [sh, -c, 'echo v$1 >>$WORLD/verified']}"
    push_update "$1"
}

expect_verified()
{
    [ "$(grep -c "^$WANTED\$" "$WORLD/verified")" = 1 ] || note_wrong "$WANTED was not verified once: $(tr '\n' ' ' <"$WORLD/verified")"
}

# The set before is frozen, and goes soon.
given_frozen()
{
    given_secret_world
    KEEP=300ms MORE='    standby: frozen'
    shop v0 ok
    life
}

push_frozen()
{
    push_update "$1"
}

# To a frozen set, with one that is frozen then. Afterwards a commit that keeps none.
given_undo()
{
    given_frozen
}

push_undo()
{
    WANTED=$(served)
    KEEP=60s
    shop "gone$1" ok
    life
    SYNC=in_sync
}

served()
{
    get /
    echo "$BODY"
}

asks_to_undo()
{
    if serves "gone$NUMBER"; then
        "$REEVE" undo prod --no-wait -m 'it is not wanted' >>"$WORLD/daemon.log" 2>&1 9>&-
        return 1
    fi
    [[ $("$REEVE" status prod -o json 2>/dev/null 9>&-) != *'"state":"applying"'* ]] && serves "$WANTED"
}

# Everything is called something else.
given_moved()
{
    given_secret_world
    shop v0 ok
    life
}

push_moved()
{
    OLD_NAME=${NAME:-web} OLD_DOMAIN=${DOMAIN:-app} NAME=site$1 DOMAIN=front$1
    push_update "$1"
}

# A run writes a line, and another one where it runs beside another.
given_jobs()
{
    given_secret_world
    JOBS="jobs:
  run:
    concurrency: ${CONCURRENCY:-forbid}
    command: [bash, -c, 'exec 8>$WORLD/lock; flock -n 8 || echo beside >>$WORLD/list; echo begun >>$WORLD/list; while [ ! -e $WORLD/end ]; do sleep 0.02; done']"
    shop v0 ok
    life
    : >"$WORLD/list"
}

n_asked()
{
    "$REEVE" status prod -o json 2>/dev/null 9>&- | grep -o '"cause":"person"' | wc -l
}

n_begun()
{
    grep -c begun "$WORLD/list"
}

# One run more than there were: until it is begun.
asks_to_run()
{
    if [ "$(n_asked)" -lt "$ASKED" ]; then
        "$REEVE" run prod run --no-wait >>"$WORLD/daemon.log" 2>&1 9>&-
        return 1
    fi
    [ "$(n_begun)" -ge "$ASKED" ]
}

asks_for_its_end()
{
    asks_to_run || return 1
    : >"$WORLD/end"
    "$INVENTORY" "$WORLD/var" >/dev/null
}

push_jobs()
{
    rm -f "$WORLD/end"
    ASKED=$(($(n_begun) + 1)) WANTED=v0 SYNC=in_sync
}

expect_runs()
{
    [ "$(n_begun)" = "$ASKED" ] || note_wrong "of $ASKED runs $(n_begun) were begun"
    [ "$(n_asked)" = "$ASKED" ] || note_wrong "of $ASKED runs $(n_asked) are known"
    ! grep -q beside "$WORLD/list" || note_wrong "two ran at once"
}

given_replace()
{
    CONCURRENCY=replace
    given_jobs
}

# One that runs makes way for the next.
push_replace()
{
    push_jobs
    life_that asks_to_run
    ASKED=$((ASKED + 1))
}

# Somebody hears of each apply.
given_tell()
{
    given_secret_world
    mkdir "$WORLD/sink"
    export REEVE_SECRET_HOOK_KEY=hook-key REEVE_SECRET_HOOK_URL=http://127.0.0.1:$((FIRST + 35))/hook
    printf %s "$REEVE_SECRET_HOOK_KEY" >"$WORLD/sink/key"
    echo 'notifications: [{type: webhook, url: {secret: hook_url}, key: {secret: hook_key}, on: [applied]}]' >>"$WORLD/reeve.yaml"
    /usr/bin/python3 "$(dirname "$0")/../support/notify_sink.py" "$WORLD/sink" $((FIRST + 35)) - >>"$WORLD/daemon.log" 2>&1 9>&- &
    disown # it ends with the world
    await 20 "the sink listens" [ -e "$WORLD/sink/ready" ]
    shop v0 ok
    life
}

push_tell()
{
    push_update "$1"
}

# Of each plan that was applied since somebody listens, from its message.
told()
{
    grep -o "\"$1\": \"[^\"]*\"" "$WORLD/sink/taken" | sort | uniq
}

is_told()
{
    "$INVENTORY" "$WORLD/var" >/dev/null && is_converged &&
        [ "$("$REEVE" history prod -n 1000 -o json 2>/dev/null 9>&- | grep -o '"kind":"notify.sent"' | wc -l)" = "$((NUMBER + 1))" ]
}

# One that came twice came with the same id.
expect_told()
{
    [ "$(told subject | wc -l)" = $((NUMBER + 1)) ] || note_wrong "of $((NUMBER + 1)) plans $(told subject | wc -l) were told"
    [ "$(told id | wc -l)" = $((NUMBER + 1)) ] || note_wrong "they came with $(told id | wc -l) ids"
    [ "$(wc -l <"$WORLD/sink/taken")" -le $((NUMBER * 3 + 1)) ] || note_wrong "more came than lives died"
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
    given_served_world
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

# Two daemons of one machine: the world's own one follows the first.
given_takeover()
{
    given_secret_world
    mkdir -p "$WORLD/first/var"
    sed "s|file: var/reeve.db|file: $WORLD/first/var/reeve.db|; s|^socket: .*|socket: $WORLD/first/reeve.sock|
        s|directory: var/|directory: $WORLD/var/|" "$REEVE_CONFIG" >"$WORLD/first/reeve.yaml"
    shop v0 ok
    first life
}

first()
{
    local REEVE_CONFIG=$WORLD/first/reeve.yaml

    "$@"
}

n_events()
{
    "$REEVE" audit verify "$1" 2>/dev/null 9>&- | sed -n 's/^the chain of \([0-9]*\) events.*/\1/p'
}

# All that is durable at the first one.
standby_is_level()
{
    local n

    n=$(n_events "$WORLD/first/var/reeve.db")
    [ -n "$n" ] && [ "$(n_events "$WORLD/var/reeve.db")" = "$n" ]
}

# The first one dies with a gate open, followed until then; what it wrote last may not be heard.
push_takeover()
{
    local standby

    quietly standby_begin
    standby=$DAEMON
    quietly first serve_begin
    await 20 "the standby is level" standby_is_level
    quietly kill_child "$DAEMON"
    push_update "$1"
    quietly first serve_begin GATE_AFTER_OPENED
    wait "$DAEMON" 2>/dev/null
    quietly kill_child "$standby"
    DAEMON=
    find "$WORLD/first/var/keys" -maxdepth 1 -type f ! -name 'history*' -exec cp -p {} "$WORLD/var/keys/" \;
    cp -a "$WORLD/first/var/sealed" "$WORLD/var/"
}

standby_begin()
{
    REEVE_CRASH=${1:-} "$REEVE" serve --follow "unix:$WORLD/first/reeve.sock" >>"$WORLD/daemon.log" 2>&1 9>&- &
    DAEMON=$!
}

# As long as it is a copy, it is told to take over.
asks_to_take_over()
{
    local answer

    answer=$("$REEVE" status -o json 2>/dev/null 9>&-)
    if [[ $answer == *'"copy":{'* ]]; then
        "$REEVE" takeover --timeout 1s --primary-is-fenced 'it was killed' >>"$WORLD/daemon.log" 2>&1 9>&-
        return 1
    fi
    "$INVENTORY" "$WORLD/var" >/dev/null && is_converged
}

# It never acts again.
expect_first_refuses()
{
    local said

    said=$(first "$REEVE" once 2>&1 9>&-)
    [ $? = 5 ] || note_wrong "the first one does not refuse: $said"
    [[ $said == *'took over'* ]] || note_wrong "the first one does not say why: $said"
    "$INVENTORY" "$WORLD/var" >/dev/null || note_wrong "the first one changed something"
}

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

life_of()
{
    case $1 in
    recover) quietly recover_once "${2:-}" ;;
    delete) life_with_approval "${2:-}" ;;
    jobs | replace) life_that asks_for_its_end "${2:-}" ;;
    undo) life_that asks_to_undo "${2:-}" ;;
    tell) life_that is_told "${2:-}" ;;
    takeover) life_that asks_to_take_over "${2:-}" standby_begin ;;
    *) life "${2:-}" ;;
    esac
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
    if [ "$scenario" = delete ]; then
        expect_rest "$WANTED" "$SYNC" ''
    elif [ "$scenario" = recover ]; then
        expect_rest "$WANTED" "$SYNC"
        expect_recovered
        [ -z "$WRONG" ]
    elif [ "$scenario" = jobs ] || [ "$scenario" = replace ]; then
        expect_rest "$WANTED" "$SYNC"
        expect_runs
        [ -z "$WRONG" ]
    elif [ "$scenario" = tell ]; then
        expect_rest "$WANTED" "$SYNC"
        expect_told
        [ -z "$WRONG" ]
    elif [ "$scenario" = takeover ]; then
        expect_rest "$WANTED" "$SYNC"
        expect_first_refuses
        [ -z "$WRONG" ]
    elif [ "$scenario" = verify ]; then
        expect_rest "$WANTED" "$SYNC"
        expect_verified
        [ -z "$WRONG" ]
    elif [ "$scenario" = undo ]; then
        expect_rest "$WANTED" "$SYNC"
        [ -z "$UNDONE" ] || note_wrong "$UNDONE"
        [ -z "$WRONG" ]
    else
        expect_rest "$WANTED" "$SYNC"
    fi || RESULT=!
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
