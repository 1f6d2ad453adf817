#!/bin/bash
# night: what goes wrong at three in the morning, row by row of TRUST's table. SPDX-License-Identifier: Apache-2.0
#
# Each row says how long it took until what served serves again, and how many requests were lost meanwhile.
. "$(dirname "$0")/lib.sh"

CANARY=canary-0123456789abcdef0123456789abcdef
TABLE=

# row SENTENCE MILLISECONDS LOST
row()
{
    printf -v TABLE '%s   %-62s %6s ms %6s\n' "$TABLE" "$1" "$2" "$3"
}

begin()
{
    now
    BEGAN=$NOW
}

passed()
{
    now
    PASSED=$((NOW - BEGAN))
}

begin_load()
{
    start_load --new 2 --kept 2 --pause-ms 5
}

# Into $LOST.
count_lost()
{
    end_load >/dev/null
    LOST=$(counted lost)
}

# row, where nothing may be lost.
row_without_loss()
{
    count_lost
    row "$1" "$2" "$LOST"
    expect_equal "requests lost" "$LOST" 0
}

given_secret()
{
    given_world
    write_daemon rule='    secrets: [{path: "env:token", for: services}]' \
        extra="secrets: {default: env, stores: {env: {type: env, prefix: E2E_}}}"
    spec version=v1 keep=60s env='TOKEN: {secret: token}'
    sed -i 's|^services:|secrets: {token: {}}\n&|' "$WORLD/repo/.reeve/app.yaml"
    commit 'version 1'
    start_daemon E2E_TOKEN="$CANARY"
    await_converged
    expect_serves v1
}

# --- the disk ---------------------------------------------------------------------------------------

# A rollout that fails is taken back all the same: the ballast makes room for that.
the_disk_is_full()
{
    given_world
    if ! mount_disk; then
        say "   a file system of 12 MiB cannot be mounted here"
        return
    fi
    spec version=v1 keep=60s
    commit 'version 1'
    start_daemon
    await_converged
    begin_load
    spec version=v2 env="APP_HEALTH: \"fail_when:$WORLD/ill\"" bake=60s keep=60s
    deploy 'version 2 gets ill'
    await 30 "version 2 has the traffic" serves v2
    begin
    fill_disk
    : >"$WORLD/ill"
    await 60 "version 1 is back while the disk is full" serves v1
    passed
    row_without_loss "disk full: a rollout is taken back" $PASSED
    rm "$DISK/filler"
    await 60 "it is written" sync_is reverted
    expect "the chain holds" reeve audit verify --replay
    stop_daemon
    end_disk
}

# --- what is outside --------------------------------------------------------------------------------

the_git_host_is_down()
{
    given_served keep=60s
    spec version=v2 keep=60s
    deploy 'version 2'
    await_converged
    begin_load
    mv "$WORLD/repo" "$WORLD/away"
    fetch_now
    begin
    reeve undo prod --reason 'without git' >/dev/null || fail "undo"
    passed
    expect_serves v1
    row_without_loss "git host down: undo" $PASSED
    reeve hold prod --reason 'without git' >/dev/null || fail "hold"
}

everybody_is_gone()
{
    while [ -n "$(keepers)" ]; do
        kill_keepers
        sleep $LOOK_S
    done
}

instance_token()
{
    local state

    for state in "$WORLD"/var/services/run/*/state; do
        tr '\0' '\n' <"/proc/$(sed 's/.*"pid":\([0-9]*\).*/\1/' "$state")/environ" | sed -n 's/^TOKEN=//p'
    done 2>/dev/null
}

was_given()
{
    [ "$(instance_token)" = "$1" ]
}

