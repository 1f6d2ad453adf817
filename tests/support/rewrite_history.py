"""rewrite_history: what who has a machine can do to its history. SPDX-License-Identifier: Apache-2.0

    rewrite_history.py VAR      another actor in event 5, every hash after it right, and the head sealed with VAR's own key
"""

import hashlib
import hmac
import sqlite3
import struct
import sys

db = sqlite3.connect(sys.argv[1] + "/reeve.db")
lp = lambda text: struct.pack(">I", len(text.encode())) + text.encode()
installation = db.execute("SELECT v FROM meta WHERE k = 'installation'").fetchone()[0]
db.execute("DROP TRIGGER events_stand")
db.execute("UPDATE events SET actor = 'mallory' WHERE seq = 5")
prev = bytes(32)
for row in db.execute("SELECT seq, epoch, time_ms, mono_ms, actor, cause, kind, subject, coalesce(env, ''), body_hash FROM events ORDER BY seq").fetchall():
    head = hashlib.sha256(b"reeve/event/1" + prev + struct.pack(">QQQQ", *row[:4]) + lp(installation)
                          + b"".join(map(lp, row[4:9])) + row[9]).digest()
    db.execute("UPDATE events SET prev_hash = ?, hash = ? WHERE seq = ?", (prev, head, row[0]))
    prev, seq = head, row[0]
db.commit()
key = open(sys.argv[1] + "/keys/history", "rb").read()
key = key if len(key) == 32 else bytes.fromhex(key.decode().strip())
mac = hmac.new(key, f"reeve/head/1 {installation} {seq} {prev.hex()}".encode(), "sha256").hexdigest()
open(sys.argv[1] + "/keys/history.head", "w").write(f"reeve/head/1 {installation} {seq:020d} {prev.hex()} {mac}\n")
