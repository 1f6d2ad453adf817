#!/bin/bash
# secrets: a value reaches the service and nothing else. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

CANARY=canary-0123456789abcdef0123456789abcdef
SECOND=second-fedcba9876543210fedcba9876543210

# Words of spec.
secret_spec()
{
    spec env='TOKEN: {secret: token}, JOINED: {join: ["x=", {secret: filed}], with: ""}' "$@"
    sed -i 's|^services:|secrets: {token: {}, filed: {store: files}}\n&|' "$WORLD/repo/.reeve/app.yaml"
}

given_secret()
{
    given_world
    mkdir "$WORLD/secrets"
    printf '%s\n' "$CANARY" >"$WORLD/secrets/filed"
    write_daemon rule="    secrets: [{path: \"env:token\", for: services}, {path: \"files:filed\", for: services}]" \
        extra="secrets: {default: env, stores: {env: {type: env, prefix: E2E_}, files: {type: file, directory: $WORLD/secrets}}}"
    secret_spec version=v1
    commit 'version 1'
    start_daemon E2E_TOKEN="$CANARY"
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

and_nothing_else()
{
    local value pid

    reeve logs prod >"$WORLD/shown.txt" 2>&1
    reeve history prod -o json -n 1000 >>"$WORLD/shown.txt"
    reeve plan prod -o json >>"$WORLD/shown.txt"
    reeve explain prod -o json >>"$WORLD/shown.txt"
    for value in "$CANARY" "$SECOND"; do
        expect_equal "files that hold it" \
            "$(grep -rlaF "$value" "$WORLD/var" "$WORLD/daemon.log" "$WORLD/shown.txt")" ""
        expect_equal "command lines that hold it" "$(grep -lsaF -f - /proc/[0-9]*/cmdline <<<"$value")" ""
        for pid in $(keepers); do
            expect_equal "environment of keeper $pid" "$(grep -caF "$value" "/proc/$pid/environ")" 0
        done
    done
}

a_new_version_is_a_new_revision()
{
    printf '%s\n' "$SECOND" >"$WORLD/secrets/filed"
    reeve apply prod --timeout 20 >/dev/null || fail "apply"
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

# Without sealed sets an older value is gone with its store's, and a person decides about the one that is there.
a_version_that_is_gone_asks()
{
    local said

    sed -i 's/{default: env, /{default: env, keep: none, /' "$WORLD/reeve.yaml"
    stop_daemon
    start_daemon E2E_TOKEN="$CANARY"
    secret_spec version=v2
    deploy 'version 2'
    await_converged
    await 20 "no set is left" test -z "$(ls "$WORLD"/var/sealed/*/* 2>/dev/null)"
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
}

# The store says nothing: what was delivered goes on serving.
an_outage_of_a_store_changes_nothing()
{
    mv "$WORLD/secrets" "$WORLD/away"
    reeve apply prod --timeout 20 >"$WORLD/said" 2>&1
    expect_serves v1
    expect_has "status" "$(explained)" filed
    mv "$WORLD/away" "$WORLD/secrets"
    reeve apply prod --timeout 20 >/dev/null || fail "it does not recover"
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

run_cases the_values_reach_the_service and_nothing_else a_new_version_is_a_new_revision \
    a_rollback_gives_exactly_what_ran an_instance_that_is_lost_needs_no_store \
    a_set_that_cannot_be_opened_is_not_used an_outage_of_a_store_changes_nothing \
    a_version_that_is_gone_asks \
    a_release_that_fails_tells_no_value nor_one_that_cannot_be_read_to_hide_it
