"""notify_sink: whoever is told, by HTTP and by mail. SPDX-License-Identifier: Apache-2.0

    notify_sink.py DIRECTORY HTTP_PORT SMTP_PORT [CERT KEY]

What was taken stands in DIRECTORY/taken, what was refused in DIRECTORY/refused, one JSON object a line. While there is a
file DIRECTORY/refuse everything is refused, by the status that stands in it. A request to a path that ends with /hook is
checked as docs/notifications.md says, with the key in DIRECTORY/key. Mail is taken after STARTTLS and a password alone,
where there is a certificate.
"""

import base64
import email
import email.policy
import hashlib
import hmac
import http.server
import json
import os
import signal
import ssl
import sys
import threading
import time

DIRECTORY = sys.argv[1]
PASSWORD = "mail-password"
LOCK = threading.Lock()


def refusal():
    try:
        return int(open(f"{DIRECTORY}/refuse").read())
    except FileNotFoundError:
        return 0


def note(name, **record):
    with LOCK, open(f"{DIRECTORY}/{name}", "a") as out:
        out.write(json.dumps(record, sort_keys=True) + "\n")


def is_signed(headers, body):
    key = open(f"{DIRECTORY}/key", "rb").read()
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return fresh and hmac.compare_digest(wanted, headers["webhook-signature"])


class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {k.lower(): v for k, v in self.headers.items()}
        status = refusal()
        good = not self.path.endswith("/hook") or is_signed(headers, body)
        note("refused" if status else "taken", how="http", path=self.path, headers=headers,
             body=json.loads(body), signed=good)
        self.send_response(status or (200 if good else 401))
        self.send_header("Content-Length", "0")
        if status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()


class Mail:
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        status = refusal()
        note("refused" if status else "taken", how="mail", sender=envelope.mail_from, to=envelope.rcpt_tos,
             tls=session.ssl is not None, headers={k.lower(): str(v) for k, v in message.items()},
             body=message.get_content(), raw=envelope.content.decode("ascii"))
        return "451 not now" if status else "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    from aiosmtpd.smtp import AuthResult

    return AuthResult(success=data.password == PASSWORD.encode())


def serve_mail(port):
    from aiosmtpd.controller import Controller

    options = {}
    if len(sys.argv) > 5:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[4], sys.argv[5])
        options = {"tls_context": context, "require_starttls": True, "auth_required": True,
                   "authenticator": authenticate}
    controller = Controller(Mail(), hostname="127.0.0.1", port=port, **options)
    controller.start()
    return controller


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


if sys.argv[3] != "-":
    serve_mail(int(sys.argv[3]))
server = Server(("127.0.0.1", int(sys.argv[2])), Sink)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
open(f"{DIRECTORY}/ready", "w").close()
server.serve_forever()
