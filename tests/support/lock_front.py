"""lock_front: a store that says of its objects how long they are locked, before one that does not. SPDX-License-Identifier: Apache-2.0

    lock_front.py PORT_FILE TO      listens on a free port of 127.0.0.1, which it writes into the file; hands everything on to
                                    http://TO

What a PUT asks for (x-amz-object-lock-*) is remembered, with its checksum looked at, and said again by HEAD. Nothing is
locked: that takes another store than those that run beside a test.
"""

import base64
import hashlib
import http.client
import http.server
import os
import sys

LOCKS = {}


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hand_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        lock = [(k, v) for k, v in self.headers.items() if k.lower().startswith("x-amz-object-lock-")]
        if lock:
            wanted = base64.b64encode(hashlib.sha256(body).digest()).decode()
            if self.headers.get("x-amz-checksum-sha256") != wanted:
                return self.say(400, [], b"<Error><Code>InvalidRequest</Code></Error>")
            LOCKS[self.path] = lock
        there = http.client.HTTPConnection(sys.argv[2])
        there.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            there.putheader(name, value)
        there.endheaders(body)
        answer = there.getresponse()
        data = answer.read()
        kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in ("content-length", "transfer-encoding", "connection")]
        self.say(answer.status, kept + (LOCKS.get(self.path, []) if self.command == "HEAD" else []), data)
        there.close()

    do_GET = do_PUT = do_HEAD = do_DELETE = hand_on


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
    with open(f"{sys.argv[1]}.new", "w", encoding="utf-8") as f:
        f.write(str(server.server_port))
    os.rename(f"{sys.argv[1]}.new", sys.argv[1])
    server.serve_forever()


main()
