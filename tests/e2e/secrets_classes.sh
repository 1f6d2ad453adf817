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
    sed -i 's|^services:|secrets: {filed: {}, door: {}}\n&|; s|^    port: 8000|    source: {context: code}\n    assets: {path: static}\n&|
        s|routes: {/: {service: web}}|routes: {/: {service: web}, /inner: {service: web, access: {type: basic, users: {ann: {secret: door}}}}}|' \
        "$WORLD/repo/.reeve/app.yaml"
}

given_secret()
{
    given_world
    mkdir "$WORLD/secrets" "$WORLD/repo/code"
    cp "$APP" "$WORLD/repo/code/app"
    mkdir "$WORLD/repo/code/static"
    echo first >"$WORLD/repo/code/static/first"
    printf '%s\n' "$CANARY" >"$WORLD/secrets/filed"
    printf '%s\n' "$DOOR" >"$WORLD/secrets/door"
    printf '%s\n' "$SECOND" >"$WORLD/secrets/npm"
    write_daemon rule="    secrets: [{path: \"files:filed\", for: services}, {path: \"files:door\", for: services}, {path: \"files:npm\", for: build}]" \
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
    expect_serves v3
}

# build LINE..: a commit whose build is these lines.
build()
{
    rm -rf "$WORLD/repo/code/static"
    { echo 'set -e'; printf '%s\n' "$@"; } >"$WORLD/repo/code/build"
    secret_spec version=v3
    sed -i 's|secrets: {filed: {}|secrets: {npm: {}, filed: {}|; s|source: {context: code}|source: {context: code, build: [/bin/sh, ./build], secrets: [npm]}|' \
        "$WORLD/repo/.reeve/app.yaml"
    commit 'a build with a secret'
}

# Where the files of a build are, while there are any.
lies_there()
{
    LIES=$(echo "$WORLD"/var/services/run/*/secrets/npm)
    [ -e "$LIES" ] && [ -e "${LIES%/secrets/npm}/state" ]
}

has_gone()
{
    [ -z "$(echo "$WORLD"/var/services/run/*/secrets | grep -v '\*')" ]
}

is_told()
{
    explained | grep -qF -- "$1"
}

# fails_with TEXT: the build that was committed last; what was delivered before it serves on.
fails_with()
{
    reeve apply prod --timeout 40 >"$WORLD/said" 2>&1
    await 20 "it says '$1'" is_told "$1"
    expect "its secret is gone" has_gone
    expect_serves v1
}

# Nobody has to come back for that.
a_build_loses_its_secret_without_a_daemon()
{
    build 'exec sleep 1000'
    fetch_now
    await 40 "the build has it" lies_there
    expect_equal "mode" "$(stat -c %a "$LIES")" 400
    [ "$CLASS" != uid ] || expect "its user is the environment's" test "$(stat -c %u "$LIES")" -ge 60100
    kill_daemon
    expect "it has it still" lies_there
    kill -KILL "$(sed 's/.*"pid":\([0-9]*\).*/\1/' "${LIES%/secrets/npm}/state")"
    await 20 "it is gone" has_gone
    start_daemon
    fails_with 'build: ended by signal 9'
    and_nothing_else
}

# What it made is the service's, and stays: not with a value in it.
what_it_made_holds_none()
{
    build 'cp "$REEVE_SECRETS/npm" .npmrc'
    fails_with "holds the value of secret 'npm': .npmrc"
    and_nothing_else
}

a_build_sees_its_secret_as_a_file()
{
    build 'sha256sum <"$REEVE_SECRETS/npm" | grep -q '"$(printf %s "$SECOND" | sha256sum | cut -d ' ' -f 1)" 'stat -c "%a %u $(id -u)" "$REEVE_SECRETS/npm" >proof'
    fetch_now
    await 40 "it serves" serves v3
    await_converged
    await 20 "one set is left" one_set_is_left
    expect "files of before lie beside its own" test -s "$(echo "$WORLD"/var/services/run/*/tree/static/first)"
    expect "it was its user's alone" grep -qsE '^400 ([0-9]+) \1$' "$WORLD"/var/services/artifacts/*/tree/proof
    expect "it is gone" has_gone
    and_nothing_else
}

# Another version makes nothing anew: the next build has it.
another_version_builds_nothing()
{
    local artifacts

    artifacts=$(ls "$WORLD/var/services/artifacts")
    printf '%s\n' "$SHORT" >"$WORLD/secrets/npm"
    reeve apply prod --timeout 40 >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
    await_converged
    expect_equal "artifacts" "$(ls "$WORLD/var/services/artifacts")" "$artifacts"
    and_nothing_else
    printf '%s\n' "$SECOND" >"$WORLD/secrets/npm"
    reeve apply prod --timeout 40 >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
}

a_build_that_fails_tells_none()
{
    local spelling

    build 'cat "$REEVE_SECRETS/npm"; base64 -w 0 "$REEVE_SECRETS/npm"; exit 3'
    reeve apply prod --timeout 40 >"$WORLD/said" 2>&1
    expect_has "reason" "$(explained)" '***'
    for spelling in $(spellings "$SECOND"); do
        expect_equal "files that hold it" "$(grep -laF -e "$spelling" "$WORLD"/var/reeve.db* "$WORLD/daemon.log" "$WORLD/said")" ""
        expect_equal "what is told" "$(history | grep -caF -e "$spelling")" 0
    done
    expect "its secret is gone" has_gone
    expect_equal "files that hold it as it is" "$(grep -rlaF -e "$SECOND" "$WORLD/var")" ""
    expect_has_not "its log" "$(reeve logs prod)" "$SECOND"
    expect_serves v3
}

say "class $CLASS, as $(id -u)"
run_cases a_value_reaches_its_service_and_nothing_else a_restart_needs_no_store no_core_can_be_left what_was_handed_out_is_forgotten \
    a_build_loses_its_secret_without_a_daemon what_it_made_holds_none a_build_sees_its_secret_as_a_file another_version_builds_nothing \
    a_build_that_fails_tells_none a_release_that_fails_tells_no_spelling
