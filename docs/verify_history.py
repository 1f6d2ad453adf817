#!/usr/bin/env python3
"""Verify an export of the history by docs/history.md alone. SPDX-License-Identifier: Apache-2.0

    reeve audit export >history.jsonl
    python3 verify_history.py history.jsonl [ANCHORS]        ANCHORS: heads that were noted elsewhere, a file or a clone of the
                                                             repository that keeps them
"""
import glob, hashlib, json, os, struct, sys


def lp(text):
    data = text.encode()
    return struct.pack(">I", len(data)) + data


def event_hash(installation, e):
    numbers = struct.pack(">QQQQ", e["seq"], e["epoch"], e["time_ms"], e["mono_ms"])
    texts = [installation, e["actor"], e["cause"], e["kind"], e["subject"], e["env"]]
    return hashlib.sha256(b"reeve/event/1" + bytes.fromhex(e["prev_hash"]) + numbers
                          + b"".join(map(lp, texts)) + bytes.fromhex(e["body_hash"])).hexdigest()


def verify(lines, anchors):
    first, *events, last = map(json.loads, lines)
    assert first["export"] == "reeve/export/1", "this is no export"
    seq, prev, at_ms = first["after"], first["hash"] or "0" * 64, 0
    hashes, whole, bare, removed, inside = {seq: prev}, False, 0, 0, False
    for e in events:
        assert e["seq"] == seq + 1, f"event {seq + 1} is missing"
        assert e["prev_hash"] == prev, f"event {e['seq']} does not follow the one before"
        whole = whole or "body" in e
        assert not whole or hashlib.sha256(e["body"].encode()).hexdigest() == e["body_hash"], f"event {e['seq']}: body"
        if not whole:
            bare, removed = e["seq"], removed + 1
        elif inside and e["kind"] == "snapshot.end":
            bare = 0
        inside = whole and (e["kind"] == "snapshot" or (inside and e["kind"] == "snapshot.part"))
        assert event_hash(first["installation"], e) == e["hash"], f"event {e['seq']}: hash"
        assert e["time_ms"] >= at_ms, f"event {e['seq']}: time"
        seq, prev, at_ms = e["seq"], e["hash"], e["time_ms"]
        hashes[seq] = prev
    assert not (whole and bare), f"event {bare}: its body is missing, and no snapshot says what it was"
    assert (last["end"], last["hash"] or prev) == (seq, prev), "the end is missing"
    life, since = next(((e["epoch"], e["time_ms"]) for e in events[:2] if (e["seq"], e["kind"]) == (2, "state.recovered")), (-1, 0))
    noted = [(int(n), h) for what, whose, n, h, *more in map(str.split, anchors)
             if what in ("reeve/anchor/1", "reeve/anchor/2") and whose == first["installation"]
             and int(n) >= first["after"] and not (more and (int(more[0]) <= life or int(more[1]) < since))]
    for n, h in noted:
        assert hashes.get(n) == h, f"event {n} is not the one that was anchored"
    return f"{len(events)} events hold, {removed} without a body, up to {seq}; head {prev}; {len(noted)} anchors"


def lines_of(path):
    files = glob.glob(os.path.join(path, "*/*/*/*/*")) if os.path.isdir(path) else [path]
    return [line for name in files for line in open(name) if line.strip()]


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8", newline="\n") as f:
            print(verify(f, lines_of(sys.argv[2]) if len(sys.argv) > 2 else []))
    except (AssertionError, KeyError, ValueError, TypeError, AttributeError) as why:
        sys.exit(f"{sys.argv[1]}: {why!r}")
