#!/bin/bash
# retention: what old events wrote goes, and who begins, verifies, asks or takes over afterwards. SPDX-License-Identifier: Apache-2.0
#
# A day is what `state.history` keeps at least: the daemon and its standby have a wall clock of their own, which a person says is right.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/pair.sh"

ROOT=$(cd "$(dirname "$0")/../.." && pwd)

has_clock || skip "libfaketime is not installed"

n_bodies()
{
    ask_file 'SELECT count(*) FROM event_bodies' "$@"
}

n_events()
{
    ask_file 'SELECT count(*) FROM events' "$@"
}

n_snapshots()
{
    ask_file "SELECT count(*) FROM events WHERE kind = 'snapshot.end'"
}

has_snapshots()
{
    [ "$(n_snapshots)" -ge "$1" ]
}

has_fewer_bodies()
{
    [ "$(n_bodies)" -lt "$(n_events)" ]
}

says_that_the_clock_stepped()
{
    reeve status | grep -q 'the clock stepped by'
}

# The daemon lives on HOURS later, and its clock is believed; it looks for what is old when it starts.
hours_later()
{
    stop_daemon
    set_clock "+$1h"
    start_daemon $CLOCK
    await 40 "the step is seen" says_that_the_clock_stepped
    reeve resume --clock --reason 'it is later' >/dev/null || fail "the clock is not believed"
    stop_daemon
    start_daemon $CLOCK
}

size_kib()
{
    stat -c %s "$WORLD/var/reeve.db" | awk '{ print int($1 / 1024) }'
}

# Something that is worth removing.
much_happens()
{
    local i reason

    reason=$(printf 'it is looked at %.0s' {1..30})
    for ((i = 0; i < 250; i++)); do
        reeve hold prod --reason "$reason" >/dev/null 2>&1 && reeve resume prod --reason "$reason" >/dev/null 2>&1 || fail "nothing happens"
    done
}

bodies_go_and_the_file_shrinks()
{
    local before

    given_pair state='history: 24h'
    given_witnesses
    with_clock
    witnessed version=v1
    commit 'version 1'
    start_daemon $CLOCK
    await_converged
    FIRST_COMMIT=$(head_commit)
    much_happens
    hours_later 7
    await 30 "a snapshot is written" has_snapshots 1
    witnessed version=v2
    deploy 'version 2'
    await_converged
    now
    THEN_MS=$((NOW + 7 * 3600000 + 2000))
    hours_later 20
    await 30 "another one is" has_snapshots 2
    expect_equal "bodies, after 20 hours" "$(n_bodies)" "$(n_events)"
    stop_daemon # the file is all there is
    before=$(size_kib)
    start_daemon $CLOCK
    hours_later 34
    await 30 "bodies are removed" has_fewer_bodies
    stop_daemon
    say "   $(n_bodies) of $(n_events) events have a body; the file has $(size_kib) KiB, it had $before"
    expect "the file shrinks" [ "$(size_kib)" -lt "$before" ]
    start_daemon $CLOCK
}

# Of the daemon's clock, in milliseconds.
instant()
{
    date -u -d "@$(($1 / 1000))" +%FT%TZ
}

the_past_is_answered()
{
    local kept before all

    kept=$(reeve history prod --at "$(instant $THEN_MS)" 2>&1)
    expect_has "within what is kept" "$kept" 'instance/web'
    expect_has "its commit" "$kept" '"version 2"'
    before=$(reeve history prod --at "$(instant $((THEN_MS - 6 * 3600000 - 1800000)))" 2>&1)
    expect_has "before that the tables know" "$before" '"version 1"'
    all=$(reeve history prod --at 2001-01-01 2>&1)
    expect_has "before all" "$all" 'the history begins at '
    expect_has "what is asked by content" "$(reeve history --commit "${FIRST_COMMIT:0:9}" 2>&1)" 'wrote was removed'
    expect_has "who did it, without why" "$(reeve history prod -n 1000 --to "$(instant $((THEN_MS - 6 * 3600000)))" 2>&1)" 'local:'
    expect_has "the report" "$(reeve audit report --from -1h --to "$(instant $((THEN_MS + 3600000)))")" 'changes: 2'
}

