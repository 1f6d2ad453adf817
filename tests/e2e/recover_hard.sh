#!/bin/bash
# recover_hard: a database is lost where more than the database is. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

CANARY=canary-0123456789abcdef0123456789abcdef
COPIES='backup: {directory: copies, every: 1s}'

# Words of spec; the secret is given by E2E_TOKEN.
given_copied()
{
    given_world
    write_daemon state="${1-$COPIES}" rule='    secrets: [{path: "env:token", for: services}]' \
        extra="secrets: {default: env, stores: {env: {type: env, prefix: E2E_}}}"
    shop version=v1
    commit 'version 1'
    begin_life
    await_converged
    expect_serves v1
}

shop()
{
    spec keep=300ms bake=200ms env='TOKEN: {secret: token}' "$@"
    sed -i 's|^services:|secrets: {token: {}}\n&|' "$WORLD/repo/.reeve/app.yaml"
}

begin_life()
{
    start_daemon E2E_TOKEN="$CANARY"
}

copies()
{
    find "$WORLD/copies" -name '*.copy' 2>/dev/null | sort | tail -n 1
}

is_another()
{
    [ "$(copies)" != "$1" ]
}

# All that was written until now lies in a copy.
await_copy()
{
    local before

    before=$(copies)
    reeve hold prod --reason 'a copy' >/dev/null 2>&1 && reeve resume prod --reason 'a copy' >/dev/null 2>&1
    await 30 "a newer copy" is_another "$before"
    await_converged
}

everybody_is_gone()
{
    while [ -n "$(keepers)" ]; do
        kill_keepers
        sleep $LOOK_S
    done
}

lose_database()
{
    stop_daemon
    rm -f "$WORLD"/var/reeve.db*
}

is_said()
{
    grep -qF "$1" "$WORLD/said"
}

expect_no_start()
{
    "$REEVE" serve >"$WORLD/said" 2>&1 9>&- && fail "the daemon starts"
    expect "said: $1" is_said "$1"
}

recover()
{
    reeve recover >"$WORLD/said" 2>&1 || fail "recover: $(<"$WORLD/said")"
}

release()
{
    begin_life
    await 20 "prod is held" is_held
    reeve resume prod --reason 'looked at it' >/dev/null 2>&1 || fail "resume"
    await_converged 60
}

# In sync and held are both said of one that has nothing to do.
is_held()
{
    [[ $(reeve status prod -o json 2>/dev/null) == *'"reason":"recovered"'* ]]
}

one_instance_is_left()
{
    [ "$(grep -ls '"type":"instance"' "$WORLD"/var/services/run/*/spec.json | wc -l)" = 1 ]
}

