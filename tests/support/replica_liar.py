# replica_liar: stands between a standby and its daemon, and lies as it is told. SPDX-License-Identifier: Apache-2.0
#
#     replica_liar.py SOCKET DAEMON_SOCKET WORD_FILE
#
# The file holds one word, read when there is an answer; "honest" passes everything on.
import http.client
import http.server
import json
import os
import socket
import socketserver
import sys

HERE, THERE, WORD = sys.argv[1:]
CHUNK = b" " * (1 << 20)


class Daemon(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(THERE)


# --- lies: of a page, what is said instead ----------------------------------------------------------------


def forged(page):
    page["events"][-1]["body"] = page["events"][-1]["body"].replace("{", '{"more":1,', 1)
    return page


def renamed(page):
    page["events"][-1]["actor"] = "local:nobody(65534)"
    return page


def gap(page):
    del page["events"][0]
    return page


def torn(page):
    del page["events"][0]["body"]
    return page


def rewritten(page):
    page["after_hash"] = "0" * 64
    return page


def older(page):
    page["head_seq"] = 1
    page["events"] = []
    return page


def stranger(page):
    page["installation"] = "018bcfe5-6800-7000-8000-000000000002"
    return page


def garbage(page):
    return "hello"


def deep(page):
    return "[" * 100000


def many(page):
    page["events"] = [0] * 1000000
    return page


lies = {f.__name__: f for f in (forged, renamed, gap, torn, rewritten, older, stranger, garbage, deep, many)}

# --- serving ----------------------------------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "socket"

    def log_message(self, *words):
        pass

    def answer(self, status, text, more=()):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        for name, value in more:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def endless(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(CHUNK), CHUNK))
        except OSError:
            self.close_connection = True

    def asked(self):
        daemon = Daemon("localhost")
        daemon.request("GET", self.path, headers={"Host": "localhost"})
        answer = daemon.getresponse()
        return answer.status, answer.read()

    def do_GET(self):
        status, text = self.asked()  # it may have waited for news
        word = open(WORD).read().strip()
        if word == "honest":
            self.answer(status, text)
        elif word == "endless":
            self.endless()
        elif word == "elsewhere":
            self.answer(302, b"{}", [("Location", "http://localhost/api/v1/replica?after=0")])
        elif word == "ill":
            self.answer(500, b'{"detail": "it does not feel well"}')
        elif word == "silent":
            self.connection.recv(1)
            self.close_connection = True
        else:
            page = json.loads(text)
            if page["events"] or word == "older":
                page = lies[word](page)
            self.answer(status, page.encode() if isinstance(page, str) else json.dumps(page).encode())


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


if os.path.exists(HERE):
    os.unlink(HERE)
Server(HERE, Handler).serve_forever()
