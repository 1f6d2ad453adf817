#!/bin/bash
# notify: who asked for it is told once, whoever is down meanwhile. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

SUPPORT=$(dirname "$0")/../support
MAIL= CERT=
NAMES='hook_url hook_key slack_url'
KEY=key-0123456789abcdef0123456789abcdef

# --- the sink ----------------------------------------------------------------------------------------

start_sink()
{
    rm -f "$WORLD/sink/ready"
    beside sink /usr/bin/python3 "$SUPPORT/notify_sink.py" "$WORLD/sink" $((FIRST + 35)) "${MAIL:--}" ${CERT:+"$CERT" "$CERT_KEY"} \
        >>"$WORLD/sink/log" 2>&1
    await 20 "the sink listens" [ -e "$WORLD/sink/ready" ]
}

taken()
{
    cat "$WORLD/sink/taken" 2>/dev/null
}

# How many were taken that have all these words.
n_taken()
{
    local lines word

    lines=$(taken)
    for word; do
        lines=$(grep -F -- "$word" <<<"$lines")
    done
    [ -z "$lines" ] && echo 0 || wc -l <<<"$lines"
}

are_taken()
{
    [ "$(n_taken "${@:2}")" -ge "$1" ]
}

# expect_taken N WORD..: so many, and no more.
expect_taken()
{
    await 30 "$1 of ${*:2}" are_taken "$@"
    expect_equal "messages with ${*:2}" "$(n_taken "${@:2}")" "$1"
}

is_refused()
{
    grep -qF -- "$1" "$WORLD/sink/refused" 2>/dev/null
}

# --- the world ---------------------------------------------------------------------------------------

