#!/bin/bash
# standby: another daemon follows, answers, and changes nothing.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/pair.sh"

ROOT=$(cd "$(dirname "$0")/../.." && pwd)

a_copy_that_answers()
{
    given_pair
    spec
    commit 'version 1'
    start_daemon
    start_standby
    await_converged
    await_level
    expect_has "the copy" "$(second status prod 2>&1)" "a copy of"
    expect_has "the copy" "$(second history prod -o json)" '"kind":"rollout.applied"'
    expect_verified second
}

nothing_is_changed_there()
{
    local said status

    said=$(second hold prod --reason 'not here' 2>&1)
    status=$?
    [ $status -eq 5 ] || fail "a hold on the standby: exit status $status: $said"
    expect_has "the refusal" "$said" "unix:$WORLD/var/reeve.sock"
    expect_has "who asks" "$(curl -s --unix-socket "$WORLD/second/reeve.sock" http://localhost/api/v1/me 9>&-)" '"kind":"local"'
}

# Killed at any moment it goes on from its last event.
killed_while_it_follows()
{
    local i

    for i in 1 2 3 4 5; do
        spec version=v2.$i
        deploy "version 2.$i"
        await 20 "the copy goes on" is_ahead "$(seq_of second)"
        end_standby
        start_standby
    done
    await_converged
    await_level
    expect_verified second
}

# The standby says why it does not follow.
is_in_trouble()
{
    [[ $(second status -o json 2>/dev/null | grep -o '"copy":{.*' | grep -o '"error":"[^"]*"') == *"$1"* ]]
}

# It says so, answers, and goes on when the first one is back.
the_first_one_is_away()
{
    kill_daemon
    await 20 "it is missed" is_in_trouble 'http: '
    expect_has "the copy" "$(second status prod 2>&1)" 'in_sync'
    spec version=v3
    commit 'version 3'
    start_daemon
    await_converged
    await_level
    expect_verified second
}

# One that was put back is not what was sealed; without it everything is copied anew.
a_copy_that_was_cut()
{
    end_standby
    cp -a "$WORLD/second/var" "$WORLD/kept"
    start_standby
    spec version=v3.1
    deploy 'version 3.1'
    await_converged
    await_level
    end_standby
    rm "$WORLD"/second/var/reeve.db*
    cp -a "$WORLD"/kept/reeve.db* "$WORLD/second/var/"
    says 1 "put '$WORLD/second/var/reeve.db' aside" second serve --follow "unix:$WORLD/var/reeve.sock"
    rm "$WORLD"/second/var/reeve.db*
    start_standby
    await_level
    second audit verify | grep -q 'sealed head' || fail "the copy is not sealed"
}

third()
{
    "$REEVE" "$@" --config "$WORLD/third/reeve.yaml"
}

third_is_level()
{
    [ "$(seq_of third)" = "$(seq_of reeve)" ]
}

# Events come through it as they came, and it says whose copy it is.
a_copy_of_a_copy()
{
    local pid

    mkdir -p "$WORLD/third"
    sed "s|$WORLD/second/|$WORLD/third/|" "$WORLD/second/reeve.yaml" >"$WORLD/third/reeve.yaml"
    "$REEVE" serve --follow "unix:$WORLD/second/reeve.sock" --config "$WORLD/third/reeve.yaml" >"$WORLD/third/daemon.log" 2>&1 9>&- &
    pid=$!
    await 20 "the third one has everything" third_is_level
    spec version=v4
    deploy 'version 4'
    await_converged
    await 20 "the third one has everything" third_is_level
    expect_has "the third one" "$(third status 2>&1)" "a copy of unix:$WORLD/second/reeve.sock"
    expect_verified third
    kill_child "$pid"
}

# --- who lies -------------------------------------------------------------------------------------------

given_liar()
{
    given_pair
    spec
    commit 'version 1'
    start_daemon
    echo honest >"$WORLD/word"
    beside liar /usr/bin/python3 "$ROOT/tests/support/replica_liar.py" "$WORLD/liar.sock" "$WORLD/var/reeve.sock" "$WORLD/word" \
        >"$WORLD/liar.log" 2>&1
    await 20 "it listens" test -S "$WORLD/liar.sock"
    start_standby "unix:$WORLD/liar.sock"
    await_converged
    await_level
}

# Whatever word the liar has, there is something new.
something_happens()
{
    reeve hold prod --reason "$1" >/dev/null 2>&1 && reeve resume prod --reason "$1" >/dev/null 2>&1 || fail "nothing happens"
}

# word|what the standby says of it
LIES="forged|column 'body' does not fit
renamed|column 'hash' is not that
gap|is missing
torn|body
rewritten|the past was rewritten
older|it is an older one
stranger|this is a copy of
garbage|its answer
deep|nested deeper
many|no stretch of a history
endless|is too large
elsewhere|status 302
ill|it does not feel well"

# Nothing of it is kept, reads are answered, and what is right is taken afterwards.
nobody_is_believed()
{
    local word text before mib

    given_liar
    while IFS='|' read -r word text; do
        before=$(seq_of second)
        echo "$word" >"$WORLD/word"
        something_happens "$word"
        await 40 "'$text' of $word" is_in_trouble "$text"
        expect_equal "its last event, with $word" "$(seq_of second)" "$before"
        echo honest >"$WORLD/word"
        await_level
    done <<<"$LIES"
    expect_verified second
    mib=$(($(awk '/^VmHWM/ { print $2 }' "/proc/$STANDBY/status") / 1024))
    say "   $(wc -l <<<"$LIES") lies, $mib MiB at most"
    expect "its memory has a limit" [ "$mib" -lt 512 ]
}

# It answers, and ends when it is told to, while the other one says nothing at all.
one_that_is_silent()
{
    echo silent >"$WORLD/word"
    something_happens silent
    expect_has "the copy" "$(second status prod 2>&1)" "a copy of"
    kill -TERM "$STANDBY"
    wait "$STANDBY"
    expect_equal "exit status" $? 0
    STANDBY=
}

run_cases a_copy_that_answers nothing_is_changed_there killed_while_it_follows the_first_one_is_away a_copy_that_was_cut a_copy_of_a_copy nobody_is_believed one_that_is_silent
end_standby