# The git host and the store of secrets did not come back with it.
the_machine_was_rebooted()
{
    given_secret
    kill_daemon
    everybody_is_gone
    sed -i 's/"boot":"[^"]*"/"boot":"00000000-0000-0000-0000-000000000000"/' "$WORLD"/var/services/run/*/state \
        "$WORLD"/var/edge/run/edge/state
    mv "$WORLD/repo" "$WORLD/away"
    await 30 "nobody serves" not get
    begin
    start_daemon
    await 60 "it serves" serves v1
    passed
    row "machine rebooted, without git and without the store of secrets" $PASSED -
    await 20 "it was given what it had" was_given "$CANARY"
}

haproxy_is_gone()
{
    local before

    given_served
    begin_load
    before=$(sed 's/.*"pid":\([0-9]*\).*/\1/' "$WORLD/var/edge/run/edge/state")
    begin
    kill -KILL "$before"
    await 20 "it serves" serves v1
    passed
    count_lost
    row "haproxy gone: its keeper starts it again (TRUST: within 1000)" $PASSED "$LOST"
}

# A hold of an hour outlives a jump of a day.
the_clock_jumps()
{
    if ! has_clock; then
        say "   libfaketime is not installed"
        return
    fi
    given_clock
    reeve hold prod --until 1h --reason 'launch day' >/dev/null || fail "hold is refused"
    begin_load
    begin
    set_clock +1d
    spec version=v2 keep=60s
    deploy 'version 2'
    await 20 "the environment is held" sync_is held
    passed
    expect_serves v1
    row_without_loss "clock jumps a day: a hold of an hour holds" $PASSED
}

half_of_the_providers_hang()
{
    given_world
    write_daemon providers='  far: {driver: "null", directory: var/far, latency_ms: 60000}
  further: {driver: "null", directory: var/further, latency_ms: 60000}' \
        rule='  - {match: {source: shop, name: far}, branch: main, providers: {services: [far], domains: further}, isolation: none}'
    printf 'apiVersion: reeve/v1\nkind: Application\nname: away\nservices: {s: {command: [./run]}}\n---\napiVersion: reeve/v1\nkind: Environment\nname: far\napplication: away\ntrigger: {branch: main}\napproval: {policy: auto}\n' \
        >"$WORLD/repo/.reeve/far.yaml"
    spec version=v1
    commit 'version 1'
    start_daemon
    await_converged 40
    begin_load
    spec version=v2
    begin
    deploy 'version 2'
    await 40 "it rolls meanwhile" serves v2
    passed
    row_without_loss "half of the providers hang: another environment rolls" $PASSED
}

# --- ourselves --------------------------------------------------------------------------------------

# The file was opened by a later version, which added to it what this one does not know.
an_upgrade_went_wrong()
{
    given_served
    begin_load
    stop_daemon
    python3 - "$WORLD/var/reeve.db" <<'END' || fail "the file cannot be made newer"
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE meta SET v = CAST(CAST(v AS INTEGER) + 1 AS TEXT) WHERE k = 'schema'")
db.execute("ALTER TABLE environments ADD COLUMN mood TEXT")
db.execute("CREATE TABLE moods (k TEXT PRIMARY KEY) STRICT")
db.commit()
END
    begin
    start_daemon
    spec version=v2
    deploy 'version 2'
    await_converged
    passed
    expect_serves v2
    row_without_loss "upgrade went wrong: the version before goes on" $PASSED
}

# What was begun stays as it is, and what dies stays dead.
hold_all_observes_only()
{
    local pid

    given_served
    spec version=v2 bake=3s
    deploy 'version 2'
    await 20 "version 2 has the traffic" serves v2
    kill_daemon
    begin_load
    "$REEVE" serve --hold-all --config "$WORLD/reeve.yaml" >>"$WORLD/daemon.log" 2>&1 9>&- &
    DAEMON=$!
    await 20 "the daemon answers" daemon_answers
    spec version=v3 bake=3s
    deploy 'version 3'
    await 20 "it was seen" is_seen
    expect_serves v2
    expect_equal "sets" "$(reeve status prod -o json | grep -o '"set":"' | wc -l)" 2
    row_without_loss "serve --hold-all: a plan that was being applied stays as it is" 0
    stop_daemon
    start_daemon
    await 60 "it goes on" serves v3
}

is_seen()
{
    reeve status -o json | grep -q "\"commit\":\"$(head_commit)\"" && sync_is held
}

# dies POINT: a daemon that ends where its environment makes it.
dies()
{
    {
        (REEVE_CRASH=$1 timeout 60 "$REEVE" serve --config "$WORLD/reeve.yaml" >>"$WORLD/daemon.log" 2>&1 9>&-)
        expect_equal "its end at $1" $? 137
    } 2>>"$WORLD/daemon.log"
}

