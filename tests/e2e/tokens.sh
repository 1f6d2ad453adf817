#!/bin/bash
# tokens: what a program may, by what it shows; what it may not is said, and written. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# A daemon over TCP whose first plan waits for a person, and the token of an admin.
given_door()
{
    given_world
    API=$((FIRST + 35))
    write_daemon extra="listen: 127.0.0.1:$API" state="${1:-}"
    spec version=v1 approval=manual
    commit 'version 1'
    start_daemon
    await 30 "the plan waits" sync_is waiting
    reeve token create --admin >"$WORLD/admin" 2>"$WORLD/note" || fail "no token: $(cat "$WORLD/note")"
}

# NAME ARGUMENT..: by the token in that file, from another machine.
as()
{
    local name=$1

    shift
    reeve --quiet --server "http://127.0.0.1:$API" --token "@$WORLD/$name" "$@"
}

# NAME STATUS PART ARGUMENT..
expect_as()
{
    local name=$1 status=$2 part=$3

    shift 3
    SAID=$(as "$name" "$@" 2>&1)
    expect_equal "exit status of $* as $name: $SAID" "$?" "$status"
    expect_has "$* as $name" "$SAID" "$part"
}

a_token_is_good_for_what_it_says()
{
    local plan absent

    given_door
    expect_has "said beside it" "$(cat "$WORLD/note")" "admin in every environment; it is not shown again"
    expect_equal "the token alone" "$(grep -c '^rvt_[0-9a-f]\{16\}_[0-9a-f]\{64\}$' "$WORLD/admin")" 1
    as admin token create ops --role operator --env prod >"$WORLD/ops" 2>/dev/null || fail "an admin's token makes others"
    as admin token create ci --role operator --env 'pr-*' --expires 90d >"$WORLD/ci" 2>/dev/null || fail "a token with a pattern"
    plan=$(plan_id)

    expect_as admin 0 prod status
    expect_as admin 5 "may not give the role override without having it" token create x --role override
    expect_as admin 7 "there is a token 'ci'" token create ci
    expect_as admin 5 "only a person approves, and token:admin(" approve "$plan" --reason 'I am a program'
    expect_as ops 5 "only a person approves, and token:ops(" approve "$plan" --reason 'I am a program'
    expect_as ops 0 "prod" hold prod --reason 'by a program'
    expect_as ops 0 "prod" resume prod
    expect_as ops 5 "it needs admin" forget prod service/web --reason 'who knows'
    expect_as ops 5 "token:ops" token list

    expect_as ci 6 "no environment 'prod'" status prod
    absent=${SAID//prod/NAME}
    expect_as ci 6 "no environment 'nothing'" status nothing
    expect_equal "out of scope is as if it were not there" "${SAID//nothing/NAME}" "$absent"
    expect_as ci 6 "no environment 'prod'" hold prod --reason 'by a program'
    expect_as ci 6 "no plan '$plan'" plan "$plan"
    [[ $(as ci status -o json) != *prod* ]] || fail "ci sees prod in the list: $(as ci status -o json)"
    [[ $(as ci history -o json) != *prod* ]] || fail "ci sees prod in the history"
    stop_daemon
}

# listens NAME: to the events of its environments, by the token in that file.
listens()
{
    exec curl -sSN --noproxy '*' -H "Authorization: Bearer $(cat "$WORLD/$1")" "http://127.0.0.1:$API/api/v1/events" >"$WORLD/heard.$1" 2>&1 9>&-
}

both_listen()
{
    grep -qs '^retry:' "$WORLD/heard.ci" && grep -qs '^retry:' "$WORLD/heard.admin"
}

is_gone()
{
    ! kill -0 "$1" 2>/dev/null
}

it_is_revoked_and_every_word_is_written()
{
    local id i first second

    given_door
    reeve token create ci --env prod >"$WORLD/ci" 2>/dev/null
    expect_as ci 0 prod status prod
    id=$(reeve token list -o json | grep -o '"id":"[^"]*","name":"ci"' | cut -d '"' -f 4)
    await 20 "its last use is known" is_used "$id"
    listens ci &
    first=$!
    listens admin &
    second=$!
    await 20 "both listen" both_listen
    run 0 "is revoked" token revoke "$id" --reason 'it was seen in a log'
    await 20 "it hears no more" is_gone $first
    expect "others do" kill -0 $second
    await 20 "and hear of that" grep -q '^event: token.revoked' "$WORLD/heard.admin"
    expect_has_not "which it did not" "$(cat "$WORLD/heard.ci")" 'token.revoked'
    run 7 "was revoked before" token revoke "$id"
    run 6 "there is no token" token revoke 0000000000000000
    expect_as ci 5 "not any more" status prod
    expect_as admin 5 "only a person approves" approve "$(plan_id)" --reason 'again'
    for i in {1..20}; do
        curl -sS --noproxy '*' -o /dev/null -H 'Authorization: Bearer guess' "http://127.0.0.1:$API/api/v1/status"
    done
    stop_daemon
    wait $first $second

    reeve history -n 100 -o json >"$WORLD/history" 2>/dev/null
    for i in '"kind":"token.created"' '"kind":"token.revoked"' '"it was seen in a log"' '"subject":"POST /api/v1/plans/ID/approve"' \
        '"actor":"nobody"' '"address":"127.0.0.0/24","calls":20' '"subject":"no such token"'; do
        grep -qF "$i" "$WORLD/history" || fail "the history has no $i: $(grep -o '"kind":"[at][uo][^}]*' "$WORLD/history")"
    done
    expect_equal "guesses are folded" "$(grep -o '"subject":"no such token"' "$WORLD/history" | wc -l)" 1
    for i in admin ci; do
        grep -raqF "$(cut -d _ -f 3 "$WORLD/$i")" "$WORLD/var" "$WORLD/daemon.log" && fail "the secret of '$i' lies somewhere"
    done
    run 0 "rows are what the events say" audit verify --replay
}