python_verifies()
{
    python3 "$ROOT/docs/verify_history.py" "$@"
}

it_is_proven()
{
    local n

    expect_has "reeve" "$(reeve audit verify --replay)" "rows are what the events say"
    reeve audit verify --incremental >/dev/null || fail "what is new does not verify"
    reeve audit anchor >"$WORLD/anchors" || fail "no anchor"
    reeve audit export >"$WORLD/history.jsonl" || fail "no export"
    n=$(($(n_events) - $(n_bodies)))
    expect_has "an export" "$(reeve audit verify "$WORLD/history.jsonl" --anchors "$WORLD/anchors")" "what the first $n of them wrote was removed"
    expect_has "elsewhere" "$(python_verifies "$WORLD/history.jsonl" "$WORLD/anchors")" "$n without a body"
}

# A line of the export changed by a program of sed: both find it.
expect_found()
{
    sed "$2" "$WORLD/history.jsonl" >"$WORLD/forged.jsonl"
    ! cmp -s "$WORLD/history.jsonl" "$WORLD/forged.jsonl" || fail "$1: nothing was changed"
    ! reeve audit verify "$WORLD/forged.jsonl" >"$WORLD/verdict" 2>&1 || fail "$1: not found"
    ! python_verifies "$WORLD/forged.jsonl" >"$WORLD/elsewhere" 2>&1 || fail "$1: python does not find it"
    say "   $1: $(head -n 1 "$WORLD/verdict") | $(sed 's/^[^:]*: //' "$WORLD/elsewhere")"
}

# Lines of the export: one before the event.
forged_ones_are_found()
{
    local at end last

    at=$(($(ask_file "SELECT min(seq) FROM event_bodies") + 1))
    end=$(($(ask_file "SELECT min(seq) FROM events WHERE kind = 'snapshot.end' AND seq >= $at - 1") + 1))
    last=$(($(ask_file "SELECT max(seq) FROM events WHERE kind = 'snapshot'") + 1))
    expect_found "a byte before the snapshot" '5s/"actor":"/"actor":"x/'
    expect_found "a hash before it" '5s/"body_hash":"./"body_hash":"z/'
    expect_found "a byte in it" "${at}s/\"subject\":\"state\"/\"subject\":\"stata\"/"
    expect_found "a byte after it" "$((end + 1))s/\"kind\":\"/\"kind\":\"x/"
    expect_found "an event less before it" 5d
    expect_found "an event less in it" "${at}d"
    expect_found "a row of it" "${at}s/\\\\\"rows\\\\\"/\\\\\"raws\\\\\"/"
    expect_found "two swapped before it" '5{h;d};6G'
    expect_found "two swapped in it" "${at}{h;d};$((at + 1))G"
    expect_found "a body less after it" "$((end + 1))s/\"body\":\"\(\\\\.\|[^\"\\\\]\)*\",//"
    expect_found "more bodies less than any snapshot says" "2,${last}s/\"body\":\"\(\\\\.\|[^\"\\\\]\)*\",//"
    expect_found "the tail cut" "$((end + 1)),\$d"
}

# Tables that are not what the snapshot says; a chain of which the tail is cut.
a_forged_file_is_found()
{
    local sql text

    stop_daemon
    while IFS='|' read -r sql text; do
        cp "$WORLD/var/reeve.db" "$WORLD/forged.db"
        python3 - "$WORLD/forged.db" "$sql" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
    db.execute(f"DROP TRIGGER {name}")
db.executescript(sys.argv[2])
db.commit()
END
        ! reeve audit verify --replay "$WORLD/forged.db" >"$WORLD/verdict" 2>&1 || fail "not found: $sql"
        expect_has "$sql" "$(cat "$WORLD/verdict")" "$text"
    done <<'END'
UPDATE environments SET name = 'prud'|table 'environments'
UPDATE event_bodies SET body = replace(body, 'prod', 'prud') WHERE seq = (SELECT min(seq) FROM event_bodies)|column 'body' does not fit
DELETE FROM event_bodies WHERE seq < (SELECT max(seq) FROM events WHERE kind = 'snapshot.end')|column 'body' is missing
DELETE FROM documents WHERE digest = (SELECT min(digest) FROM documents)|document
DELETE FROM event_bodies WHERE seq = (SELECT max(seq) FROM event_bodies) - 1|column 'body' is missing
END
    start_daemon $CLOCK
}