# Rows of notifications of the Daemon document and of the environment.
given_told()
{
    [ -n "$MAIL" ] || given_world
    mkdir "$WORLD/sink" "$WORLD/secrets"
    printf %s "$KEY" >"$WORLD/sink/key"
    printf %s "$KEY" >"$WORLD/secrets/hook_key"
    printf %s mail-password >"$WORLD/secrets/mail_password"
    printf %s "http://127.0.0.1:$((FIRST + 35))/hook" >"$WORLD/secrets/hook_url"
    printf %s "http://127.0.0.1:$((FIRST + 35))/services/T0/B0/slack-$KEY" >"$WORLD/secrets/slack_url"
    chmod 600 "$WORLD"/secrets/*
    write_daemon rule="    secrets: [$(printf '{path: "files:%s", for: notify}, ' $NAMES)]" \
        extra="secrets: {default: files, stores: {files: {type: file, directory: $WORLD/secrets}}}
egress: {allow: [127.0.0.0/8]}
notifications:
$1"
    TELL=$2
    start_sink
}

# Words of spec.
told_spec()
{
    spec "$@"
    sed -i "s|^services:|secrets: {$(printf '%s: {}, ' $NAMES)}\n&|" "$WORLD/repo/.reeve/app.yaml"
    [ -z "$TELL" ] || printf 'notifications:\n%s\n' "$TELL" >>"$WORLD/repo/.reeve/app.yaml"
}

HOOK='  - {type: webhook, url: {secret: hook_url}, key: {secret: hook_key}, on: [applied, apply_failed, reverted, plan_ready, degraded, unhealthy, recovered]}'
SLACK='  - {type: slack, url: {secret: slack_url}, on: [applied, apply_failed, reverted]}'

# --- stories -----------------------------------------------------------------------------------------

what_is_applied_is_told_once()
{
    given_told "$HOOK" "$SLACK"
    told_spec version=v1
    commit 'version 1'
    start_daemon
    await_converged
    expect_taken 1 '"path": "/hook"' reeve.applied
    expect_taken 1 '/services/' 'prod: applied'
    expect_equal "signed" "$(n_taken '"signed": true' /hook)" 1
}

# A sink of each kind is down, a restart and two deaths in between: one message of each plan to each of them.
who_is_down_is_told_when_they_are_back()
{
    command -v openssl >/dev/null || skip "openssl is not there"
    /usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null || skip "python3-aiosmtpd is not there"
    given_mail
    given_told "$HOOK
$(mail)" "$SLACK"
    told_spec version=v1
    commit 'version 1'
    start_daemon
    await_converged
    expect_taken 4 applied
    echo 503 >"$WORLD/sink/refuse"
    told_spec version=v2
    deploy 'version 2'
    await_converged
    await 20 "the channel refused it" is_refused /services/
    await 20 "the program refused it" is_refused /hook
    kill_daemon
    start_daemon
    end_beside sink # nobody is there at all
    stop_daemon
    start_daemon
    told_spec version=v3 env='APP_HEALTH: fail' deadline=1s
    deploy 'version 3 never gets ready'
    await 30 "taken back" sync_is reverted
    kill_daemon
    rm "$WORLD/sink/refuse"
    start_sink
    start_daemon
    await 90 "all of it is told" all_are_told 12
    expect_equal "messages" "$(taken | wc -l)" 12
    for way in /hook /services/ '"to": ["ops@example.test"]' '"to": ["chef@example.test"]'; do
        expect_equal "$way" "$(n_taken "$way")" 3
    done
    expect_equal "by TLS and a password" "$(n_taken '"how": "mail"' '"tls": true')" 6
    expect_equal "who writes" "$(n_taken '"from": "Reeve <reeve@example.test>"')" 6
    expect_has "headers" "$(taken)" '"subject": "[reeve] prod: taken back"'
    nothing_is_shown
    expect "the chain holds" reeve audit verify --replay
    stop_daemon
    end_beside sink
    MAIL= CERT=
}

all_are_told()
{
    [ "$(taken | wc -l)" -ge "$1" ]
}

# --- mail --------------------------------------------------------------------------------------------

# The server has a certificate of its own.
given_mail()
{
    given_world
    CERT_DIR=$WORLD MAIL=$((FIRST + 36))
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' \
        -keyout "$CERT_DIR/key.pem" -out "$CERT_DIR/cert.pem" 2>/dev/null || fail "no certificate"
    CERT=$CERT_DIR/cert.pem CERT_KEY=$CERT_DIR/key.pem
}

mail()
{
    printf '  - {type: smtp, url: "smtp://localhost:%s", from: reeve@example.test, to: [ops@example.test, chef@example.test], user: ops, password: {secret: mail_password}, ca: %s, on: [applied, apply_failed, reverted]}\n' "$MAIL" "$CERT"
}

# Neither what is signed with, nor where to, nor the password.
nothing_is_shown()
{
    local value

    {
        for verb in 'status' 'status prod' 'explain prod' 'history prod -n 1000' 'history -n 1000' doctor; do
            # shellcheck disable=SC2086 # words
            reeve $verb
            # shellcheck disable=SC2086
            reeve $verb -o json
        done
        reeve audit export
    } >"$WORLD/shown.txt" 2>&1
    for value in "$KEY" "slack-$KEY" mail-password "$(printf %s "$KEY" | base64 -w 0)" "$(printf '\0ops\0mail-password' | base64 -w 0)"; do
        expect_equal "files that hold it" \
            "$(grep -rlaF -- "$value" "$WORLD/var" "$WORLD/repo" "$WORLD/daemon.log" "$WORLD/shown.txt")" ""
        expect_equal "command lines that hold it" "$(grep -lsaF -f - /proc/[0-9]*/cmdline <<<"$value")" ""
    done
}