is_used()
{
    reeve token list -o json | grep -o "\"id\":\"$1\".*" | grep -q '"used_ms":'
}

# Over the socket, where nobody is told to ask less.
a_flood_is_counted()
{
    local before after told calls

    given_door
    reeve token create ci >"$WORLD/ci" 2>/dev/null || fail "no token"
    before=$(cat "$WORLD"/var/reeve.db* | wc -c)
    printf 'header = "Authorization: Bearer %s"\n' "$(cat "$WORLD/ci")" >"$WORLD/ci.curl"
    curl -sS --unix-socket "$WORLD/var/reeve.sock" -K "$WORLD/ci.curl" -w '%{http_code}\n' -o /dev/null --data-binary '{}' \
        'http://localhost/api/v1/environments/e[1-10000]/forget' >"$WORLD/statuses"
    expect_equal "denied" "$(grep -c '^403$' "$WORLD/statuses")" 10000
    stop_daemon
    after=$(cat "$WORLD"/var/reeve.db* | wc -c)
    reeve history -n 1000 -o json 2>/dev/null | grep -o '"actor":"token:ci([^)]*)","body":{"notes":{"denied":{[^}]*}' >"$WORLD/denied"
    told=$(grep -cv '"calls"' "$WORLD/denied")
    calls=$(grep -o '"calls":[0-9]*' "$WORLD/denied" | awk -F : '{ n += $2 } END { print n + 0 }')
    say "   10000 denied calls: $told events of their own, $(grep -c '"calls"' "$WORLD/denied") of the others; the database had $before bytes and has $after"
    expect_equal "each was told or counted" $((told + calls)) 10000
    [ "$(wc -l <"$WORLD/denied")" -le 200 ] || fail "they fill the history"
    run 0 "rows are what the events say" audit verify --replay
}

who_may_what_is_in_the_history()
{
    given_door
    stop_daemon
    [[ $(reeve history -n 100 -o json 2>/dev/null) != *auth.changed* ]] || fail "nothing has changed"
    sed -i 's/^auth: .*/auth: {same_user: allow, local: {operator: ["user:root@prod"], admin: ["user:nobody"]}}/' "$WORLD/reeve.yaml"
    start_daemon
    stop_daemon
    start_daemon
    stop_daemon
    reeve history -n 100 -o json >"$WORLD/history" 2>/dev/null
    expect_equal "a change is one event" "$(grep -o '"kind":"auth.changed"' "$WORLD/history" | wc -l)" 1
    expect_has "which" "$(cat "$WORLD/history")" '"local":{"admin":["user:nobody"],"operator":["user:root@prod"]}'
    run 0 "rows are what the events say" audit verify --replay
}

with_its_database_it_is_lost()
{
    given_door 'backup: {directory: copies, every: 1s}'
    expect_as admin 0 prod status
    await 30 "a copy was made" copy_is_there
    stop_daemon
    rm -f "$WORLD"/var/reeve.db*
    run 0 "" recover
    start_daemon
    expect_as admin 5 "not any more" status
    run 0 lost token list
    reeve token create admin --role admin >"$WORLD/admin" 2>/dev/null || fail "the name is free"
    expect_as admin 0 prod status
    stop_daemon
    run 0 "rows are what the events say" audit verify --replay
}

copy_is_there()
{
    [ -n "$(find "$WORLD/copies" -type f -newer "$WORLD/admin")" ]
}

run_cases a_token_is_good_for_what_it_says it_is_revoked_and_every_word_is_written a_flood_is_counted who_may_what_is_in_the_history with_its_database_it_is_lost
