#!/bin/bash
# secrets: a value reaches the service and nothing else. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/canary.sh"

# Words of spec. The password of a route is a secret, too.
secret_spec()
{
    spec env='TOKEN: {secret: token}, JOINED: {join: ["x=", {secret: filed}], with: ""}, SHORT: {secret: short}, TINY: {secret: tiny}, ABSENT: {secret: absent}' "$@"
    sed -i 's|^services:|secrets: {token: {}, filed: {store: files}, tiny: {store: files}, door: {store: files}, short: {}, absent: {optional: true}}\n&|
        s|routes: {/: {service: web}}|routes: {/: {service: web}, /inner: {service: web, access: {type: basic, users: {ops: {secret: token}, eve: {secret: filed}, ann: {secret: door}}}}}|' \
        "$WORLD/repo/.reeve/app.yaml"
}

given_secret()
{
    given_world
    mkdir "$WORLD/secrets"
    printf '%s\n' "$CANARY" >"$WORLD/secrets/filed"
    printf '%s\n' "$DOOR" >"$WORLD/secrets/door"
    printf 'r' >"$WORLD/secrets/tiny" # a letter of every id: what was made is found again all the same
    write_daemon rule="    secrets: [{path: \"env:token\", for: services}, {path: \"env:short\", for: services}, {path: \"env:absent\", for: services}, {path: \"files:filed\", for: services}, {path: \"files:tiny\", for: services}, {path: \"files:door\", for: services}]" \
        extra="secrets: {default: env, stores: {env: {type: env, prefix: E2E_}, files: {type: file, directory: $WORLD/secrets}}}"
    secret_spec version=v1
    commit 'version 1'
    start_daemon E2E_TOKEN="$CANARY" E2E_SHORT="$SHORT"
    await_converged
    expect_serves v1
}

# Of the one instance that runs.
instance_environment()
{
    tr '\0' '\n' <"/proc/$(sed 's/.*"pid":\([0-9]*\).*/\1/' "$WORLD"/var/services/run/*/state)/environ"
}

the_values_reach_the_service()
{
    given_secret
    expect_has "environment" "$(instance_environment)" "TOKEN=$CANARY"
    expect_has "environment" "$(instance_environment)" "JOINED=x=$CANARY"
}

what_is_short_or_absent_is_said()
{
    local plan

    plan=$(reeve plan prod 2>/dev/null)
    expect_has "the plan" "$plan" "warning: secret 'short' is shorter than 32 characters"
    expect_has "the plan" "$plan" "secret 'absent' is absent: variables that refer to it are left out"
    expect_has_not "the plan" "$plan" "secret 'token' is"
    expect_equal "variables that are absent" "$(instance_environment | grep -c ABSENT)" 0
}

the_password_of_a_route_is_asked_for()
{
    await 20 "nobody comes in" inner '' 401
    expect "who knows it comes in" inner "ops:$CANARY" 200
    expect "who does not stays out" inner "ops:$SECOND" 401
}

# leaves_a_core PID DIRECTORY: it is killed where it runs, which is there or where we started it.
leaves_a_core()
{
    touch -d '1 second ago' "$WORLD/before"
    {
        kill -SEGV "$1"
        wait "$1"
    } 2>/dev/null
    await 20 "process $1 is gone" test ! -e "/proc/$1"
    [ -n "$(find "$WORLD/cores" "$2" -maxdepth 1 -type f -name '*core*' -newer "$WORLD/before" 2>/dev/null)" ]
}

no_core_file_can_be_left()
{
    ulimit -S -c unlimited 2>/dev/null
    stop_daemon
    start_daemon E2E_TOKEN="$CANARY" E2E_SHORT="$SHORT"
    await_converged
    secret_spec version=v1.0
    deploy 'an instance of this daemon'
    await_converged
    await 20 "one set is left" one_set_is_left
    nobody_writes_a_core
    ulimit -S -c 0
}

