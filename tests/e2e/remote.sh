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

run_cases what_goes_wrong_is_said