start_clocked_standby()
{
    env $CLOCK "$REEVE" serve --follow "unix:$WORLD/var/reeve.sock" --config "$WORLD/second/reeve.yaml" \
        >>"$WORLD/second/daemon.log" 2>&1 9>&- &
    STANDBY=$!
}

# Every row that events say, and the events.
tables_of()
{
    python3 - "$WORLD/$1/reeve.db" "$ROOT/state/tables.def" <<'END'
import re, sqlite3, sys
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
tables = re.findall(r"^TABLE\(\w+, *(\w+), *EVENTED\)", open(sys.argv[2]).read(), re.M)
assert len(tables) > 20, tables
for name in ["events", "event_bodies", "documents", *sorted(tables)]:
    for row in sorted(map(repr, db.execute(f"SELECT * FROM {name}").fetchall())):
        print(name, row)
END
}

# From the snapshot, through deaths on the way, with the same tables; and goes on as any other.
a_standby_begins_with_the_snapshot()
{
    local i

    for i in 1 2 3; do
        start_clocked_standby
        await 20 "the standby answers" second_answers
        end_standby
    done
    start_clocked_standby
    await_level
    expect_verified second
    witnessed version=v3
    deploy 'version 3'
    await_converged
    await 20 "one set is left" one_set_is_left
    await_level
    expect_verified second
    kill_daemon
    end_standby
    say "   $(n_bodies second/var) of $(n_events second/var) events have a body at the standby, too; $(tables_of second/var | wc -l) rows"
    diff <(tables_of var) <(tables_of second/var) >"$WORLD/differs" || fail "the tables differ: $(head -n 5 "$WORLD/differs")"
    start_daemon $CLOCK
    start_clocked_standby
    await_level
}

# It has bodies that are gone at the first one meanwhile: it keeps them, and says what to do.
one_that_was_away_too_long()
{
    end_standby
    witnessed version=v4
    deploy 'version 4'
    await_converged
    hours_later 50
    await 30 "a snapshot is written" has_snapshots 4
    hours_later 80
    await 30 "bodies are removed up to it" bodies_begin_after "$(n_events second/var)"
    says 5 'put the copy aside, and it is copied anew' env $CLOCK "$REEVE" serve --follow "unix:$WORLD/var/reeve.sock" --config "$WORLD/second/reeve.yaml"
    rm "$WORLD"/second/var/reeve.db*
    start_clocked_standby
    await_level
    expect_verified second
}

bodies_begin_after()
{
    [ "$(ask_file 'SELECT min(seq) FROM event_bodies')" -gt "$1" ]
}

and_takes_over()
{
    kill_daemon
    take_over
    witnessed version=v5
    commit 'version 5'
    kill -HUP "$STANDBY"
    await 60 "the second one converges" second_converged
    expect_serves v5
    expect_verified second
    expect_has "both verifiers" "$(second audit export >"$WORLD/history.jsonl" && python_verifies "$WORLD/history.jsonl")" ' without a body'
    expect "reeve, too" reeve audit verify "$WORLD/history.jsonl"
    DAEMON= expect_nothing_twice
}

run_cases bodies_go_and_the_file_shrinks the_past_is_answered it_is_proven forged_ones_are_found a_forged_file_is_found \
    a_standby_begins_with_the_snapshot one_that_was_away_too_long and_takes_over
end_standby
