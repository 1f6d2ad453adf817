# api_recorder: stands between a client and the daemon's socket, and writes down all that is said. SPDX-License-Identifier: Apache-2.0
#
#     api_recorder.py SOCKET DAEMON_SOCKET RECORD        a line of JSON a request, appended
import http.client
import http.server
import json
import socket
import socketserver
import sys
import threading

HERE, THERE, RECORD = sys.argv[1:]
lock = threading.Lock()


class Daemon(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(THERE)


def first_events(answer):
    """Of a stream that does not end: whole events, until one has data."""
    said = b""
    while b"data:" not in said or not said.endswith(b"\n\n"):
        said += answer.read1(65536) or b"\n\ndata:\n\n"
    return said


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "socket"

    def log_message(self, *words):
        pass

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        daemon = Daemon("localhost")
        try:
            headers = {name: self.headers[name] for name in self.headers if name.lower() != "connection"}
            daemon.request(self.command, self.path, body or None, headers)
            answer = daemon.getresponse()
            said = first_events(answer) if "event-stream" in answer.getheader("Content-Type", "") else answer.read()
        except OSError:
            self.close_connection = True
            return
        line = {
            "method": self.command,
            "target": self.path,
            "body": body.decode(),
            "status": answer.status,
            "headers": {name.lower(): value for name, value in answer.getheaders()},
            "answer": said.decode(),
        }
        with lock, open(RECORD, "a") as record:
            record.write(json.dumps(line) + "\n")
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_DELETE = do_PUT = pass_on


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


Server(HERE, Handler).serve_forever()
