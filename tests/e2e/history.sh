#!/bin/bash
# history: what was then, and whether the record of it holds. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

REPLICAS_THEN=1

# A whole second, which the command line reads as it is: how long that takes to start changes nothing.
THEN=

is_past()
{
    [ "$(date +%s)" -gt "$1" ]
}

# THEN is between what has happened and what comes.
given_moment()
{
    local second=$(($(date +%s) + 1))

    await 20 "the moment is over" is_past "$second"
    THEN=$(date -u -d "@$second" +%FT%TZ)
}

state_at()
{
    reeve history prod --at "$@"
}

the_state_at_a_time()
{
    local first second

    given_world
    spec version=v1 replicas=$REPLICAS_THEN
    commit 'the first version'
    start_daemon
    await_converged
    first=$(head_commit)
    given_moment
    spec version=v2 replicas=2 keep=100ms
    deploy 'the second version'
    await_converged
    await 20 "one set is left" one_set_is_left
    second=$(head_commit)

    expect_has "then" "$(state_at "$THEN")" "commit ${first:0:8} \"the first version\""
    expect_has_not "then" "$(state_at "$THEN")" "${second:0:8}"
    expect_equal "instances then" "$(state_at "$THEN" | grep -c 'instance/web@.*ready')" $REPLICAS_THEN
    expect_has "the specs then" "$(state_at "$THEN" -o json)" '"VERSION":"v1"'
    expect_has "now" "$(state_at now)" "commit ${second:0:8} \"the second version\""
    expect_equal "instances now" "$(state_at now | grep -c 'instance/web@.*ready')" 2
}

the_history_of_one_thing()
{
    local first second plan

    plan=$(plan_id 2>/dev/null)
    second=$(head_commit)
    first=$(git -C "$WORLD/repo" rev-parse HEAD~1)
    expect_has "what differs" "$(reeve history prod --diff --from -1h --to now)" "revision 2, commit ${second:0:8} \"the second version\""
    expect_has "in its specs" "$(reeve history prod --diff --from "$THEN")" 'v1 -> v2'
    expect_has "whose plan" "$(reeve history prod --diff --from "$THEN")" "plan ${plan:0:8}"
    expect_has "a commit" "$(reeve history --commit "${second:0:9}")" 'rollout.applied'
    expect_equal "what it did is not what the other did" \
        "$(comm -12 <(seqs --commit "$first" --actor reeve) <(seqs --plan "$plan") | wc -l)" 0
    expect_has "a plan" "$(reeve history prod --plan "$plan")" 'plan.started'
    expect_has "a service" "$(reeve history prod/service/web)" 'instance/web@'
    expect_has_not "nothing else" "$(reeve history prod/service/web)" 'source.moved'
    expect_equal "another service" "$(seqs prod/service/we | wc -l)" 0
    expect_equal "somebody else" "$(seqs --actor local:nobody | wc -l)" 0
    expect_equal "before all" "$(seqs prod --to -1h | wc -l)" 0
}

# WORDS of history: which events.
seqs()
{
    reeve history "$@" -n 1000 -o json | grep -o '"seq":[0-9]*' | sort
}

the_chain_holds_and_the_tables_follow_from_it()
{
    reeve hold prod --reason 'a canary of the history' >/dev/null || fail "hold is refused"
    reeve resume prod >/dev/null || fail "resume is refused"
    expect "the daemon verifies" reeve audit verify --replay
    reeve hold prod --reason 'something comes' >/dev/null || fail "hold is refused"
    reeve resume prod >/dev/null || fail "resume is refused"
    expect_has "what came" "$(reeve audit verify --incremental)" "the chain holds from event"
    stop_daemon
    expect "the file is verified without a daemon" reeve audit verify --replay
}

the_report_says_who_did_what()
{
    local report

    report=$(reeve audit report --from -1h)
    expect_has "its span" "$report" 'events 1 to '
    expect_has "both plans" "$report" 'changes: 2'
    expect_has "who made them" "$report" 'A Developer'
    expect_has "that nobody was asked" "$report" 'not asked for'
    expect_has "what was commanded" "$report" 'a canary of the history'
    expect_has "before all" "$(reeve audit report --to -1h)" 'changes: 0'
    expect_has "as JSON" "$(reeve audit report -o json)" '"emergencies":[]'
}

# Every place where the text stands in the file, one after the other.
flip_each()
{
    local text=$1 at n=0

    for at in $(grep -obUaF "$text" "$WORLD/var/reeve.db" | cut -d : -f 1); do
        cp "$WORLD/var/reeve.db" "$WORLD/flipped.db"
        printf 'X' | dd of="$WORLD/flipped.db" bs=1 seek=$((at + 2)) conv=notrunc status=none
        if reeve audit verify --replay "$WORLD/flipped.db" >"$WORLD/verdict" 2>&1; then
            fail "a flipped byte of '$text' at $at is not found"
        fi
        n=$((n + 1))
    done
    [ $n -gt 0 ] || fail "'$text' is not in the file"
    say "   '$text': $n places, each found, the last as: $(head -n 1 "$WORLD/verdict")"
}

