#!/bin/bash
# journal: systemd's journal knows how grave a line of the daemon's is, and keeps the line as it was. SPDX-License-Identifier: Apache-2.0
#
# A journald of its own, in a mount namespace where /run is empty; nothing is said to that of the machine.
JOURNALD=/lib/systemd/systemd-journald
if [ -z "${OWN_RUN:-}" ]; then
    [ -x "$JOURNALD" ] && command -v systemd-cat >/dev/null || { echo "SKIPPED: there is no journald (apt install systemd)" && exit 77; }
    unshare --mount mount -t tmpfs none /run 2>/dev/null || { echo "SKIPPED: /run of its own needs root" && exit 77; }
    OWN_RUN=yes exec unshare --mount --propagation private bash "$0"
fi
. "$(dirname "$0")/lib.sh"

# Neither messages nor the audit of the kernel are its business.
given_journal()
{
    mount -t tmpfs none /run
    mkdir -p /run/log/journal /run/systemd/journal /run/systemd/journald.conf.d
    printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=\nRateLimitIntervalSec=0\n' >/run/systemd/journald.conf.d/own.conf
    beside journald "$JOURNALD"
    await 20 "journald listens" [ -S /run/systemd/journal/stdout ]
}

# reeve.. with what a service of systemd has: standard error is the journal, which $JOURNAL_STREAM names.
with_journal()
{
    exec systemd-cat --identifier=reeve sh -c 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$0" "$@"' "$REEVE" "$@" 9>&-
}

# What is at least that grave, as it was said. journal PRIORITY [MORE OPTIONS]
journal()
{
    local priority=$1

    shift
    journalctl --sync
    journalctl --no-pager --quiet --identifier=reeve -p "$priority" -o cat "$@"
}

journal_has()
{
    journal "$1" | grep -qF "$2"
}

given_daemon()
{
    sed -i "s/^log: .*/log: {level: info, format: $1}/" "$WORLD/reeve.yaml"
    with_journal serve --config "$WORLD/reeve.yaml" &
    DAEMON=$!
    await 20 "the daemon answers" daemon_answers
}

# FORMAT HOW-A-LINE-BEGINS
errors_are_found()
{
    local errors

    given_world
    given_journal
    spec version=v1
    commit 'version 1'
    given_daemon "$1"
    await_converged
    expect_equal "errors before there is one" "$(journal err)" ""
    cp "$WORLD/reeve.yaml" "$WORLD/right.yaml"
    echo 'colour: blue' >>"$WORLD/reeve.yaml"
    fetch_now
    await 20 "the error is found by its priority" journal_has err 'the log goes on as it was'
    errors=$(journal err)
    expect_equal "lines that a person must act on" "$(wc -l <<<"$errors")" 1
    expect_has "where it is" "$errors" "reeve.yaml:$(wc -l <"$WORLD/reeve.yaml"):1: unknown field 'colour'; 1 error"
    [[ $errors == $2* ]] || fail "the line is as it was said: $errors"
    journal_has info '"started"' || journal_has info ' started ' || fail "what is no error is found too"
    ! journal debug | grep '<[0-9]>' || fail "the journal takes the mark off"
    ! grep -rlE '^<[0-9]>' "$WORLD/var" --include='*log*' || fail "what instances print is left as it is"
    cp "$WORLD/right.yaml" "$WORLD/reeve.yaml"
    stop_daemon
    say "   $errors"
}

as_json()
{
    errors_are_found json '{"ts":"'
    journal debug | python3 -c 'import json, sys; [json.loads(line) for line in sys.stdin]' || fail "each line is JSON"
    end_beside journald
    umount -l /run
}

as_text()
{
    errors_are_found text 20
    end_beside journald
    umount -l /run
}

what_is_said_before_the_log_begins()
{
    given_world
    given_journal
    sed -i 's/^socket:/sockett:/' "$WORLD/reeve.yaml"
    (with_journal serve --config "$WORLD/reeve.yaml")
    expect_equal "exit status" $? 4
    expect_has "the place" "$(journal err)" "reeve.yaml:5:1: error: unknown field 'sockett'"
    expect_has "how to mend it" "$(journal err)" "did you mean 'socket'?"
    expect_has "what became of it" "$(journal err)" "reeve: configuration '"
    end_beside journald
    umount -l /run
}

run_cases as_json as_text what_is_said_before_the_log_begins
