#!/bin/bash
# stamps: an authority says when the head of the history was there (RFC 3161). SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/heads.sh"

SUPPORT=$(dirname "${BASH_SOURCE[0]}")/../support
TSA_DIR=

start_tsa()
{
    beside tsa python3 "$SUPPORT/fake_tsa.py" "$TSA_DIR" "$TSA_DIR/port" 2>>"$TSA_DIR/log"
    await 20 "the authority listens" listens
}

listens()
{
    kill -0 "${BESIDE[tsa]}" && [ -e "$TSA_DIR/port" ] && curl -s -o /dev/null "http://127.0.0.1:$(cat "$TSA_DIR/port")/"
}

answers()
{
    echo "$1" >"$TSA_DIR/mode.new"
    mv "$TSA_DIR/mode.new" "$TSA_DIR/mode"
}

# Words: more of the rule.
given_authority()
{
    given_world
    TSA_DIR=$WORLD/tsa
    mkdir "$TSA_DIR"
    bash "$SUPPORT/tsa.sh" "$TSA_DIR" || fail "no authority"
    answers good
    start_tsa
    write_daemon rule="${1:-}" extra="anchors: [{type: rfc3161, url: \"http://127.0.0.1:$(cat "$TSA_DIR/port")/\", ca: \"$TSA_DIR/ca.pem\", every: 1s}]"
    spec version=v1
    commit 'the first version'
}

export_to()
{
    reeve audit export >"$1" || fail "the export is refused"
}

brought()
{
    reeve status -o json | grep -o '"anchors":\[[^]]*' | grep -o '"seq":[0-9]*' | cut -d : -f 2
}

heads_get_time_stamps()
{
    given_authority
    start_daemon
    await_converged
    await_anchored
    something_happens 'one more'
    await_anchored
    expect_has "who looks" "$(reeve status -o json)" '"type":"rfc3161"'
    expect "the tables follow from the events" reeve audit verify --replay
}

each_of_them_is_in_an_export()
{
    local line n=0

    stop_daemon
    export_to "$WORLD/history.jsonl"
    reeve audit anchor "$WORLD/history.jsonl" >"$WORLD/lines" || fail "no lines"
    expect_equal "each is kept" "$(wc -l <"$WORLD/lines")" "$(n_made)"
    expect_has "reeve" "$(reeve audit verify "$WORLD/history.jsonl" --anchors "$WORLD/history.jsonl" --authority "$TSA_DIR/ca.pem")" "$(n_made) time stamps hold, from 20"
    expect_has "from the lines" "$(reeve audit verify "$WORLD/history.jsonl" --anchors "$WORLD/lines" --authority "$TSA_DIR/ca.pem")" "$(n_made) time stamps hold, from 20"
    expect_has "unchecked" "$(reeve audit verify "$WORLD/history.jsonl" --anchors "$WORLD/lines")" "$(n_made) time stamps were not checked"
    expect_has "python" "$(python3 "$SUPPORT/../../docs/verify_history.py" "$WORLD/history.jsonl" "$WORLD/lines")" "$(n_made) anchors"
    while read -r line; do
        printf %s "${line% rfc3161:*}" >"$WORLD/line"
        printf %s "${line##* rfc3161:}" | base64 -d >"$WORLD/token"
        openssl ts -verify -data "$WORLD/line" -in "$WORLD/token" -token_in -CAfile "$TSA_DIR/ca.pem" >/dev/null 2>&1 || fail "openssl does not believe: $line"
        n=$((n + 1))
    done <"$WORLD/lines"
    say "   $n time stamps hold for openssl, too"
    start_daemon
}

# EXPECTED LINES CA
expect_not_believed()
{
    local said

    said=$(reeve audit verify "$WORLD/history.jsonl" --anchors "$2" --authority "$3" 2>&1) && fail "it is believed: $said"
    expect_has "why" "$said" "$1"
}

a_time_stamp_of_something_else_is_found()
{
    expect_not_believed "unable to get local issuer certificate" "$WORLD/lines" "$TSA_DIR/foreign-ca.pem"
    sed '1 s/ \([0-9]*\) \([0-9a-f]*\) rfc3161/ 1\1 \2 rfc3161/' "$WORLD/lines" >"$WORLD/changed"
    expect_not_believed "message imprint mismatch" "$WORLD/changed" "$TSA_DIR/ca.pem"
    sed 's/rfc3161:.*/rfc3161:MAA=/' "$WORLD/lines" >"$WORLD/changed"
    expect_not_believed "no time stamp" "$WORLD/changed" "$TSA_DIR/ca.pem"
    expect_not_believed "cannot be read (PEM)" "$WORLD/lines" "$WORLD/lines"
}

# Told once an outage, and over with the next time stamp. MODE SENTENCE
given_answers_that_do_not_hold()
{
    local before

    before=$(n_failed)
    answers "$1"
    something_happens "the authority answers otherwise: $1"
    await_told $((before + 1)) "$2"
    answers good
    await_over $((before + 1))
}

answers_that_do_not_hold_are_told()
{
    given_answers_that_do_not_hold replay 'message imprint mismatch'
    given_answers_that_do_not_hold other 'message imprint mismatch'
    given_answers_that_do_not_hold foreign 'unable to get local issuer certificate'
    given_answers_that_do_not_hold expired 'certificate has expired'
    given_answers_that_do_not_hold picky 'the authority gives no time stamp: badAlg'
    given_answers_that_do_not_hold status 'answers with status 503'
    given_answers_that_do_not_hold huge 'larger than'
    given_answers_that_do_not_hold garbage 'no answer of a time stamp authority'
    given_answers_that_do_not_hold cut 'no answer of a time stamp authority'
}

an_authority_that_is_down_is_told_and_comes_back()
{
    local before

    before=$(n_failed)
    end_beside tsa
    something_happens 'nobody signs this'
    await_told $((before + 1)) .
    stop_daemon
    start_daemon
    expect_has "it starts without it" "$(reeve status)" "prod"
    start_tsa
    await_over $((before + 1))
}

# The machine cannot tell: its time stamps went with its history. Who exported them can.
an_earlier_export_stands_against_a_history_that_was_rewritten()
{
    local said

    stop_daemon
    export_to "$WORLD/earlier.jsonl"
    python3 "$SUPPORT/rewrite_history.py" "$WORLD/var" || fail "it was not rewritten"
    export_to "$WORLD/history.jsonl"
    expect_has "by itself it holds" "$(reeve audit verify "$WORLD/history.jsonl")" "events holds"
    said=$(reeve audit verify "$WORLD/history.jsonl" --anchors "$WORLD/earlier.jsonl" --authority "$TSA_DIR/ca.pem" 2>&1) && fail "it is believed: $said"
    expect_has "but against what was exported" "$said" "is not the one that was anchored: the history was rewritten"
}

nothing_is_applied_without_a_time_stamp()
{
    given_authority "    floor: {anchor: required}"
    end_beside tsa
    start_daemon
    await 20 "the plan waits" waits_for_an_anchor
    start_tsa
    await_converged
    await_anchored
}

run_cases heads_get_time_stamps each_of_them_is_in_an_export a_time_stamp_of_something_else_is_found \
    answers_that_do_not_hold_are_told an_authority_that_is_down_is_told_and_comes_back \
    an_earlier_export_stands_against_a_history_that_was_rewritten nothing_is_applied_without_a_time_stamp