# Where a program would leave one, those that hold values do not.
no_core_file_is_left()
{
    local sleeper worker keeper there

    stop_daemon
    mkdir "$WORLD/cores"
    cd "$WORLD/cores" || fail "no directory"
    ulimit -c unlimited 2>/dev/null
    sleep 600 9>&- &
    sleeper=$!
    await 20 "it is a program of its own" grep -qsa '^sleep' "/proc/$sleeper/cmdline"
    if ! leaves_a_core "$sleeper" "$WORLD/cores"; then
        say "   core files are not left in the directory of a program here: only that none is left in ours"
    fi
    rm -rf "$WORLD"/cores/*
    mkfifo "$WORLD/question"
    "$REEVE" git-worker <"$WORLD/question" >/dev/null 9>&- &
    worker=$!
    exec 8>"$WORLD/question"
    await 20 "the worker reads" grep -qs git-worker "/proc/$worker/cmdline"
    await 20 "the worker waits for its question" waits_for_input "$worker"
    leaves_a_core "$worker" "$WORLD/cores" && fail "a worker left a core file"
    exec 8>&-
    start_daemon E2E_TOKEN="$CANARY" E2E_SHORT="$SHORT"
    await_converged
    secret_spec version=v1.1
    deploy 'another instance, of this daemon'
    await_converged
    await 20 "one set is left" one_set_is_left
    keeper=$(processes "$WORLD/var/services/run/" | head -n 1)
    there=$(readlink "/proc/$keeper/cwd")
    leaves_a_core "$keeper" "$there" && fail "a keeper left a core file in $there"
    leaves_a_core "$DAEMON" "$WORLD/cores" && fail "the daemon left a core file"
    cd /
    ulimit -c 0
    start_daemon E2E_TOKEN="$CANARY" E2E_SHORT="$SHORT"
    await 20 "it runs again" one_set_is_left
    await_converged
    and_nothing_else
}

is_behind_walls()
{
    grep -qs namespace "$WORLD"/var/services/run/*/spec.json && one_set_is_left
}

# Behind walls of its own a program gets its values by another way, which shows them as little.
behind_walls_the_same()
{
    case $(reeve doctor 2>&1) in
    *'isolation namespace is possible'*) ;;
    *)
        say "   not tried: no user namespaces"
        return
        ;;
    esac
    mkdir "$WORLD/repo/code"
    cp "$APP" "$WORLD/repo/code/app"
    secret_spec version=v1.2 command=./app service='    source: {context: code}'
    deploy 'a program of the repository'
    await_converged
    sed -i 's/isolation: none/isolation: namespace/; s/keep: none, //' "$WORLD/reeve.yaml"
    stop_daemon
    start_daemon E2E_TOKEN="$CANARY" E2E_SHORT="$SHORT"
    await 60 "it is behind walls" is_behind_walls
    await_converged
    expect_serves v1.2
    expect "the value is delivered" services_have "JOINED=x=$SECOND"
    and_nothing_else
    sed -i 's/isolation: namespace/isolation: none/; s/{default: env, /{default: env, keep: none, /' "$WORLD/reeve.yaml"
    stop_daemon
    start_daemon E2E_TOKEN="$CANARY" E2E_SHORT="$SHORT"
    await_converged
}

waits_for_input()
{
    [ "$(awk '/^State:/ { print $2 }' "/proc/$1/status" 2>/dev/null)" = S ]
}

a_new_version_is_a_new_revision()
{
    printf '%s\n' "$SECOND" >"$WORLD/secrets/filed"
    reeve apply prod --timeout 60 >/dev/null || fail "apply"
    await 20 "the new value is delivered" delivered
    expect_has "status" "$(reeve status prod)" "revision 2"
    and_nothing_else
}

delivered()
{
    one_set_is_left && instance_environment 2>/dev/null | grep -qxF "JOINED=x=$SECOND"
}

has_first_value()
{
    one_set_is_left && instance_environment 2>/dev/null | grep -qxF "JOINED=x=$CANARY"
}

