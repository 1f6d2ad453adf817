#!/bin/bash
# data: a database beside a service: its password reaches the service alone, its data outlives its block. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/canary.sh"

DATABASE='databases: {main: {engine: postgres, version: ">=15", storage: 10G}}'

given_data()
{
    given_world
    write_daemon poll=1s providers="  stores: {driver: \"null\", directory: $WORLD/stores}"
    sed -i 's/domains: edge}/domains: edge, databases: [stores]}/' "$WORLD/reeve.yaml"
    spec version=v1 env='DATABASE_URL: {database: main, key: url, scheme: postgresql+asyncpg}' more="$DATABASE"
    commit 'a service and its database'
    start_daemon
    await_converged
    expect_serves v1
}

# Of every instance that runs and has one.
url_of_instance()
{
    local pid

    for pid in $(sed -n 's/.*"pid":\([0-9]*\).*/\1/p' "$WORLD"/var/services/run/*/state); do
        [ ! -r "/proc/$pid/environ" ] || tr '\0' '\n' <"/proc/$pid/environ" | sed -n 's/^DATABASE_URL=//p'
    done
}

file_of_database()
{
    grep -l '"type":"database"' "$WORLD"/stores/*.json
}

the_url_reaches_the_service()
{
    given_data
    URL=$(url_of_instance)
    case $URL in
    postgresql+asyncpg://main:pw-*@127.0.0.1:*/main) ;;
    *) fail "its URL is '$URL'" ;;
    esac
    PASSWORD=${URL#*://main:}
    PASSWORD=${PASSWORD%%@*}
    expect_has "status" "$(reeve status prod)" 'database/main'
}

its_password_is_nowhere_else()
{
    local spelling

    everything_told >"$WORLD/shown.txt" 2>&1
    expect_has "what is told" "$(cat "$WORLD/shown.txt")" 'database/main'
    for spelling in $(spellings "$PASSWORD"); do
        expect_equal "files that hold it" \
            "$(grep -rlaF "$spelling" "$WORLD/var" "$WORLD/stores" "$WORLD/repo" "$WORLD/daemon.log" "$WORLD/shown.txt")" ""
    done
    no_process_shows "$PASSWORD"
}

is_10G()
{
    ! ls "$WORLD"/stores/*.drift 2>/dev/null
}

what_drifts_is_made_as_it_was()
{
    local file

    file=$(file_of_database)
    printf '{"observed": {"storage": 1}}' >"${file%.json}.drift"
    reeve apply prod --timeout 60 >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
    await 30 "it is made as it was" is_10G
    await_converged
    expect_has "history" "$(reeve history prod -n 100)" 'resource.drift'
}

is_unstable()
{
    explained | grep -qF 'database/main: storage differs again right after it was made as asked for, and is not fought'
}

what_drifts_again_is_told()
{
    local file

    file=$(file_of_database)
    printf '{"observed": {"storage": 1}, "stays": true}' >"${file%.json}.drift"
    reeve apply prod --timeout 60 >/dev/null 2>&1
    await 60 "it is told" is_unstable
    rm "${file%.json}.drift"
}

is_kept()
{
    reeve status prod | grep -q 'database/main  *kept'
}

without_its_block_the_data_stays()
{
    spec version=v2
    deploy 'no database any more'
    await_converged
    expect_serves v2
    await 20 "it is kept" is_kept
    expect_has "status" "$(reeve status prod)" 'its data is retained'
    file_of_database >/dev/null || fail "the data is gone"
}

is_loose()
{
    [ -n "$(ls "$WORLD"/stores/loose*.json 2>/dev/null)" ]
}

# refuses STATUS TEXT WORDS..
refuses()
{
    local status=$1 text=$2 said rc

    shift 2
    said=$(reeve "$@" 2>&1)
    rc=$?
    expect_equal "exit status of $*" "$rc" "$status"
    expect_has "$*" "$said" "$text"
}

a_person_lets_it_go_and_takes_it_back()
{
    local id

    refuses 3 'reason' forget prod database/main
    refuses 6 "has no 'database/other'" forget prod database/other --reason 'a try'
    refuses 4 "a 'service' is not adopted" adopt prod service/web x --reason 'a try'
    reeve forget prod database/main --reason 'it moves out' >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
    await 30 "it is nobody's" is_loose
    id=$(basename "$WORLD"/stores/loose*.json .json)
    reeve adopt prod database/main "$id" --reason 'and back in' >"$WORLD/said" 2>&1 || fail "$(cat "$WORLD/said")"
    spec version=v3 env='DATABASE_URL: {database: main, key: url}' more="$DATABASE"
    deploy 'with the database again'
    await_converged
    expect_serves v3
    is_loose && fail "another one was made"
    case $(url_of_instance) in
    postgresql://*) ;;
    *) fail "the URL is '$(url_of_instance)'" ;;
    esac
    refuses 7 'is there' adopt prod database/main "$id" --reason 'twice'
}

run_cases the_url_reaches_the_service its_password_is_nowhere_else what_drifts_is_made_as_it_was \
    what_drifts_again_is_told without_its_block_the_data_stays a_person_lets_it_go_and_takes_it_back