calm_is()
{
    [[ $(reeve status calm -o json 2>/dev/null) == *"\"sync\":\"$1\""* ]]
}

# Three deaths while prod was in work: it is held, the other one goes on.
one_commit_kills_the_daemon()
{
    given_world
    write_daemon rule='  - {match: {source: shop, name: calm}, branch: main, providers: {services: [local], domains: edge}, domains: ["*.example.test"], isolation: none}'
    spec version=v1
    cat >"$WORLD/repo/.reeve/calm.yaml" <<END
apiVersion: reeve/v1
kind: Application
name: calm
services: {idle: {command: ["$APP"], port: 8000, environment: {VERSION: c1}, healthcheck: {readiness: {http: {path: /healthz}, interval: 100ms}}, rollout: {min_healthy_time: 200ms, bake_time: 200ms}}}
---
apiVersion: reeve/v1
kind: Environment
name: calm
application: calm
trigger: {branch: main}
approval: {policy: auto}
END
    commit 'version 1'
    start_daemon
    await_converged
    await 30 "calm is in sync" calm_is in_sync
    begin_load
    stop_daemon
    spec version=v2
    commit 'version 2 kills the daemon'
    dies GATE_AFTER_OPENED
    dies GATE_AFTER_OPENED
    dies GATE_AFTER_OPENED
    begin
    start_daemon
    await 20 "prod is held" sync_is held
    expect_has "explained" "$(explained)" 'crash_suspect'
    sed -i 's/c1/c2/' "$WORLD/repo/.reeve/calm.yaml"
    deploy 'calm changes'
    await 30 "calm goes on" calm_has_moved
    passed
    await 30 "calm is not held" calm_is in_sync
    expect_serves v1
    row_without_loss "one commit kills the daemon: the other environment rolls" $PASSED
    reeve resume prod --reason 'mended' >/dev/null 2>&1 || fail "resume"
    await 20 "the same commit waits for an approval" sync_is waiting
    spec version=v3
    deploy 'version 3 is mended'
    await_converged
    expect_serves v3
}

# Traffic is on version 2, and nobody has proven it: nothing that looks at it runs, and it goes back.
one_commit_kills_the_daemon_in_its_bake()
{
    given_served keep=60s
    begin_load
    stop_daemon
    spec version=v2 bake=60s keep=60s
    commit 'version 2 kills the daemon in its bake'
    dies GATE_AFTER_OPENED:2
    expect_serves v2
    dies GATE_AFTER_OPENED
    dies GATE_AFTER_OPENED
    expect_serves v2
    begin
    start_daemon
    await 20 "version 1 has the traffic" serves v1
    passed
    await 20 "prod is held" sync_is held
    expect_has "explained" "$(explained)" 'crash_suspect:'
    row_without_loss "the same, in its bake: what was proven has the traffic again" $PASSED
    expect "the chain holds" reeve audit verify --replay
    await 20 "one set is left" one_set_is_left
    reeve resume prod --reason 'mended' >/dev/null 2>&1 || fail "resume"
    spec version=v3
    deploy 'version 3 is mended'
    await_converged
    expect_serves v3
}

# Where the way back kills it, too, nothing of it is done any more, and the daemon lives.
the_way_back_kills_the_daemon()
{
    given_served keep=60s
    stop_daemon
    spec version=v2 bake=60s keep=60s
    commit 'version 2 kills the daemon'
    dies GATE_AFTER_OPENED:2
    dies GATE_AFTER_OPENED
    dies GATE_AFTER_OPENED
    begin_load
    dies ROLLOUT_BEFORE_REVERT
    dies ROLLOUT_AFTER_REVERT
    dies GATE_AFTER_OPENED
    begin
    start_daemon
    passed
    await 20 "prod is held" sync_is held
    expect_has "explained" "$(explained)" 'crash_suspect_left'
    expect "somebody serves" get
    row_without_loss "the same, on its way back: it is left as it is" $PASSED
    reeve resume prod --reason 'mended' >/dev/null 2>&1 || fail "resume"
    await 30 "it went back" serves v1
    spec version=v3
    deploy 'version 3 is mended'
    await_converged
    expect_serves v3
}