# The store has the new value alone by now.
a_rollback_gives_exactly_what_ran()
{
    reeve rollback prod 1 --reason 'back to the old value' >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
    await 20 "the old value is delivered" has_first_value
    expect_has "status" "$(reeve status prod)" "revision 1"
    expect "the old password opens" inner "eve:$CANARY" 200
    expect "the new one does not" inner "eve:$SECOND" 401
    stays_reverted
    expect "the old password opens" inner "eve:$CANARY" 200
    expect "the old value is delivered" has_first_value
    and_nothing_else
    reeve rollback prod 2 --reason 'and to the new one' >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
    await 20 "the new value is delivered" delivered
    and_nothing_else
}

lost_while_the_store_is_away()
{
    local pid

    mv "$WORLD/secrets" "$WORLD/away"
    for pid in $(processes "$WORLD/var/services/"); do
        kill -KILL "$pid"
    done
    reeve apply prod --no-wait >/dev/null 2>&1
}

# The newest commit still asks for what was undone: it does not get it by itself.
stays_reverted()
{
    reeve apply prod --timeout 20 >"$WORLD/said" 2>&1
    await 20 "it settles" sync_is reverted
    expect_has "status" "$(reeve status prod)" "quarantined: "
}

# A password alone is a revision like any other: it goes back, stays there, and comes again when a person says so.
so_does_one_of_a_password()
{
    printf '%s\n' "$OTHER_DOOR" >"$WORLD/secrets/door"
    reeve apply prod --timeout 60 >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
    await 20 "the new password opens" inner "ann:$OTHER_DOOR" 200
    expect "the old one does not" inner "ann:$DOOR" 401
    expect_has "status" "$(reeve status prod)" "revision 3"
    reeve rollback prod 2 --reason 'back to the old password' >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
    await 20 "the old password opens" inner "ann:$DOOR" 200
    stays_reverted
    expect "the old password opens" inner "ann:$DOOR" 200
    expect "the new one does not" inner "ann:$OTHER_DOOR" 401
    reeve retry prod --reason 'the new password again' >/dev/null || fail "retry"
    await 20 "the new password opens" inner "ann:$OTHER_DOOR" 200
    await_converged
    and_nothing_else
    printf '%s\n' "$DOOR" >"$WORLD/secrets/door"
    reeve apply prod --timeout 60 >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
    await 20 "it is as it was" inner "ann:$DOOR" 200
    await_converged
}

# What runs is started again as it was: by the sealed set of its revision, whatever the store says.
an_instance_that_is_lost_needs_no_store()
{
    lost_while_the_store_is_away
    await 20 "it runs again with the same value" delivered
    await 20 "it serves" serves v1
    mv "$WORLD/away" "$WORLD/secrets"
    and_nothing_else
}

# Neither used nor a reason to fall: with another key the set is as if it were not there.
a_set_that_cannot_be_opened_is_not_used()
{
    local keys=$WORLD/var/keys/sealed

    mv "$keys" "$WORLD/key"
    head -c 32 /dev/urandom >"$keys"
    chmod 600 "$keys"
    lost_while_the_store_is_away
    await 20 "it says why" grep -q 'it was sealed with another key' "$WORLD/daemon.log"
    mv "$WORLD/key" "$keys"
    await 40 "it runs again once the key is back" delivered
    mv "$WORLD/away" "$WORLD/secrets"
    and_nothing_else
}

sets_are()
{
    [ "$(find "$WORLD/var/sealed" -type f -not -name '*.unreadable' | wc -l)" = "$1" ]
}

no_set_is_left()
{
    [ -z "$(ls "$WORLD"/var/sealed/*/* 2>/dev/null)" ]
}

# It is gone back to like any other: what the one before was given is in its own set as well.
a_revision_that_starts_nothing_has_its_set()
{
    local n

    n=$(find "$WORLD/var/sealed" -type f -not -name '*.unreadable' | wc -l)
    secret_spec version=v1 keep=2s
    deploy 'another setting'
    await_converged
    expect_has "status" "$(reeve status prod)" "revision 4"
    await 20 "it has a set" sets_are $((n + 1))
}

