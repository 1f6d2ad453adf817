#!/bin/bash
# remote: the command line asks a daemon by a URL, as it would on the socket. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# The API's door is at the end of the block of ports that services do not get.
given_remote()
{
    given_world
    API=$((FIRST + 35))
    write_daemon extra="listen: 127.0.0.1:$API"
    spec version=v1
    commit 'version 1'
    start_daemon
    await_converged
}

# What a person gets who asks wrongly.
what_goes_wrong_is_said()
{
    given_remote
    cd "$WORLD"
    unset REEVE_CONFIG
    run 5 "no credential says who asks: --token @FILE or \$REEVE_TOKEN_FILE names a token" --server "http://127.0.0.1:$API" status
    printf 'reeve_nobody\n' >"$WORLD/token"
    : >"$WORLD/empty"
    run 5 'the token is not one that it knows, or not any more' --server "http://127.0.0.1:$API" --token "@$WORLD/token" status
    run 5 'the token is not one that it knows' --server "http://127.0.0.1:$API" --token - status <"$WORLD/token"
    REEVE_SERVER=http://127.0.0.1:$API REEVE_TOKEN_FILE=$WORLD/token run 5 'the token is not one that it knows' status
    run 8 "cannot reach 'http://127.0.0.1:$((API + 1))'" --server "http://127.0.0.1:$((API + 1))" status
    run 8 "what answers at 'http://127.0.0.1:$HTTP' is no daemon of ours" --server "http://127.0.0.1:$HTTP" status
    run 8 "'https://127.0.0.1:$API' does not speak TLS as it should" --server "https://127.0.0.1:$API" status
    run 3 "is not http://HOST:PORT or https://HOST:PORT" --server 'https://ann:word@127.0.0.1' status
    run 3 "a token is not sent in the clear to 'http://10.0.0.7'" --server http://10.0.0.7 --token "@$WORLD/token" status
    run 3 '--token is @FILE or -, not the token itself' --server "http://127.0.0.1:$API" --token reeve_nobody status
    run 3 "what '$WORLD/empty' holds is no token" --server "http://127.0.0.1:$API" --token "@$WORLD/empty" status
    run 3 '--token is for a URL' --server "$WORLD/var/reeve.sock" --token "@$WORLD/token" status
    run 1 'no credential says who asks' --server "http://127.0.0.1:$API" doctor
    run 3 'say why: --reason' --server "http://127.0.0.1:$API" undo prod
}

# --- as on the socket ---------------------------------------------------------------------------------

given_certificate()
{
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=reeve' -addext subjectAltName=DNS:localhost \
        -keyout "$WORLD/$1.key" -out "$WORLD/$1.pem" 2>/dev/null || fail "no certificate"
}

write_shop_of()
{
    spec version="$1" keep=60s
    sed -i "s|^domains:|jobs:\n  tidy: {command: [echo, tidied]}\ndomains:|" "$WORLD/repo/.reeve/app.yaml"
}

# There an admin's token asks at https://localhost.
given_sealed()
{
    given_world
    API=$((FIRST + 35))
    given_certificate ours
    given_certificate other
    write_daemon extra="listen: localhost:$API
tls: {certificate: ours.pem, key: ours.key}
http: {hosts: [localhost]}"
    write_shop_of v1
    commit 'version 1'
    start_daemon
    await_converged
    reeve token create --admin >"$WORLD/admin" 2>/dev/null || fail "no token"
}

# ask_far WORDS..: with nothing of the daemon's machine but its name, a token and a certificate; into $SAID and $FAR.
ask_far()
{
    SAID=$(cd / && env -u REEVE_CONFIG REEVE_SERVER="https://localhost:$API" REEVE_TOKEN_FILE="$WORLD/admin" \
        "$REEVE" --ca "$WORLD/ours.pem" "$@" 2>&1 9>&-)
    FAR=$?
}

# far STATUS PART WORDS..
far()
{
    local wanted=$1 part=$2

    shift 2
    ask_far "$@"
    [ $FAR -eq "$wanted" ] || fail "far away, reeve $*: exit status $FAR instead of $wanted: $SAID"
    expect_has "far away, reeve $*" "$SAID" "$part"
}

# expect_alike WORDS: what the command line says here and there, word for word; asked once more where an event came in between.
expect_alike()
{
    local near status i

    for i in {1..20}; do
        near=$(reeve $1 2>&1)
        status=$?
        ask_far $1
        [ "$SAID" != "$near" ] || break
        [ "$(reeve $1 2>&1)" != "$near" ] || break # it is the answer from there that is another one
    done
    expect_equal "far away, exit status of reeve $1" "$FAR" "$status"
    expect_equal "reeve $1" "$SAID" "$near"
}

# What does not say how long ago.
questions_are_answered_alike()
{
    local words

    given_sealed
    for words in 'plan prod -o json' 'history prod' 'history prod -o json' 'explain prod' 'explain prod/service/web' \
        'audit verify --replay' 'plan prod --diff 1 1' 'status nobody' 'plan nobody' 'plan 000000' 'explain prod/service/nobody' \
        'logs prod nobody' 'history --limit 3'; do
        expect_alike "$words"
    done
    far 0 'prod' status
    far 0 'web' logs prod
    far 0 'no environment needs a person' doctor
}

commands_are_done_alike()
{
    local words near

    far 0 'tidy is done' run prod tidy --reason 'by hand'
    far 0 'held' hold prod --reason 'launch day'
    far 5 'held' undo prod --reason 'slow'
    far 0 'prod' resume prod
    write_shop_of v2
    commit 'version 2'
    far 0 'in sync' apply prod
    expect_serves v2
    far 0 'prod' undo prod --reason 'slow'
    expect_serves v1
    far 0 'revision 2' rollback prod 2 --reason 'not so slow'
    expect_serves v2
    far 0 'v1 -> v2' plan prod --diff 1 2
    far 5 'only a person approves' approve "$(plan_id)" --reason x
    for words in 'cancel prod --reason x' 'advance prod' 'retry nobody' \
        'rebind prod shop main --reason x' 'forget prod redis/none --reason x' \
        'settle nobody --as done --reason x' 'run prod nobody' 'plan prod --ref nothing' 'token revoke 0000000000000000'; do
        near=$(reeve $words 2>&1)
        far $? "$near" $words
        expect_equal "reeve $words" "$SAID" "$near"
    done
    far 0 'prod' adopt prod database/main x --reason 'a provider that is not there can say nothing of it'
    far 0 'prod' apply prod
}

whom_it_trusts_is_checked()
{
    cd "$WORLD"
    unset REEVE_CONFIG
    run 8 'is not trusted' --server "https://localhost:$API" --token "@$WORLD/admin" status
    run 8 'is not trusted' --server "https://localhost:$API" --token "@$WORLD/admin" --ca "$WORLD/other.pem" status
    run 8 'is not trusted' --server "https://127.0.0.1:$API" --token "@$WORLD/admin" --ca "$WORLD/ours.pem" status
    run 3 "--ca '$WORLD/nothing.pem'" --server "https://localhost:$API" --ca "$WORLD/nothing.pem" status
    run 8 "'http://localhost:$API' does not answer plain HTTP: is it https?" --server "http://localhost:$API" status
}

run_cases questions_are_answered_alike commands_are_done_alike whom_it_trusts_is_checked what_goes_wrong_is_said
