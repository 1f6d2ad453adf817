#!/bin/bash
# secrets_classes: what e2e/secrets shows, with a user for each environment and as an ordinary user. SPDX-License-Identifier: Apache-2.0
#
# Started as root: class uid, under a daemon that dropped to an ordinary user; root looks at every process. Then all
# again as that user itself, in class namespace.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/ordinary.sh"
. "$(dirname "$0")/canary.sh"

ORDINARY=61001

as_both $ORDINARY APP canary.sh

CLASS=namespace
[ "$(id -u)" != 0 ] || CLASS=uid

is_possible()
{
    case $(reeve doctor 2>&1) in
    *"isolation $CLASS is possible"*) return 0 ;;
    esac
    return 1
}

# Words of spec.
secret_spec()
{
    spec env='TOKEN: {secret: filed}' command=./app "$@"
    sed -i 's|^services:|secrets: {filed: {}, door: {}}\n&|; s|^    port: 8000|    source: {context: code}\n&|
        s|routes: {/: {service: web}}|routes: {/: {service: web}, /inner: {service: web, access: {type: basic, users: {ann: {secret: door}}}}}|' \
        "$WORLD/repo/.reeve/app.yaml"
}

given_secret()
{
    given_world
    mkdir "$WORLD/secrets" "$WORLD/repo/code"
    cp "$APP" "$WORLD/repo/code/app"
    printf '%s\n' "$CANARY" >"$WORLD/secrets/filed"
    printf '%s\n' "$DOOR" >"$WORLD/secrets/door"
    write_daemon rule="    secrets: [{path: \"files:filed\", for: services}, {path: \"files:door\", for: services}]" \
        extra="secrets: {default: files, stores: {files: {type: file, directory: $WORLD/secrets}}}"
    sed -i "s/    isolation: none/    isolation: $CLASS/; /^auth:/d" "$WORLD/reeve.yaml"
    secret_spec version=v1
    commit 'version 1'
    if [ "$(id -u)" = 0 ]; then
        sed -i "s/^user: .*/user: \"$ORDINARY:$ORDINARY\"\nuids: 60100-60199/" "$WORLD/reeve.yaml"
        chown -R $ORDINARY:$ORDINARY "$WORLD"
    fi
    export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
}

a_value_reaches_its_service_and_nothing_else()
{
    given_secret
    is_possible || skip "$(reeve doctor 2>&1 | grep "isolation $CLASS")"
    start_daemon
    await_converged
    expect_serves v1
    grep -qs "\"isolation\":\"$CLASS\"" "$WORLD"/var/services/run/*/spec.json || fail "it is not in class $CLASS"
    [ "$(id -u)" != 0 ] || expect "the value is delivered" services_have "TOKEN=$CANARY"
    expect "the password opens" inner "ann:$DOOR" 200
    expect "no other does" inner "ann:$OTHER_DOOR" 401
    and_nothing_else
}

# Ended one after the other: what runs next has it from the sealed set, with the store away.
a_restart_needs_no_store()
{
    local pid

    mv "$WORLD/secrets" "$WORLD/away"
    for pid in $(processes "$WORLD/var/services/run/"); do
        kill -KILL "$pid"
    done
    reeve apply prod --no-wait >/dev/null 2>&1
    await 40 "it serves again" serves v1
    [ "$(id -u)" != 0 ] || await 20 "the value is delivered" services_have "TOKEN=$CANARY"
    mv "$WORLD/away" "$WORLD/secrets"
    and_nothing_else
}

no_core_can_be_left()
{
    await 20 "one set is left" one_set_is_left
    nobody_writes_a_core
}

# What is handed out is wiped: a keeper has it as long as its program may start again, the daemon has it no more.
what_was_handed_out_is_forgotten()
{
    local keeper value

    sees_memory || return 0
    keeper=$(processes "$WORLD/var/services/run/" | head -n 1)
    expect "a keeper has it" remembers "$keeper" "$CANARY"
    for value in "$CANARY" "$DOOR"; do
        ! remembers "$DAEMON" "$value" || fail "the daemon has it, too"
    done
}

# What it prints is in its own log; the reason that is told hides it, however it is written.
a_release_that_fails_tells_no_spelling()
{
    local spelling

    cat >"$WORLD/repo/code/release" <<'END'
printf %s "$TOKEN" | base64 -w 0; echo
printf 'ops:%s' "$TOKEN" | base64 -w 0; echo
printf %s "$TOKEN" | od -An -tx1 | tr -d ' \n'; echo
echo "$TOKEN" | cut -c 1-20
echo "$TOKEN" | cut -c 12-
exit 3
END
    secret_spec version=v2 service='    release: {command: [/bin/sh, ./release], environment: {TOKEN: {secret: filed}}, schema_change: none}'
    commit 'a release that fails'
    reeve apply prod --timeout 40 >"$WORLD/said" 2>&1
    expect_has "reason" "$(explained)" '***'
    history >"$WORLD/shown.txt"
    explained >>"$WORLD/shown.txt"
    reeve status prod -o json >>"$WORLD/shown.txt"
    for spelling in $(spellings "$CANARY") "${CANARY:0:12}" "${CANARY:16:12}" "${CANARY: -12}"; do
        expect_equal "files that hold it" \
            "$(grep -laF -e "$spelling" "$WORLD"/var/reeve.db* "$WORLD/daemon.log" "$WORLD/said" "$WORLD/shown.txt")" ""
    done
    expect_serves v1
}

say "class $CLASS, as $(id -u)"
run_cases a_value_reaches_its_service_and_nothing_else a_restart_needs_no_store no_core_can_be_left what_was_handed_out_is_forgotten \
    a_release_that_fails_tells_no_spelling
