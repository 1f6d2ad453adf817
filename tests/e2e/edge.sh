#!/bin/bash
# edge: what a commit asks of requests holds with its switch, and is not taken away unseen. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

PASSWORD=canary-$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n') # of this run alone: others may run beside it
TRUSTED=127.0.0.2 # names clients

# The domain's further fields and the routes: ruled FIELDS ROUTES
ruled()
{
    spec version=v1 service="secrets: {ann: {store: files}}"
    sed -i "s|^  app: .*|  app: {hosts: [$HOST], $1, routes: {/: {service: web}, $2}}|" "$WORLD/repo/.reeve/app.yaml"
}

BY_ANN='access: {type: basic, users: {ann: {secret: ann}}}, redirect_from: [www.example.test], headers: {set: {X-Frame-Options: DENY}, remove: [X-App]}, noindex: true'
ROUTES='/open: {service: web, access: none}, /closed: {deny: true}, /home: {service: web, access: {type: ip, allow: [192.0.2.0/24]}}, /paced: {service: web, access: none, rate_limit: {requests: 2, per: 24h}}'

by_ann()
{
    printf 'Authorization: Basic %s' "$(printf 'ann:%s' "$1" | base64)"
}

# Status of a path, from an address, with further headers: asked PATH [FROM [HEADER..]]
asked()
{
    local path=$1 from=${2:-127.0.0.1}
    local more=() header

    shift; [ $# -eq 0 ] || shift
    for header in "$@"; do
        more+=(-H "$header")
    done
    curl -s -o "$WORLD/body" -D "$WORLD/head" -w '%{http_code}' --max-time 20 --noproxy '*' --interface "$from" \
        -H "Host: $HOST" "${more[@]}" "http://127.0.0.1:$HTTP$path"
}

expect_asked()
{
    expect_equal "status of $*" "$(asked "${@:2}")" "$1"
}

expect_rules()
{
    expect_asked 401 /
    expect_asked 200 / 127.0.0.1 "$(by_ann "$PASSWORD")"
    expect_has "the answer" "$(cat "$WORLD/head")" "x-frame-options: DENY"
    expect_has "the answer" "$(cat "$WORLD/head")" "x-robots-tag: noindex"
    expect_has_not "the answer" "$(tr '[:upper:]' '[:lower:]' <"$WORLD/head")" "x-app:"
    expect_asked 200 / 127.0.0.1 "Cookie: $PASS"
    expect_asked 200 /open
    expect_asked 403 /closed
    expect_asked 403 /closed 127.0.0.1 "Cookie: $PASS"
    expect_asked 400 /CLOSED
    expect_asked 403 /home
    expect_asked 403 /home 127.0.0.1 "X-Forwarded-For: 192.0.2.1"
    expect_asked 200 /home $TRUSTED "X-Forwarded-For: 192.0.2.1"
    HOST=www.example.test expect_asked 308 '/x?y'
    expect_has "the answer" "$(cat "$WORLD/head")" "location: http://app.example.test/x?y"
}

the_first_commit_asks()
{
    HOST=app.example.test
    given_world
    mkdir "$WORLD/secrets"
    printf '%s\n' "$PASSWORD" >"$WORLD/secrets/ann"
    write_daemon edge="trusted_proxies: [$TRUSTED]" \
        rule="    secrets: [{path: \"files:ann\", for: services}]" \
        extra="secrets: {default: files, stores: {files: {type: file, directory: $WORLD/secrets}}}"
    ruled "$BY_ANN" "$ROUTES"
    commit 'version 1'
    start_daemon
    await_converged
    expect_asked 200 / 127.0.0.1 "$(by_ann "$PASSWORD")"
    PASS=$(grep -o '__Host-reeve-pass=[0-9a-f.]*' "$WORLD/head")
    expect_rules
    expect_asked 200 /paced
    expect_asked 200 /paced
    expect_asked 429 /paced
}

# Guesses until it is too often; the window slides, so that the next one may be heard again.
is_refused_after_guesses()
{
    local n

    for n in {1..30}; do
        [ "$(asked / "$1" "$(by_ann guessed)")" = 401 ] || break
    done
    [ "$(asked / "$1" "$(by_ann "$PASSWORD")")" = 429 ]
}

# From two addresses of this machine; who was let in before is let in on.
who_guesses_waits()
{
    is_refused_after_guesses 127.0.0.3 || is_refused_after_guesses 127.0.0.3 || fail "guesses go on"
    expect_has "the answer" "$(cat "$WORLD/head")" "retry-after: 30"
    expect_asked 200 / 127.0.0.3 "Cookie: $PASS"
    expect_asked 200 / 127.0.0.4 "$(by_ann "$PASSWORD")"
}

and_not_for_ever()
{
    await 60 "the guesser gets in with the password" is_let_in 127.0.0.3
}

is_let_in()
{
    [ "$(asked / "$1" "$(by_ann "$PASSWORD")")" = 200 ]
}

the_password_is_nowhere()
{
    reeve status prod -o json >"$WORLD/shown.txt"
    reeve history prod -o json -n 1000 >>"$WORLD/shown.txt"
    reeve plan prod -o json >>"$WORLD/shown.txt" 2>/dev/null # there may be none
    expect_equal "files that hold it" "$(grep -rlaF "$PASSWORD" "$WORLD/var" "$WORLD/daemon.log" "$WORLD/shown.txt")" ""
    expect_equal "files that hold it as it is sent" \
        "$(grep -rlaF "$(printf 'ann:%s' "$PASSWORD" | base64)" "$WORLD/var" "$WORLD/daemon.log" "$WORLD/shown.txt")" ""
    expect_equal "command lines that hold it" "$(grep -lsaF -f - /proc/[0-9]*/cmdline <<<"$PASSWORD")" ""
    expect_has "status" "$(cat "$WORLD/shown.txt")" '"deny":true'
}

a_proxy_that_died_asks_the_same()
{
    local pid

    pid=$(sed 's/.*"pid":\([0-9]*\).*/\1/' "$WORLD/var/edge/run/edge/state")
    kill -KILL "$pid"
    await 20 "it is back" asked_again
    expect_rules
}

asked_again()
{
    [ "$(asked /closed)" = 403 ]
}

what_opens_a_path_waits_for_a_person()
{
    ruled "$BY_ANN" "${ROUTES/\/closed: \{deny: true\}/\/closed: \{service: web, access: none\}}"
    deploy 'open'
    await 20 "it waits" sync_is waiting
    expect_has "explain" "$(explained)" weaken
    expect_rules
    await 30 "it is applied" is_applied_when_approved
    expect_asked 200 /closed
    expect_asked 401 /
}

what_closes_one_does_not()
{
    ruled "$BY_ANN" "$ROUTES"
    deploy 'close'
    await_converged
    expect_rules
}

# The application marks its answers, so that is left to them here.
ruled_in_turn()
{
    local access=none

    [ $(($1 % 2)) = 0 ] || access='{type: ip, allow: [127.0.0.0/8]}'
    ruled "${BY_ANN/\[X-App\]/[X-Turn-$1]}" "/open: {service: web, access: $access}, /paced: {service: web, access: none, rate_limit: {requests: 100000$1, per: 1h}}"
    sed -i "s/VERSION: \"v1\"/VERSION: \"v$(($1 / 2))\"/" "$WORLD/repo/.reeve/app.yaml"
    deploy "turn $1"
    await 30 "it is applied" is_applied_when_approved
}

# Rules of the asked paths and of others change with every switch, in every other the set of the service too.
rules_change_under_load_and_nothing_is_lost()
{
    local n

    ruled_in_turn 0
    start_load --path /open --path /paced --new 3 --kept 3 --post 20
    for n in {1..6}; do
        ruled_in_turn "$n"
    done
    end_load
    expect_equal "lost requests" "$(counted lost)" 0
    expect_equal "requests that nobody of ours answered" "$(counted unrouted)" 0
    say "   requests: $(counted sent), lost: $(counted lost)"
    ruled "$BY_ANN" "$ROUTES"
    deploy 'as before'
    await 30 "it is applied" is_applied_when_approved
}

# What ends meanwhile makes another plan of what waits.
is_applied_when_approved()
{
    ! sync_is waiting || reeve approve "$(plan_id)" --reason 'it may be open' >"$WORLD/said" 2>&1
    is_converged
}

a_daemon_that_starts_again_changes_nothing()
{
    local before

    before=$(plan_id 2>/dev/null)
    kill_daemon
    start_daemon
    await_converged
    expect_equal "the newest plan" "$(plan_id 2>/dev/null)" "$before"
    expect_rules
}

# What the edge asks is what its records say, and the commit wants nothing else.
a_lost_database_changes_nothing()
{
    kill_daemon
    rm -f "$WORLD"/var/reeve.db*
    reeve recover >"$WORLD/recovered" 2>&1 || fail "recover: $(<"$WORLD/recovered")"
    start_daemon
    await 20 "it is held" sync_is held
    expect_rules
    reeve resume prod --reason 'looked at it' >/dev/null 2>&1 || fail "resume"
    await 30 "in sync" sync_is in_sync
    reeve plan prod --exit-code >"$WORLD/plan" 2>&1 || fail "the plan is not empty: $(<"$WORLD/plan")"
    expect_rules
}

run_cases the_first_commit_asks the_password_is_nowhere a_proxy_that_died_asks_the_same who_guesses_waits \
    what_opens_a_path_waits_for_a_person what_closes_one_does_not \
    rules_change_under_load_and_nothing_is_lost a_daemon_that_starts_again_changes_nothing \
    a_lost_database_changes_nothing and_not_for_ever
