#!/usr/bin/python3
"""fake_log_sink: takes lines by POST, as HTTP receivers of logs do. SPDX-License-Identifier: Apache-2.0

    fake_log_sink.py FOLDER PORT

FOLDER/answer says what is answered: a status, and seconds for Retry-After; without it 204. What is answered 2xx goes to
FOLDER/taken, as it came. FOLDER/asked has a line a request: status, type, X-Token, number of lines.
"""
import http.server
import os
import sys

FOLDER, PORT = sys.argv[1], int(sys.argv[2])


def answer():
    try:
        with open(os.path.join(FOLDER, "answer")) as f:
            words = f.read().split()
    except FileNotFoundError:
        words = []
    return (int(words[0]) if words else 204), (words[1] if len(words) > 1 else None)


class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, after = answer()
        if 200 <= status < 300:
            with open(os.path.join(FOLDER, "taken"), "ab") as f:
                f.write(body)
        with open(os.path.join(FOLDER, "asked"), "a") as f:
            f.write("%d %s %s %d\n" % (status, self.headers["Content-Type"], self.headers["X-Token"], body.count(b"\n")))
        self.send_response(status)
        if after:
            self.send_header("Retry-After", after)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Sink).serve_forever()