# One that kills whoever reads it: the branch stays where it was, the others go on.
reading_a_commit_kills_the_daemon()
{
    given_world
    sed -i 's/branches: \[main\]/branches: [main, next]/' "$WORLD/reeve.yaml"
    spec version=v1
    commit 'version 1'
    git -C "$WORLD/repo" branch next
    start_daemon
    await_converged
    begin_load
    stop_daemon
    git -C "$WORLD/repo" checkout -q next
    commit 'it kills the daemon'
    git -C "$WORLD/repo" checkout -q main
    dies HEAD_AFTER_READ:2
    dies HEAD_AFTER_READ:2
    dies HEAD_AFTER_READ:2
    begin
    start_daemon
    await 20 "status says it" status_says 'is passed over'
    spec version=v2
    deploy 'version 2'
    await 30 "version 2 is rolled out" serves v2
    passed
    await_converged
    row_without_loss "reading a commit kills the daemon: other branches go on" $PASSED
    git -C "$WORLD/repo" checkout -q next
    deploy 'it is mended'
    await 30 "it is read" passed_over_is_over
    git -C "$WORLD/repo" checkout -q main
}

passed_over_is_over()
{
    ! status_says 'is passed over'
}

# Revision 2 of calm is live.
calm_has_moved()
{
    calm_is in_sync && [[ $(reeve status calm -o json) == *'"revision":2'* ]]
}

is_heard()
{
    reeve status -o json | grep -q '"heartbeat":{"sent_ms_ago":[0-9]'
}

nobody_watches_the_watcher()
{
    given_world
    write_daemon extra="heartbeat: {url: {secret: heartbeat_url}, every: 1s}
secrets: {default: env, stores: {env: {type: env, prefix: E2E_}}}"
    spec version=v1
    commit 'version 1'
    PORT=$((FIRST + 39)) VERSION=watcher beside watcher "$APP" >/dev/null 2>&1
    begin
    start_daemon E2E_HEARTBEAT_URL="http://127.0.0.1:$((FIRST + 39))/canary-0123456789abcdef"
    await 20 "it is heard" is_heard
    passed
    row "nobody watches the watcher: the heartbeat is heard" $PASSED -
    await_converged
    end_beside watcher
    reeve apply prod --timeout 20 >/dev/null 2>&1
    await 20 "status says it" status_says 'nobody hears the heartbeat'
    expect_equal "files that hold the address" "$(grep -rlaF canary-0123456789abcdef "$WORLD/var" "$WORLD/daemon.log")" ""
}

# An alarm, and nothing else.
no_copy_can_be_made()
{
    given_world
    write_daemon state='backup: {directory: copies, every: 1s}'
    : >"$WORLD/copies"
    spec version=v1
    commit 'version 1'
    start_daemon
    await_converged
    begin
    await 20 "status says it" status_says 'no copy of the database can be made'
    passed
    row "no copy can be made: status says it" $PASSED -
    expect_equal "events" "$(reeve history -n 1000 | grep -c ' copy\.failed ')" 1
    stop_daemon
    start_daemon
    expect_serves v1
    rm "$WORLD"/var/reeve.db*
    kill_daemon
    reeve recover >"$WORLD/said" 2>&1 || fail "recover: $(<"$WORLD/said")"
    expect_has "recovered" "$(<"$WORLD/said")" 'a copy cannot be read'
}

status_says()
{
    reeve status | grep -qF "$1"
}

run_cases the_disk_is_full the_git_host_is_down the_machine_was_rebooted haproxy_is_gone the_clock_jumps half_of_the_providers_hang \
    one_commit_kills_the_daemon one_commit_kills_the_daemon_in_its_bake the_way_back_kills_the_daemon \
    reading_a_commit_kills_the_daemon an_upgrade_went_wrong hold_all_observes_only nobody_watches_the_watcher \
    no_copy_can_be_made
say
say "   at three in the morning                                      serves after   lost"
say "$TABLE"
