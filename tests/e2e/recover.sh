#!/bin/bash
# recover: 20 environments under load lose their database. SPDX-License-Identifier: Apache-2.0
#
# Nothing restarts, no request is lost, no secret changes, nothing is there twice; released, no plan has anything
# left to do. Without a copy, with one that is a rollout old, with a database put back that is older than the world.
. "$(dirname "$0")/lib.sh"

N=20
CANARY=canary-0123456789abcdef0123456789abcdef

environments()
{
    local i

    for ((i = 1; i <= N; i++)); do
        printf 'e%02d\n' "$i"
    done
}

# version=V keep=TIME: the specs of all, each with a secret and a host of its own.
estate()
{
    local version=v1 keep=300ms name

    [ $# -eq 0 ] || local "$@"
    spec version="$version" keep="$keep" bake=200ms env='TOKEN: {secret: token}'
    sed -i 's|^services:|secrets: {token: {}}\n&|; s|hosts: \[[^]]*\]|hosts: ["${env}.example.test"]|; /^---/,$d' \
        "$WORLD/repo/.reeve/app.yaml"
    for name in $(environments); do
        cat <<END
---
apiVersion: reeve/v1
kind: Environment
name: $name
application: shop
trigger: {branch: main}
approval: {policy: auto}
END
    done >>"$WORLD/repo/.reeve/app.yaml"
}

given_estate()
{
    given_world
    write_daemon backends=64 state="${1:-}" extra="secrets: {default: env, stores: {env: {type: env, prefix: E2E_}}}"
    sed -i 's|name: prod}|name: "e*"}|; s|^\(    domains: \["\*.*\)|\1\n    secrets: [{path: "env:token", for: services}]|' \
        "$WORLD/reeve.yaml"
    estate version=v1
    commit 'version 1'
    start_daemon E2E_TOKEN="$CANARY"
    await 120 "all are in sync" all_are in_sync
}

count_of()
{
    reeve status -o json 2>/dev/null | grep -o "\"sync\":\"$1\"" | wc -l
}

all_are()
{
    [ "$(count_of "$1")" -eq $N ]
}

# In sync with the newest commit, and nothing is left of the set before.
all_serve()
{
    local name

    for name in $(environments); do
        HOST=$name.example.test serves "$1" || return 1
    done
    all_are in_sync && [ "$(instances | wc -l)" -eq $N ] && [ "$(ask_file "SELECT count(*) FROM sets WHERE state <> 'gone'")" -eq $N ]
}

instances()
{
    local state

    for state in "$WORLD"/var/services/run/*/state; do
        [[ $(<"${state%state}spec.json") == *'"type":"instance"'* ]] && printf '%s\n' "$state"
    done
}

# Pid and start time of every instance, the proxy and their keepers; who they are.
living()
{
    local state

    for state in $(instances) "$WORLD/var/edge/run/edge/state"; do
        printf '%s %s\n' "$(basename "$(dirname "$state")")" \
            "$(grep -o '"keeper":[0-9]*\|"keeper_start":[0-9]*\|"pid":[0-9]*\|"start":[0-9]*' "$state" | tr '\n' ' ')"
    done
}

tokens()
{
    local state

    for state in $(instances); do
        tr '\0' '\n' <"/proc/$(sed 's/.*"pid":\([0-9]*\).*/\1/' "$state")/environ" | grep '^TOKEN='
    done | sort | uniq -c
}

load_all()
{
    local name hosts=()

    for name in $(environments); do
        hosts+=(--host "$name.example.test")
    done
    HOST=${hosts[1]} start_load "${hosts[@]}" --new 4 --kept 4 --pause-ms 5
}

uids()
{
    reeve status -o json | grep -o '"name":"e[0-9]*"\|"uid":"[^"]*"' | sort
}

# What every case must leave: LIVING, TOKENS and UIDS are those of before.
expect_unharmed()
{
    expect_equal "processes" "$(living)" "$LIVING"
    expect_equal "secrets" "$(tokens)" "$TOKENS"
    expect_equal "environments" "$(uids)" "$UIDS"
}

remember()
{
    LIVING=$(living) TOKENS=$(tokens) UIDS=$(uids)
    expect_equal "instances" "$(instances | wc -l)" $N
    expect_equal "tokens" "$(tokens | tr -s ' ')" " $N TOKEN=$CANARY"
}

plan_of()
{
    reeve plan "$1" >"$WORLD/plan" 2>&1
}

# recover_and_release WHAT: what every plan adopts.
recover_and_release()
{
    local name began

    now
    began=$NOW
    reeve recover >"$WORLD/recovered" 2>&1 || fail "recover: $(<"$WORLD/recovered")"
    now
    say "   recovered in $((NOW - began)) ms"
    expect_equal "held environments told" "$(grep -c ': held;' "$WORLD/recovered")" $N
    start_daemon E2E_TOKEN="$CANARY"
    await 60 "all are held" all_are held
    expect_unharmed
    for name in $(environments); do
        await 30 "a plan of $name" plan_of "$name"
        grep -q '^ *[-+~>] [a-z]* *[a-z]*/' "$WORLD/plan" && fail "the plan of $name changes something: $(<"$WORLD/plan")"
        grep -q "^ *= adopt *$1" "$WORLD/plan" || fail "the plan of $name adopts nothing: $(<"$WORLD/plan")"
        reeve resume "$name" --reason 'looked at it' >/dev/null 2>&1 || fail "resume $name"
    done
    await 60 "all are in sync" all_are in_sync
    for name in $(environments); do
        reeve plan "$name" --exit-code >"$WORLD/plan" 2>&1 || fail "the plan of $name is not empty: $(<"$WORLD/plan")"
    done
    now
    say "   $N environments in sync again after $((NOW - began)) ms"
}

expect_nothing_lost()
{
    end_load
    expect_equal "requests lost" "$(counted lost)" 0
    expect_equal "requests that went nowhere" "$(counted unrouted)" 0
    expect_unharmed
    reeve audit verify --replay >/dev/null || fail "the new chain does not hold"
}

is_named()
{
    grep -qF "$1" "$WORLD/daemon.log"
}

# A daemon that has no database does not make a new one where things of ours are.
expect_no_start()
{
    "$REEVE" serve >>"$WORLD/daemon.log" 2>&1 9>&- && fail "the daemon starts"
    expect "said: $1" is_named "$1"
}

# PROTOCOL 3's label in its long form, on every file of a keeper and every record of the edge.
expect_labels()
{
    local file word line

    for file in "$WORLD"/var/services/run/*/spec.json; do
        for word in installation env env_uid resource incarnation revision commit key; do
            grep -q "\"label\":{[^}]*\"$word\":" "$file" || fail "no $word in the label of $(<"$file")"
        done
    done
    grep '# rv [a-z]* [^-]' "$WORLD/var/edge/haproxy.cfg" >"$WORLD/records"
    expect "the edge has records" [ "$(wc -l <"$WORLD/records")" -ge $((3 * N)) ]
    while read -r line; do
        for word in installation env env_uid resource incarnation revision commit; do
            [[ $line == *'"label":{'*"\"$word\":"* ]] || fail "no $word in the label of $line"
        done
    done <"$WORLD/records"
    expect_equal "whose the edge is" "$(grep -o '# rv edge .*"installation":"[^"]*"' "$WORLD/var/edge/haproxy.cfg" |
        sed 's/.*:"//; s/"$//')" "$(<"$WORLD/var/keys/installation")"
    grep -q '"installation":"' "$WORLD/var/edge/run/edge/spec.json" || fail "the keeper of the edge says not whose it is"
}

# Nor where one cannot be read.
the_database_is_removed()
{
    given_estate
    expect_labels
    remember
    load_all
    stop_daemon
    rm "$WORLD"/var/reeve.db*
    expect_no_start 'there is no database'
    head -c 4096 /dev/urandom >"$WORLD/var/reeve.db"
    expect_no_start 'stays as it is'
    recover_and_release service/web
    expect "the old file is kept" compgen -G "$WORLD/var/reeve.db.lost-*" >/dev/null
    expect_nothing_lost
}

# What was recovered is worked with like any other.
and_the_next_commit_is_rolled_out()
{
    load_all
    estate version=v2
    deploy 'version 2'
    await 120 "all serve version 2" all_serve v2
    end_load
    expect_equal "requests lost" "$(counted lost)" 0
}

# Put back from last week: it is looked at, nothing is done with it.
an_older_database_is_put_back()
{
    given_estate
    stop_daemon
    cp "$WORLD/var/reeve.db" "$WORLD/last-week.db"
    start_daemon E2E_TOKEN="$CANARY"
    estate version=v2
    deploy 'version 2'
    await 120 "all serve version 2" all_serve v2
    remember
    load_all
    stop_daemon
    rm "$WORLD"/var/reeve.db*
    cp "$WORLD/last-week.db" "$WORLD/var/reeve.db"
    start_daemon E2E_TOKEN="$CANARY"
    expect_has "status" "$(reeve status)" 'the database is older than the world'
    reeve hold e01 --reason x >"$WORLD/said" 2>&1 && fail "a stale database takes a hold"
    expect_has "refused" "$(<"$WORLD/said")" 'reeve recover'
    stop_daemon
    reeve once >"$WORLD/said" 2>&1
    expect_equal "exit status of once" $? 5
    cmp -s "$WORLD/last-week.db" "$WORLD/var/reeve.db" || fail "the stale database was written"
    recover_and_release service/web
    for name in $(environments); do
        expect_has "$name, whose first revision is known" "$(reeve status "$name" -o json)" '"revision":2'
    done
    expect_nothing_lost
}

copies()
{
    find "$WORLD/copies" -name '*.copy' 2>/dev/null | sort
}

has_copies()
{
    [ "$(copies | wc -l)" -ge "$1" ]
}

# What the daemon has written up to now lies in a copy.
await_copy()
{
    local before

    before=$(copies | tail -n 1)
    reeve hold e01 --reason 'a copy' >/dev/null 2>&1 && reeve resume e01 --reason 'a copy' >/dev/null 2>&1
    await 30 "a newer copy" newer_than "$before"
}

newer_than()
{
    [ "$(copies | tail -n 1)" != "$1" ]
}

# The newest is changed by a bit: the one before is taken. It is one rollout old.
with_a_copy_that_is_one_rollout_old()
{
    local newest

    given_estate "backup: {directory: copies, every: 1s, keep: 3}"
    await_copy
    stop_daemon
    mkdir "$WORLD/kept"
    cp "$(copies | tail -n 1)" "$WORLD/kept/"
    start_daemon E2E_TOKEN="$CANARY"
    estate version=v2
    deploy 'version 2'
    await 120 "all serve version 2" all_serve v2
    await_copy
    expect "few are kept" [ "$(copies | wc -l)" -le 3 ]
    expect_equal "copies that can be read as they are" "$(grep -la 'CREATE TABLE\|SQLite format' $(copies))" ""
    remember
    load_all
    stop_daemon
    rm "$WORLD"/var/reeve.db*
    newest=$(copies | tail -n 1)
    find "$WORLD/copies" -type f ! -path "$newest" -delete
    flip_bit "$newest" 3000
    cp "$WORLD"/kept/*.copy "$WORLD/copies/"
    recover_and_release service/web
    expect_has "recovered" "$(<"$WORLD/recovered")" 'what no label knows is from'
    expect_has "recovered" "$(<"$WORLD/recovered")" 'a copy cannot be read'
    for name in $(environments); do
        expect_has "$name, whose first revision is known" "$(reeve status "$name" -o json)" '"revision":2'
    done
    expect_nothing_lost
}

# One that is as new as the world: nothing is even adopted. They are held all the same.
with_a_copy_of_now()
{
    local name

    given_estate "backup: {directory: copies, every: 1s}"
    await_copy
    remember
    load_all
    stop_daemon
    rm "$WORLD"/var/reeve.db*
    reeve recover >"$WORLD/recovered" 2>&1 || fail "recover: $(<"$WORLD/recovered")"
    start_daemon E2E_TOKEN="$CANARY"
    await 60 "all are in sync" all_are in_sync
    expect_unharmed
    estate version=v2
    deploy 'version 2'
    await 60 "all are held" all_are held
    expect_unharmed
    for name in $(environments); do
        reeve resume "$name" >/dev/null 2>&1 || fail "resume $name"
    done
    await 120 "all serve version 2" all_serve v2
    end_load
    expect_equal "requests lost" "$(counted lost)" 0
}

run_cases the_database_is_removed and_the_next_commit_is_rolled_out \
    an_older_database_is_put_back with_a_copy_that_is_one_rollout_old with_a_copy_of_now
