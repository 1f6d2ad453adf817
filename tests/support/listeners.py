"""listeners: who listens to events, leaves in the middle and comes back. SPDX-License-Identifier: Apache-2.0

    listeners.py PORT FOLDER NAME..      some for each token in FOLDER/NAME

Each comes back with the Last-Event-ID of the last event that was whole, however it was parted. When FOLDER/NAME.wanted
is there, with an id a line, they end as soon as they have heard the last of them, and what they heard is held
against it. A line says how often they came; exit status 1: one heard less, more, or in another order.
"""
import pathlib
import random
import socket
import sys
import threading
import time

EACH = 5
LOOK_S = 0.1
WAIT_S = 120

port, folder, names = int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]


class Listener(threading.Thread):
    def __init__(self, name, seed):
        super().__init__()
        self.name, self.random = name, random.Random(seed)
        self.token = (folder / name).read_text().strip()
        self.heard, self.wanted, self.n_came = [], None, 0

    def is_over(self):
        path = folder / f"{self.name}.wanted"
        if self.wanted is None and path.exists():
            self.wanted = [int(line) for line in path.read_text().split()]
        return self.wanted is not None and (not self.wanted or self.heard[-1:] >= self.wanted[-1:])

    def listen(self, n_most):
        """Until so many were heard, or the other side ends it."""
        last = self.heard[-1] if self.heard else 0
        rest = b""
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.settimeout(LOOK_S)
            # 1.0: no chunks in between
            s.sendall(f"GET /api/v1/events HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {self.token}\r\n"
                      f"Last-Event-ID: {last}\r\n\r\n".encode())
            self.n_came += 1
            while n_most > 0 and not self.is_over():
                try:
                    got = s.recv(4096)
                except TimeoutError:
                    continue
                if not got:
                    return
                *whole, rest = (rest + got).replace(b"\r\n", b"\n").split(b"\n\n")
                ids = [int(line[4:]) for block in whole for line in block.split(b"\n") if line.startswith(b"id: ")]
                self.heard += ids
                n_most -= len(ids)

    def run(self):
        end = time.monotonic() + WAIT_S
        while not self.is_over() and time.monotonic() < end:
            try:
                self.listen(self.random.randrange(1, 12))
            except OSError:  # there is no daemon now
                time.sleep(LOOK_S)


listeners = [Listener(name, seed) for name in names for seed in range(EACH)]
for listener in listeners:
    listener.start()
for listener in listeners:
    listener.join()
bad = [l for l in listeners if l.wanted is None or l.heard != l.wanted]
for l in bad[:3]:
    print(f"{l.name}: wanted {l.wanted}, heard {l.heard}")
for name in names:
    mine = [l for l in listeners if l.name == name]
    print(f"   {name}: {len(mine)} heard {len(mine[0].heard)} events each, and came {sum(l.n_came for l in mine)} times")
sys.exit(bool(bad))