one_flipped_byte_is_found()
{
    flip_each rollout.applied
    flip_each 'a canary of the history'
    flip_each '"action":"switch"'
    flip_each 'reeve serve, pid'
}

export_history()
{
    reeve audit export "$@" >"$WORLD/history.jsonl" || fail "the export is refused"
}

python_verifies()
{
    python3 "$(dirname "${BASH_SOURCE[0]}")/../../docs/verify_history.py" "$@"
}

an_export_is_verified_elsewhere()
{
    local n lines

    export_history
    lines=$(wc -l <"$WORLD/history.jsonl")
    n=$((lines - 2))
    expect_has "reeve" "$(cd / && env -u REEVE_CONFIG "$REEVE" audit verify "$WORLD/history.jsonl")" "the chain of $n events holds"
    expect_has "python" "$(python_verifies "$WORLD/history.jsonl")" "$n events hold, 0 without a body, up to $n"
    export_history --from -1h --to now
    expect "a part is verified" reeve audit verify "$WORLD/history.jsonl"
    reeve audit export -o csv >"$WORLD/history.csv" || fail "no csv"
    expect_equal "rows of the table" "$(python3 -c '
import csv, sys
rows = list(csv.reader(open(sys.argv[1], newline="")))
assert rows[0][0] == "seq" and all(len(row) == 13 for row in rows), rows[0]
print(len(rows) - 1)' "$WORLD/history.csv")" "$n"
}

# A line of the export changed by a program of sed: both find it.
expect_found_in_export()
{
    sed "$2" "$WORLD/history.jsonl" >"$WORLD/forged.jsonl"
    ! cmp -s "$WORLD/history.jsonl" "$WORLD/forged.jsonl" || fail "$1: nothing was changed"
    ! reeve audit verify "$WORLD/forged.jsonl" >"$WORLD/verdict" 2>&1 || fail "$1: not found"
    ! python_verifies "$WORLD/forged.jsonl" >/dev/null 2>&1 || fail "$1: python does not find it"
    say "   $1: $(head -n 1 "$WORLD/verdict")"
}

a_forged_export_is_found()
{
    export_history
    expect_found_in_export "another actor" '5s/"actor":"[^"]*"/"actor":"mallory"/'
    expect_found_in_export "another cause" '5s/"cause":"/"cause":"x/'
    expect_found_in_export "another kind" '5s/"kind":"/"kind":"x/'
    expect_found_in_export "another subject" '5s/"subject":"/"subject":"x/'
    expect_found_in_export "another environment" '5s/"env":"/"env":"x/'
    expect_found_in_export "another epoch" '5s/"epoch":/"epoch":1/'
    expect_found_in_export "another time" '5s/"time_ms":/"time_ms":1/'
    expect_found_in_export "another clock" '5s/"mono_ms":/"mono_ms":1/'
    expect_found_in_export "another body" '5s/"body":"{/"body":"{ /'
    expect_found_in_export "an event less" 5d
    expect_found_in_export "two swapped" '5{h;d};6G'
    expect_found_in_export "the end cut" '$d'
    expect_found_in_export "the tail cut" '5,$d'
    expect_found_in_export "another installation" '1s/"installation":"./"installation":"x/'
}

# An export with another actor in event 5, and every hash of it right; or without its last three events.
forge_export()
{
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$(dirname "${BASH_SOURCE[0]}")/../../docs" python3 - "$1" "$WORLD/history.jsonl" >"$WORLD/forged.jsonl" <<'END'
import json, sys
from verify_history import event_hash
how, export = sys.argv[1:]
first, *events, last = map(json.loads, open(export))
if how == "rewritten":
    events[4]["actor"] = "mallory"
else:
    del events[-3:]
prev = first["hash"]
for e in events:
    e["prev_hash"] = prev
    e["hash"] = prev = event_hash(first["installation"], e)
for v in [first, *events, {"end": events[-1]["seq"], "hash": prev}]:
    print(json.dumps(v))
END
}