token_of_instance()
{
    local spec

    spec=$(grep -ls '"type":"instance"' "$WORLD"/var/services/run/*/spec.json | head -n 1)
    tr '\0' '\n' <"/proc/$(sed 's/.*"pid":\([0-9]*\).*/\1/' "${spec%spec.json}state")/environ" | sed -n 's/^TOKEN=//p'
}

# The disk is a new one: what is left are the keys and the copies.
the_machine_is_another_one()
{
    given_copied
    await_copy
    stop_daemon
    everybody_is_gone
    find "$WORLD/var" -mindepth 1 -maxdepth 1 ! -name keys -exec rm -rf {} +
    expect_no_start 'is a copy of it: reeve recover'
    recover
    release
    expect_serves v1
    await 20 "one instance is left" one_instance_is_left
    expect_equal "its secret" "$(token_of_instance)" "$CANARY"
    expect "the chain holds" reeve audit verify --replay
}

# The keys are gone with it: the copies are worth nothing, and nobody makes a key to read them with.
and_the_keys_are_gone()
{
    given_copied
    await_copy
    lose_database
    rm -rf "$WORLD/var/keys"
    recover
    expect "said" is_said "there is no '$WORLD/var/keys/copies'"
    expect "no key was made" [ ! -e "$WORLD/var/keys/copies" ]
    release
    expect_serves v1
    await 20 "one instance is left" one_instance_is_left
}

# Instances live, and nothing leads to them any more.
the_edge_is_lost()
{
    given_copied "$1"
    [ -z "$1" ] || await_copy
    lose_database
    kill_processes "$WORLD/var/edge"
    rm -rf "$WORLD/var/edge"
    recover
    release
    expect_serves v1
    await 20 "one instance is left" one_instance_is_left
    expect "the chain holds" reeve audit verify --replay
}

the_edge_is_lost_without_a_copy()
{
    the_edge_is_lost ''
}

the_edge_is_lost_with_a_copy()
{
    the_edge_is_lost "$COPIES"
}

# What the proxy serves is not known: nothing is built on that.
the_rendered_file_is_gone()
{
    given_copied
    lose_database
    mv "$WORLD/var/edge/haproxy.cfg" "$WORLD/kept.cfg"
    reeve recover >"$WORLD/said" 2>&1 && fail "recover goes on"
    expect "said" is_said 'what it serves is not known'
    expect_serves v1
    head -c 300 "$WORLD/kept.cfg" >"$WORLD/var/edge/haproxy.cfg"
    reeve recover >"$WORLD/said" 2>&1 && fail "recover goes on with half a file"
    expect_serves v1
    cp "$WORLD/kept.cfg" "$WORLD/var/edge/haproxy.cfg"
    recover
    release
    expect_serves v1
}

# The copy says that the host is not served, and so does the newest commit; the proxy serves it.
the_routes_moved_on_after_the_copy()
{
    given_copied
    await_copy
    stop_daemon
    mkdir "$WORLD/kept"
    cp "$(copies)" "$WORLD/kept/"
    begin_life
    sed -i "s|hosts: .[^]]*.|hosts: [$HOST, more.example.test]|" "$WORLD/repo/.reeve/app.yaml"
    deploy 'one more host'
    await 30 "the host is served" more_serves v1
    await_converged
    lose_database
    rm -f "$WORLD"/copies/*
    cp "$WORLD"/kept/*.copy "$WORLD/copies/"
    sed -i "s|hosts: .[^]]*.|hosts: [$HOST]|" "$WORLD/repo/.reeve/app.yaml"
    commit 'one host less'
    recover
    release
    expect_serves v1
    more_serves v1 && fail "the host is still served, and the plan is empty"
    return 0
}

more_serves()
{
    HOST=more.example.test serves "$1"
}

# It was recovered, and nobody has released it: what it serves is not free.
a_host_stays_with_who_serves_it()
{
    given_copied ''
    sed -i "s|^environments:|&\n  - match: {source: shop, name: other}\n    branch: main\n    providers: {services: [local], domains: edge}\n    domains: [\"*.example.test\"]\n    isolation: none|" \
        "$WORLD/reeve.yaml"
    lose_database
    cat >"$WORLD/repo/.reeve/other.yaml" <<END
apiVersion: reeve/v1
kind: Application
name: other
services: {web: {command: ["$APP"], port: 8000, environment: {VERSION: other}, healthcheck: {readiness: {http: {path: /healthz}, interval: 100ms}}}}
domains: {app: {hosts: [$HOST], routes: {/: {service: web}}}}
---
apiVersion: reeve/v1
kind: Environment
name: other
application: other
trigger: {branch: main}
approval: {policy: auto}
END
    commit 'another one wants the host'
    recover
    begin_life
    await 20 "it is refused" other_is_refused
    expect_serves v1
    reeve resume prod --reason 'looked at it' >/dev/null 2>&1 || fail "resume"
    await_converged 60
    expect_serves v1
}

other_is_refused()
{
    [[ $(reeve explain other 2>&1) == *"belongs to environment 'prod'"* ]]
}

run_cases the_machine_is_another_one and_the_keys_are_gone the_edge_is_lost_without_a_copy the_edge_is_lost_with_a_copy \
    the_rendered_file_is_gone the_routes_moved_on_after_the_copy a_host_stays_with_who_serves_it
