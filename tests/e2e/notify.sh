#!/bin/bash
# notify: who asked for it is told once, whoever is down meanwhile. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

SUPPORT=$(dirname "$0")/../support
SINK=
NAMES='hook_url hook_key slack_url'
KEY=key-0123456789abcdef0123456789abcdef

# --- the sink ----------------------------------------------------------------------------------------

start_sink()
{
    rm -f "$WORLD/sink/ready"
    /usr/bin/python3 "$SUPPORT/notify_sink.py" "$WORLD/sink" $((FIRST + 35)) "${MAIL:--}" ${CERT:+"$CERT" "$CERT_KEY"} \
        >>"$WORLD/sink/log" 2>&1 9>&- &
    SINK=$!
    await 20 "the sink listens" [ -e "$WORLD/sink/ready" ]
}

stop_sink()
{
    [ -z "$SINK" ] || kill_child "$SINK"
    SINK=
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
    given_world
    mkdir "$WORLD/sink" "$WORLD/secrets"
    printf %s "$KEY" >"$WORLD/sink/key"
    printf %s "$KEY" >"$WORLD/secrets/hook_key"
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

run_cases what_is_applied_is_told_once
