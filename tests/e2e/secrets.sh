#!/bin/bash
# secrets: a value reaches the service and nothing else. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

CANARY=canary-0123456789abcdef0123456789abcdef
SECOND=second-fedcba9876543210fedcba9876543210

given_secret()
{
    given_world
    mkdir "$WORLD/secrets"
    printf '%s\n' "$CANARY" >"$WORLD/secrets/filed"
    write_daemon rule="    secrets: [{path: \"env:token\", for: services}, {path: \"files:filed\", for: services}]" \
        extra="secrets: {default: env, stores: {env: {type: env, prefix: E2E_}, files: {type: file, directory: $WORLD/secrets}}}"
    spec version=v1 env='TOKEN: {secret: token}, JOINED: {join: ["x=", {secret: filed}], with: ""}'
    sed -i 's|^services:|secrets: {token: {}, filed: {store: files}}\n&|' "$WORLD/repo/.reeve/app.yaml"
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
    expect_equal "revision" "$(field revision)" 2
    and_nothing_else
}

delivered()
{
    one_set_is_left && instance_environment 2>/dev/null | grep -qxF "JOINED=x=$SECOND"
}

a_version_that_is_gone_is_not_gone_back_to()
{
    local said

    said=$(reeve rollback prod 1 --reason 'back to the old value' 2>&1) && fail "it was gone back to: $said"
    expect_has "why" "$said" filed
    expect_serves v1
    expect "the new value stays" delivered
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
    expect_equal "revision" "$(field revision)" 2
}

# What it prints is in its own log; the reason that is told hides the values.
release_says()
{
    spec version="$3" env='TOKEN: {secret: token}, JOINED: {join: ["x=", {secret: filed}], with: ""}' \
        service="    release: {command: [/bin/sh, -c, \"$1; echo 'no login with '\$TOKEN and \$JOINED >&2; exit 3\"], environment: {TOKEN: {secret: token}, JOINED: {join: [\"x=\", {secret: filed}], with: \"\"}}, schema_change: none}"
    sed -i 's|^services:|secrets: {token: {}, filed: {store: files}}\n&|' "$WORLD/repo/.reeve/app.yaml"
    commit 'a release that fails'
    reeve apply prod --timeout 20 >"$WORLD/said" 2>&1
    expect_has "reason" "$(explained)" "$2"
    history >"$WORLD/shown.txt"
    expect_equal "files that hold it" "$(grep -laF -e "$CANARY" -e "$SECOND" \
        "$WORLD"/var/reeve.db* "$WORLD/daemon.log" "$WORLD/said" "$WORLD/shown.txt")" ""
}

a_release_that_fails_tells_no_value()
{
    release_says true 'no login with *** and x=***' v2
}

nor_one_that_cannot_be_read_to_hide_it()
{
    release_says "mv $WORLD/secrets/filed $WORLD/away" 'exit 3 (the rest is not shown' v3
    mv "$WORLD/away" "$WORLD/secrets/filed"
}

run_cases the_values_reach_the_service and_nothing_else a_new_version_is_a_new_revision \
    a_version_that_is_gone_is_not_gone_back_to an_outage_of_a_store_changes_nothing \
    a_release_that_fails_tells_no_value nor_one_that_cannot_be_read_to_hide_it
