# scenarios: the changes that the matrix is made of. SPDX-License-Identifier: Apache-2.0
#
# Sourced after world.sh. Of a scenario X:
#
#     given_X          a world at rest
#     push_X NUMBER    the change; $WANTED and $SYNC are what must be served and said then
#     also_X           what must be true besides, where there is something: sentences in $WRONG
#
#     life_of X [POINT]    one life of its daemon, as long as the change takes

API=a1

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

also_verify()
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

also_undo()
{
    [ -z "$UNDONE" ] || note_wrong "$UNDONE"
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

also_jobs()
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

also_replace()
{
    also_jobs
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
    beside sink /usr/bin/python3 "$(dirname "$0")/../support/notify_sink.py" "$WORLD/sink" $((FIRST + 35)) - >>"$WORLD/daemon.log" 2>&1
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
also_tell()
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

also_delete()
{
    ! serves "$API" /api || note_wrong "$API is still served"
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
also_recover()
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
also_takeover()
{
    local said

    said=$(first "$REEVE" once 2>&1 9>&-)
    [ $? = 5 ] || note_wrong "the first one does not refuse: $said"
    [[ $said == *'took over'* ]] || note_wrong "the first one does not say why: $said"
    "$INVENTORY" "$WORLD/var" >/dev/null || note_wrong "the first one changed something"
}

# --- lives ------------------------------------------------------------------------------------------

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