a_rewritten_history_is_found_by_its_anchors()
{
    export_history
    reeve audit anchor >"$WORLD/anchors" || fail "no anchor"
    expect_has "its form" "$(cat "$WORLD/anchors")" "reeve/anchor/1 "
    printf '%s\n' "reeve/anchor/1 0193-another 3 $(printf '0%.0s' {1..64})" >>"$WORLD/anchors"
    expect_has "reeve" "$(reeve audit verify "$WORLD/history.jsonl" --anchors "$WORLD/anchors")" "1 events are the ones that were anchored"
    expect_has "python" "$(python_verifies "$WORLD/history.jsonl" "$WORLD/anchors")" "1 anchors"
    for how in rewritten cut; do
        forge_export $how
        expect "a chain that is $how holds by itself" reeve audit verify "$WORLD/forged.jsonl"
        expect "to python, too" python_verifies "$WORLD/forged.jsonl"
        ! reeve audit verify "$WORLD/forged.jsonl" --anchors "$WORLD/anchors" >"$WORLD/verdict" 2>&1 || fail "$how: not found"
        ! python_verifies "$WORLD/forged.jsonl" "$WORLD/anchors" >>"$WORLD/verdict" 2>&1 || fail "$how: python does not find it"
        say "$(sed 's/^/   /' "$WORLD/verdict")"
    done
}

# The whole chain of the state file, every hash of it right.
rewrite_database()
{
    python3 - "$1" <<'END'
import hashlib, sqlite3, struct, sys
db = sqlite3.connect(sys.argv[1])
lp = lambda text: struct.pack(">I", len(text.encode())) + text.encode()
installation = db.execute("SELECT v FROM meta WHERE k = 'installation'").fetchone()[0]
db.execute("DROP TRIGGER events_stand")
db.execute("UPDATE events SET actor = 'mallory' WHERE seq = 5")
prev = bytes(32)
rows = db.execute("SELECT seq, epoch, time_ms, mono_ms, actor, cause, kind, subject, coalesce(env, ''), body_hash FROM events ORDER BY seq").fetchall()
for row in rows:
    head = hashlib.sha256(b"reeve/event/1" + prev + struct.pack(">QQQQ", *row[:4]) + lp(installation)
                          + b"".join(map(lp, row[4:9])) + row[9]).digest()
    db.execute("UPDATE events SET prev_hash = ?, hash = ? WHERE seq = ?", (prev, head, row[0]))
    prev = head
db.commit()
END
}

a_chain_that_is_rewritten_is_found()
{
    cp "$WORLD/var/reeve.db" "$WORLD/whole.db"
    rewrite_database "$WORLD/var/reeve.db"
    expect "without its keys it holds" reeve audit verify --replay "$WORLD/var/reeve.db"
    ! reeve audit verify >"$WORLD/verdict" 2>&1 || fail "a rewritten chain is not found"
    expect_has "the verdict" "$(cat "$WORLD/verdict")" "the history was rewritten"
    say "   $(tail -n 1 "$WORLD/verdict")"
    cp "$WORLD/whole.db" "$WORLD/var/reeve.db"
    rm -f "$WORLD/var/reeve.db-wal" "$WORLD/var/reeve.db-shm"
}

# The database as it was before, or with hashes that are right: the chain alone does not tell.
a_tail_that_is_cut_is_found()
{
    expect_has "the seal" "$(reeve audit verify)" "the sealed head, event"
    expect_has "the rest" "$(reeve audit verify --incremental)" "the chain holds: nothing came after event"
    cp "$WORLD/var/reeve.db" "$WORLD/whole.db"
    python3 - "$WORLD/var/reeve.db" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
last = db.execute("SELECT max(seq) FROM events").fetchone()[0]
db.execute("DROP TRIGGER events_stay")
db.execute("DELETE FROM events WHERE seq > ?", (last - 3,))
db.execute("DELETE FROM event_bodies WHERE seq > ?", (last - 3,))
db.commit()
END
    ! reeve audit verify >"$WORLD/verdict" 2>&1 || fail "a tail that is cut is not found"
    expect_has "the verdict" "$(cat "$WORLD/verdict")" "the end of the history is cut"
    ! reeve audit verify --incremental >"$WORLD/verdict" 2>&1 || fail "nor by what is new"
    start_daemon
    expect_has "the daemon" "$(reeve status 2>&1)" "the end of the history is cut"
    ! reeve hold prod --reason 'nothing is written' >/dev/null 2>&1 || fail "it writes all the same"
    stop_daemon
    ! reeve audit verify >"$WORLD/verdict" 2>&1 || fail "the daemon sealed what is not its history"
    cp "$WORLD/whole.db" "$WORLD/var/reeve.db"
    rm -f "$WORLD/var/reeve.db-wal" "$WORLD/var/reeve.db-shm"
    expect "what was cut is back" reeve audit verify --replay
}

run_cases the_state_at_a_time the_history_of_one_thing the_chain_holds_and_the_tables_follow_from_it the_report_says_who_did_what one_flipped_byte_is_found \
    an_export_is_verified_elsewhere a_forged_export_is_found a_rewritten_history_is_found_by_its_anchors \
    a_chain_that_is_rewritten_is_found a_tail_that_is_cut_is_found
