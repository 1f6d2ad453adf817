#!/bin/bash
# doors: what a daemon says over TCP, by which names, sealed with which certificate. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# A certificate NAME for localhost, signed by itself; what is there is exchanged at once.
given_certificate()
{
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -addext subjectAltName=DNS:localhost \
        -keyout "$WORLD/new.key" -out "$WORLD/new.pem" 2>/dev/null || fail "no certificate"
    mv "$WORLD/new.key" "$WORLD/tls.key"
    mv "$WORLD/new.pem" "$WORLD/tls.pem"
}

# More rows of the Daemon document may follow.
given_doors()
{
    given_world
    API=localhost:$((FIRST + 35)) HOOKS=localhost:$((FIRST + 36))
    printf '%s\n' "listen: $API" "listen_hooks: $HOOKS" "$@" >>"$WORLD/reeve.yaml"
    commit "nothing yet"
}

# Status and body of a URL, on one line.
ask()
{
    curl -sS --noproxy '*' --cacert "$WORLD/seen.pem" --max-time 20 -w '\n%{http_code}' "$@" 2>&1 | tr '\n' ' '
}

is_ready()
{
    [ "$(ask "http://$HOOKS/readyz")" = "ready  200" ]
}

in_clear_on_this_machine()
{
    given_doors
    : >"$WORLD/seen.pem"
    start_daemon
    expect_equal "it lives" "$(ask "http://$API/healthz")" "ok  200"
    await 20 "it is ready" is_ready
    expect_has "nobody" "$(ask "http://$API/api/v1/status")" "UNKNOWN_ACTOR"
    expect_has "nobody" "$(ask "http://$API/api/v1/status")" "401"
    expect_has "the API is not at the hooks" "$(ask "http://$HOOKS/api/v1/status")" "404"
    expect_has "another name" "$(ask -H 'Host: evil.example' "http://$API/healthz")" "403"
    stop_daemon
    expect_has "nobody is there any more" "$(ask "http://$API/healthz")" "onnect"
}

nothing_in_clear_for_others()
{
    local said status

    given_world
    echo "listen: 0.0.0.0:$((FIRST + 35))" >>"$WORLD/reeve.yaml"
    said=$(reeve serve 2>&1 9>&-)
    status=$?
    expect_equal "exit status" "$status" 4
    expect_has "what it says" "$said" "is not of this machine, and there is no tls"
    say "   $said" | grep 'listen:'
}

shown_name()
{
    openssl s_client -connect "$API" -servername localhost </dev/null 2>/dev/null | openssl x509 -noout -subject 2>/dev/null
}

# What it answers to these bytes, until it closes.
sealed_says()
{
    printf "$1" | timeout 20 openssl s_client -quiet -connect "$API" -servername localhost 2>/dev/null
}

is_shown()
{
    [[ $(shown_name) == *"$1"* ]]
}

log_has()
{
    grep -q "$1" "$WORLD/daemon.log"
}

# Asks again and again until the file `enough` is there; writes how often, and how often in vain.
keep_asking()
{
    local n=0 n_lost=0

    until [ -e "$WORLD/enough" ]; do
        n=$((n + 1))
        [[ $(ask -k "https://$API/healthz") == "ok  200" ]] || n_lost=$((n_lost + 1))
    done
    echo "$n asked, $n_lost lost" >"$WORLD/asked"
}

sealed_is_ready()
{
    [ "$(ask "https://$API/readyz")" = "ready  200" ]
}

sealed()
{
    local asker i said

    given_doors "tls: {certificate: tls.pem, key: tls.key}" "http: {hosts: [localhost]}"
    given_certificate first
    cp "$WORLD/tls.pem" "$WORLD/seen.pem"
    start_daemon
    expect_equal "sealed" "$(ask "https://$API/healthz")" "ok  200"
    expect_equal "the hooks too" "$(ask "https://$HOOKS/healthz")" "ok  200"
    expect_has "it stays so" "$(ask -i "https://$API/healthz")" "Strict-Transport-Security"
    expect_has_not "nothing in clear" "$(ask "http://$API/healthz")" "200"
    expect_has "what is inside is as strict" "$(sealed_says 'GET /healthz HTTP/1.1\nHost: localhost\n\n')" 'a line does not end with CR LF'
    await 20 "it is ready" sealed_is_ready
    said=$(sealed_says 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n')
    expect_has "one after the other" "$(tr -d '\r\n' <<<"$said")" 'okHTTP/1.1 200 OK'
    expect_has "the second too" "$said" 'ready'
    expect_has "and the third" "$said" 'there must be one Host header'
    expect_has_not "TLS 1.1" "$(ask --tls-max 1.1 "https://$API/healthz")" "200"

    keep_asking &
    asker=$!
    for i in second third fourth; do
        given_certificate $i
        fetch_now
        await 20 "the $i is shown" is_shown $i
    done
    : >"$WORLD/enough"
    wait $asker
    say "   while it was exchanged: $(cat "$WORLD/asked")"
    expect_has "whoever asks" "$(cat "$WORLD/asked")" ", 0 lost"

    openssl genrsa -out "$WORLD/tls.key" 2048 2>/dev/null
    fetch_now
    await 20 "the log says it" log_has "the certificate of before is shown on.*tls.key' is not the key of"
    expect "the fourth is shown on" is_shown fourth
    stop_daemon
    expect_has "with that it does not start" "$(reeve serve 2>&1 9>&-)" "is not the key of"
}

# The log, the certificate (above), and every source.
a_hangup_reads_again()
{
    given_doors
    start_daemon
    expect_has_not "little is said" "$(<"$WORLD/daemon.log")" ' debug '
    sed -i 's/level: info/level: debug/' "$WORLD/reeve.yaml"
    fetch_now
    await 20 "more is said" log_has ' debug '
    expect_has_not "nothing else is another" "$(<"$WORLD/daemon.log")" 'counts from the next start'
    spec
    deploy "a service"
    await_converged
    sed -i 's/level: debug/level: info/' "$WORLD/reeve.yaml"
    echo 'http: {hosts: [localhost, reeve.test]}' >>"$WORLD/reeve.yaml"
    fetch_now
    await 20 "the rest waits" log_has 'but for `log` it counts from the next start on'
    echo 'nonsense: 1' >>"$WORLD/reeve.yaml"
    fetch_now
    await 20 "what cannot be read is said" log_has 'the log goes on as it was.*reeve.yaml:[0-9]*:[0-9]*: .*; 1 error'
    expect_equal "it lives" "$(ask "http://$API/healthz")" "ok  200"
    stop_daemon
}

# The ids of events that came into a file, in their order.
ids()
{
    sed -n 's/^id: //p' "$1"
}

file_has()
{
    grep -q "$1" "$2"
}

listens()
{
    curl -sSN --unix-socket "$WORLD/var/reeve.sock" "${@:2}" "http://localhost/api/v1/events" >"$1" 2>&1 9>&-
}

events_as_they_come()
{
    local first second last n

    given_doors
    start_daemon
    listens "$WORLD/live" &
    first=$!
    listens "$WORLD/past" -H 'Last-Event-ID: 0' &
    second=$!
    await 20 "one listens" file_has '^retry:' "$WORLD/live"
    await 20 "one hears what was" file_has '^id: 1$' "$WORLD/past"
    spec
    deploy "a service"
    await_converged
    last=$(history | grep -o '"seq":[0-9]*' | cut -d : -f 2 | sort -n | tail -n 1)
    await 20 "what comes is told" file_has "^id: $last\$" "$WORLD/live"
    await 20 "to both" file_has "^id: $last\$" "$WORLD/past"
    expect_has "a plan among it" "$(cat "$WORLD/live")" "event: rollout.applied"
    cp "$WORLD/past" "$WORLD/heard" # more may come
    n=$(ids "$WORLD/heard" | wc -l)
    expect_equal "each once, from the first on" "$(ids "$WORLD/heard")" "$(seq 1 "$n")"
    expect_has "what is to come cannot be gone on from" \
        "$(ask --unix-socket "$WORLD/var/reeve.sock" http://localhost/api/v1/events?after=99999)" "no event 99999 yet"
    stop_daemon
    wait $first $second
    expect_equal "both ended in order" "$?" 0
    say "   $n events"
}

# A POST with a key and a body; status behind the answer.
once()
{
    ask --unix-socket "$WORLD/var/reeve.sock" -H "Idempotency-Key: $1" -d "$2" http://localhost/api/v1/environments/prod/hold
}

what_comes_twice_is_done_once()
{
    local answer='{"reason":"a look"}' said

    given_served
    said=$(once first "$answer")
    expect_has "the first time" "$said" '"state":"held"'
    expect_equal "again" "$(once first "$answer")" "$said"
    expect_has "another body" "$(once first '{"reason":"another"}')" "422"
    kill_daemon
    start_daemon
    expect_equal "in another life" "$(once first "$answer")" "$said"
    expect_equal "it was done once" "$(count_events command.hold)" 1
    expect_has "another key" "$(once second "$answer")" '"state":"held"'
    expect_equal "that is another time" "$(count_events command.hold)" 2
    expect_has "what is no key" "$(once '' "$answer")" "200"
    expect_has "what is no key" "$(once "$(printf 'x%.0s' {1..129})" "$answer")" "400"
}

run_cases in_clear_on_this_machine nothing_in_clear_for_others sealed a_hangup_reads_again events_as_they_come what_comes_twice_is_done_once