# Who asks for a test hears what each says; nothing of it is an outcome, and none of it is told twice.
a_test_is_sent_now()
{
    given_told "$HOOK" "$SLACK"
    told_spec version=v1
    commit 'version 1'
    start_daemon
    await_converged
    expect_taken 1 /hook reeve.applied
    run 0 'taken  webhook:hook_url' notify test --reason 'is it there'
    run 0 'taken  slack:slack_url' notify test prod
    expect_taken 1 /hook reeve.test '"signed": true'
    expect_taken 1 /services/ 'prod: a test' 'nothing happened'
    run 0 'is it there' history -o json
    expect_has "who tested" "$SAID" notify.tested
    expect_has "whom" "$SAID" webhook:hook_url
    expect_equal "told" "$(reeve history -o json | grep -o '"kind":"notify\.[a-z]*"' | sort | uniq -c | tr -s ' \n' ' ')" \
        ' 2 "kind":"notify.sent" 2 "kind":"notify.tested" '
    run 6 "called 'slack:nobody'" notify test prod slack:nobody
    run 6 "no environment 'nowhere'" notify test nowhere
    run 0 'nothing waits' notify list prod
    expect_has "whom" "$SAID" slack:slack_url
    expect_has_not "whom of the daemon's" "$SAID" hook_url
    echo 503 >"$WORLD/sink/refuse"
    run 1 'failed  slack:slack_url: it answers with status 503' notify test prod slack:slack_url
    expect_equal "not told again" "$(reeve notify list prod -o json | grep -o '"waiting":[0-9]*')" '"waiting":0'
    rm "$WORLD/sink/refuse"
    run 0 taken notify test prod
    run 0 taken notify test prod
    run 1 '5 tests within a minute' notify test prod
    nothing_is_shown
    stop_daemon
    sed -i '/^egress:/d' "$WORLD/reeve.yaml"
    start_daemon
    run 1 'failed  slack:slack_url: its address is not a public one, and egress.allow does not name it' notify test prod
    run 0 'taken  webhook:hook_url' notify test webhook:hook_url
    stop_daemon
    end_beside sink
}

# What the Daemon document takes back is not used, whatever was planned; a person is told why.
a_grant_that_is_taken_back_stops_it()
{
    given_told "$HOOK" "${SLACK%\}}, template: {title: '{env} is at {commit}', text: 'by {author}: {summary} ({title})'}}"
    told_spec version=v1
    sed -i "s|^listen:.*||" "$WORLD/reeve.yaml"
    echo "http: {hosts: [localhost], url: https://reeve.example.test/}" >>"$WORLD/reeve.yaml"
    commit 'version 1'
    start_daemon
    await_converged
    expect_taken 1 /services/ "$(head_commit)" 'version 1' 'prod: applied' 'is at'
    expect_taken 1 /hook '"link": "https://reeve.example.test/plans/'
    echo 503 >"$WORLD/sink/refuse"
    told_spec version=v2
    deploy 'version 2'
    await_converged
    await 20 "the channel refused it" is_refused /services/
    stop_daemon
    rm "$WORLD/sink/refuse"
    sed -i 's|{path: "files:slack_url", for: notify}|{path: "files:slack_url", for: services}|' "$WORLD/reeve.yaml"
    start_daemon
    run 1 "secret 'slack_url' is not for notify any more by the rule at" notify test prod
    await 60 "doctor says it" doctor_says "'slack:slack_url' of environment prod is not told: secret 'slack_url' is not for notify any more"
    expect_taken 1 /services/
    stop_daemon
    sed -i 's|{path: "files:slack_url", for: services}|{path: "files:slack_url", for: notify}|' "$WORLD/reeve.yaml"
    start_daemon
    await 90 "what waited comes" are_taken 2 /services/
    stop_daemon
    end_beside sink
}

doctor_says()
{
    reeve doctor 2>&1 | grep -qF -- "$1"
}

# What waits, for whom, since when and why.
what_waits_is_seen()
{
    given_told "$HOOK" "$SLACK"
    told_spec version=v1
    commit 'version 1'
    start_daemon
    await_converged
    expect_taken 1 /services/
    run 0 'now ' notify list prod
    echo 503 >"$WORLD/sink/refuse"
    told_spec version=v2
    deploy 'version 2'
    await_converged
    await 20 "the channel refused it" is_refused /services/
    await 20 "that is written" waits_why
    run 0 'it answers with status 503' notify list
    run 0 'webhook:hook_url' notify list
    rm "$WORLD/sink/refuse"
    await 60 "nothing waits" nothing_waits
    stop_daemon
    run 0 'nothing waits' notify list prod # from the file
    end_beside sink
}

waits_why()
{
    reeve notify list prod 2>&1 | grep -q '1 waits since .* tried [1-9].*: it answers with status 503'
}

nothing_waits()
{
    reeve notify list prod 2>&1 | grep -q 'nothing waits'
}

run_cases a_test_is_sent_now a_grant_that_is_taken_back_stops_it what_waits_is_seen what_is_applied_is_told_once who_is_down_is_told_when_they_are_back
