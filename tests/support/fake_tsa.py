"""fake_tsa: a time stamp authority over HTTP whose answers openssl signs. SPDX-License-Identifier: Apache-2.0

    fake_tsa.py DIR PORT_FILE       DIR as tsa.sh makes it; listens on a free port of 127.0.0.1, which it writes into the
                                    file, or on that which stands there

POST / is answered as DIR/mode says, which the test writes: a word of MODES.
DIR/asked has a line for each request: its mode, or what is wrong with the request.
"""

import http.server
import os
import subprocess
import sys

DIR = sys.argv[1]
MODES = ("good", "foreign", "expired", "replay", "other", "status", "huge", "garbage", "cut", "picky")
KEPT = []


def reply(query, who="good", settings="tsa.cnf"):
    with open(f"{DIR}/query", "wb") as f:
        f.write(query)
    subprocess.run([f"{DIR}/reply", who, "query", "answer", settings], check=True, capture_output=True)
    with open(f"{DIR}/answer", "rb") as f:
        return f.read()


def other_query():
    subprocess.run(["openssl", "ts", "-query", "-data", f"{DIR}/tsa.cnf", "-sha256", "-cert", "-out", f"{DIR}/other"], check=True,
                   capture_output=True)
    with open(f"{DIR}/other", "rb") as f:
        return f.read()


def answer(mode, query):
    if mode in ("foreign", "expired"):
        return 200, reply(query, mode)
    if mode == "picky":
        return 200, reply(query, "good", "picky.cnf")
    if mode == "replay":
        return 200, KEPT[0]
    if mode == "other":
        return 200, reply(other_query())
    if mode == "status":
        return 503, b"come back later"
    if mode == "huge":
        return 200, b"\x30" * (1 << 20)
    if mode == "garbage":
        return 200, b"<html>\x00\x1b[31m"
    whole = reply(query)
    KEPT.append(whole)
    return 200, whole[:100] if mode == "cut" else whole


class Authority(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        query = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with open(f"{DIR}/mode", encoding="utf-8") as f:
            mode = f.read().strip()
        assert mode in MODES, mode
        is_right = self.headers.get("Content-Type") == "application/timestamp-query"
        with open(f"{DIR}/asked", "a", encoding="utf-8") as f:
            f.write(f"{mode if is_right else 'no content type'}\n")
        status, data = answer(mode, query)
        self.send_response(status)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main():
    file = sys.argv[2]
    port = 0
    if os.path.exists(file):
        with open(file, encoding="utf-8") as f:
            port = int(f.read())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Authority)
    with open(f"{file}.new", "w", encoding="utf-8") as f:
        f.write(str(server.server_port))
    os.rename(f"{file}.new", file)
    server.serve_forever()


main()