# Without sealed sets an older value is gone with its store's, and a person decides about the one that is there.
a_version_that_is_gone_asks()
{
    local said

    sed -i 's/{default: env, /{default: env, keep: none, /' "$WORLD/reeve.yaml"
    stop_daemon
    start_daemon E2E_TOKEN="$CANARY" E2E_SHORT="$SHORT"
    secret_spec version=v2
    deploy 'version 2'
    await_converged
    expect_has "the plan" "$(reeve plan prod 2>/dev/null)" \
        'secrets.keep is none: these revisions cannot be restored as they were: 3, 1'
    await 20 "no set is left" no_set_is_left
    said=$(reeve rollback prod 1 --reason 'back to the old value' 2>&1)
    expect_equal "exit status" $? 2
    await 20 "it waits" sync_is waiting
    expect_has "the plan" "$(reeve plan prod)" downgrade
    expect_has "the plan" "$(reeve plan prod)" "the version of secret 'filed' is gone"
    expect_serves v2
    reeve approve "$(plan_id)" --reason 'with the value of today' >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
    await 20 "version 1 serves" serves v1
    await 20 "with the new value" delivered
    and_nothing_else
    reeve retry prod --reason 'the newest again' >/dev/null || fail "retry"
    await_converged
    expect_serves v2
    reeve rollback prod 1 --reason 'once more' >/dev/null 2>&1
    await 20 "it waits" sync_is waiting
    reeve reject "$(plan_id)" --reason 'not with the value of today' >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
    await_converged
    expect_serves v2
}

# The store says nothing: what was delivered goes on serving.
an_outage_of_a_store_changes_nothing()
{
    mv "$WORLD/secrets" "$WORLD/away"
    reeve apply prod --timeout 20 >"$WORLD/said" 2>&1
    expect_serves v1
    expect_has "status" "$(explained)" "in store 'files' cannot be reached: directory '$WORLD/secrets'"
    mv "$WORLD/away" "$WORLD/secrets"
    mv "$WORLD/secrets/filed" "$WORLD/away"
    reeve apply prod --timeout 20 >"$WORLD/said" 2>&1
    expect_serves v1
    expect_has "status" "$(explained)" "secret 'filed' could not be read from its store: secret 'filed' in store 'files' was not found: open '$WORLD/secrets/filed'"
    mv "$WORLD/away" "$WORLD/secrets/filed"
    reeve apply prod --timeout 60 >/dev/null || fail "it does not recover"
    expect_has "status" "$(reeve status prod)" "revision 2"
}

# What it prints is in its own log; the reason that is told hides the values.
release_says()
{
    secret_spec version="$3" \
        service="    release: {command: [/bin/sh, -c, \"$1; echo 'no login with '\$TOKEN and \$JOINED >&2; exit 3\"], environment: {TOKEN: {secret: token}, JOINED: {join: [\"x=\", {secret: filed}], with: \"\"}}, schema_change: none}"
    commit 'a release that fails'
    reeve apply prod --timeout 20 >"$WORLD/said" 2>&1
    expect_has "reason" "$(explained)" "$2"
    history >"$WORLD/shown.txt"
    expect_equal "files that hold it" "$(grep -laF -e "$CANARY" -e "$SECOND" \
        "$WORLD"/var/reeve.db* "$WORLD/daemon.log" "$WORLD/said" "$WORLD/shown.txt")" ""
}

a_release_that_fails_tells_no_value()
{
    release_says true 'no login with *** and x=***' v3
}

nor_one_that_cannot_be_read_to_hide_it()
{
    release_says "mv $WORLD/secrets/filed $WORLD/away" 'exit 3 (the rest is not shown' v4
    mv "$WORLD/away" "$WORLD/secrets/filed"
}

run_cases the_values_reach_the_service what_is_short_or_absent_is_said the_password_of_a_route_is_asked_for \
    and_nothing_else a_new_version_is_a_new_revision \
    a_rollback_gives_exactly_what_ran so_does_one_of_a_password an_instance_that_is_lost_needs_no_store \
    a_set_that_cannot_be_opened_is_not_used an_outage_of_a_store_changes_nothing \
    a_revision_that_starts_nothing_has_its_set \
    a_version_that_is_gone_asks no_core_file_can_be_left no_core_file_is_left behind_walls_the_same \
    a_release_that_fails_tells_no_value nor_one_that_cannot_be_read_to_hide_it
