# pair: two daemons, one of which follows the other. SPDX-License-Identifier: Apache-2.0
#
# Sourced behind lib.sh. The first one is the world's own; `second` asks the other one.

STANDBY=

second()
{
    "$REEVE" "$@" --config "$WORLD/second/reeve.yaml"
}

# On one machine: the directories of the providers are both's. Words of write_daemon, for the first one.
given_pair()
{
    end_standby
    given_world
    mkdir -p "$WORLD/second"
    write_daemon "$@"
    sed "s|file: var/reeve.db|file: $WORLD/second/var/reeve.db|; s|^socket: .*|socket: $WORLD/second/reeve.sock|
        s|directory: var/|directory: $WORLD/var/|; /^peer:/d; /^listen:/d" "$WORLD/reeve.yaml" >"$WORLD/second/reeve.yaml"
}

# What is started and released says so, once each time.
given_witnesses()
{
    printf '#!/bin/sh\necho "$VERSION" >>"%s"\nexec "%s"\n' "$WORLD/started" "$APP" >"$WORLD/web"
    chmod +x "$WORLD/web"
    : >"$WORLD/started"
    : >"$WORLD/released"
}

# Words of spec, with version= first.
witnessed()
{
    spec "$@" command="$WORLD/web" service="    release: {command: [/bin/sh, -c, \"echo ${1#version=} >>$WORLD/released\"]}"
}

# start_standby [URL]
start_standby()
{
    "$REEVE" serve --follow "${1:-unix:$WORLD/var/reeve.sock}" --config "$WORLD/second/reeve.yaml" \
        >>"$WORLD/second/daemon.log" 2>&1 9>&- &
    STANDBY=$!
}

end_standby()
{
    [ -z "$STANDBY" ] || kill_child "$STANDBY"
    STANDBY=
}

# The last event of the daemon, or standby, that the command asks.
seq_of()
{
    "$@" status -o json 2>/dev/null | grep -o '"seq":[0-9]*' | tail -n 1 | cut -d : -f 2
}

is_ahead()
{
    [ "$(seq_of second)" -gt "$1" ]
}

# It has every event of the first one.
is_level()
{
    local first copy

    first=$(reeve status -o json 2>/dev/null) copy=$(second status -o json 2>/dev/null)
    [[ $copy == *'"copy":'* ]] && [ "$(grep -o '"hash":"[^"]*"' <<<"$first")" = "$(grep -o '"hash":"[^"]*"' <<<"$copy")" ]
}

await_level()
{
    await 30 "the standby has everything" is_level
}

second_answers()
{
    kill -0 "$STANDBY" 2>/dev/null || fail "the standby ended: $(tail -n 3 "$WORLD/second/daemon.log")"
    second status -o json 2>/dev/null | grep -q '"live"\|"copy"'
}

second_converged()
{
    local healthy="\"commit\":\"$(head_commit)\"(,\"event_ms\":[0-9]+)?,\"health\":\"healthy\".*\"sync\":\"in_sync\""

    [[ $(second status prod -o json 2>/dev/null) =~ $healthy ]]
}

take_over()
{
    TAKEN=$(second takeover --primary-is-fenced 'killed by the test' 2>&1) || fail "no takeover: $TAKEN"
}

# It answers, says why, and does nothing.
expect_old_one_refuses()
{
    local said

    start_daemon
    said=$(reeve status prod 2>&1; reeve hold prod --reason 'too late' 2>&1)
    stop_daemon
    expect_has "the old one" "$said" "${1:-took over}"
    expect_has_not "the old one" "$said" "is held"
}

expect_verified()
{
    "$@" audit verify --replay >/dev/null || fail "the chain does not verify: $*"
}

# Nothing was started, released or carried out twice.
expect_nothing_twice()
{
    local list

    for list in started released; do
        expect_equal "$list twice" "$(sort "$WORLD/$list" | uniq -d)" ""
    done
    list=$(second history prod -n 1000 -o json | grep -o '"kind":"operation.verified"[^\n]*' | grep -o '"key":"[a-z2-7]\{26\}"')
    expect_equal "carried out twice" "$(sort <<<"$list" | uniq -d)" ""
}

given_certificate()
{
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=reeve' -addext subjectAltName=DNS:localhost \
        -keyout "$WORLD/tls.key" -out "$WORLD/tls.pem" 2>/dev/null || fail "no certificate"
}

# On two machines: nothing is shared but a certificate, and a token of a viewer, which the first one made.
given_far_pair()
{
    end_standby
    given_world
    given_certificate
    mkdir -p "$WORLD/second/var"
    FIRST_URL=https://localhost:$((FIRST + 35)) SECOND_URL=https://localhost:$((FIRST + 36)) SECOND_HTTP=$((FIRST + 32))
    write_daemon ports=$((FIRST + 40))-$((FIRST + 79)) extra="tls: {certificate: $WORLD/tls.pem, key: $WORLD/tls.key}
http: {hosts: [localhost]}
listen: ${FIRST_URL#https://}"
    sed "s|^socket: .*|socket: $WORLD/second/reeve.sock|; s|^listen: .*|listen: ${SECOND_URL#https://}|
        s|127.0.0.1:$HTTP|127.0.0.1:$SECOND_HTTP|; s|$((FIRST + 40))-$((FIRST + 79))|$((FIRST + 120))-$((FIRST + 159))|
        s|$((FIRST + 1))-$((FIRST + 30))|$((FIRST + 80))-$((FIRST + 109))|" "$WORLD/reeve.yaml" >"$WORLD/second/reeve.yaml"
    echo "peer: {url: \"$FIRST_URL\", token_file: $WORLD/second/token, ca_file: $WORLD/tls.pem}" >>"$WORLD/second/reeve.yaml"
}

# Of the first one; TOKEN, for the second one's file.
make_token()
{
    TOKEN=$(reeve token create standby --role viewer 2>/dev/null) || fail "no token"
    (umask 077 && echo "$TOKEN" >"$WORLD/second/token")
}

# says STATUS TEXT COMMAND..
says()
{
    local status=$1 text=$2 said

    shift 2
    said=$("$@" 2>&1)
    expect_equal "exit status of $*: $said" "$?" "$status"
    expect_has "$*" "$said" "$text"
}
