"""fake_vault: as much of Vault's HTTP API as the store asks. SPDX-License-Identifier: Apache-2.0

    fake_vault.py PORT_FILE [CERT KEY]        listens on a free port of 127.0.0.1, which it writes into the
                                              file; over TLS where it is given a certificate and its key

Role `reeve` with secret id `first-secret-id` signs in; the token `root` is always good. Mount `kv` holds
versions; what lies below kv/denied is forbidden. The test turns it by POST /ctl/WORD:

    seal unseal       every answer is 503, or is not
    revoke            tokens that were given are good no more
    drop              the next write is done, its answer never comes
    short             tokens that are given from now on are said to be good for one second, and longer when renewed
    last              renewing gives no more time
    GET /ctl/counts   {"logins": N, "renewals": N, "writes": {PATH: N}}
"""

import http.server
import json
import os
import ssl
import sys
import time
import urllib.parse

STATE = {"sealed": False, "drop": False, "tokens": {"root": None}, "lease": 3600, "last": False, "logins": 0,
         "renewals": 0, "writes": {}, "paths": {}, "clock": 0}


def forget(path, which):
    """DELETE of the newest version, or of everything ever known of the path."""
    if which == "metadata":
        STATE["paths"].pop(path, None)
    elif path in STATE["paths"]:
        STATE["paths"][path][-1]["deletion_time"] = "2026-01-01T00:00:00Z"


class Vault(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=None):
        data = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def body(self):
        n = int(self.headers.get("Content-Length") or 0)
        return json.loads(self.rfile.read(n)) if n else {}

    def control(self, word):
        if word == "counts":
            return self.answer(200, {k: STATE[k] for k in ("logins", "renewals", "writes")})
        if word == "revoke":
            STATE["tokens"] = {"root": None}
        elif word in ("seal", "unseal"):
            STATE["sealed"] = word == "seal"
        elif word in ("drop", "last"):
            STATE[word] = True
        elif word == "short":
            STATE["lease"] = 1
        return self.answer(204)

    def login(self, body):
        if body != {"role_id": "reeve", "secret_id": "first-secret-id"}:
            return self.answer(400, {"errors": ["invalid role or secret ID " + str(body.get("secret_id"))]})
        STATE["logins"] += 1
        token = "hvs.of-a-login-%d" % STATE["logins"]
        STATE["tokens"][token] = time.monotonic() + STATE["lease"] + 60  # no test runs against it
        return self.answer(200, {"auth": {"client_token": token, "lease_duration": STATE["lease"], "renewable": True}})

    def is_good(self, token):
        return token in STATE["tokens"] and (STATE["tokens"][token] is None or time.monotonic() < STATE["tokens"][token])

    def of_token(self, word, token):
        if word != "renew-self":
            return self.answer(200, {"data": {"id": token}})
        STATE["renewals"] += 1
        if STATE["tokens"][token] is None:
            return self.answer(400, {"errors": ["lease is not renewable"]})
        if STATE["last"]:
            return self.answer(200, {"auth": {"client_token": token, "lease_duration": 0, "renewable": True}})
        STATE["tokens"][token] = time.monotonic() + 3600
        return self.answer(200, {"auth": {"client_token": token, "lease_duration": 3600, "renewable": True}})

    def read(self, path, query):
        versions = STATE["paths"].get(path, [])
        number = int(query.get("version", ["0"])[0]) or len(versions)
        if not 1 <= number <= len(versions):
            return self.answer(404, {"errors": []})
        found = versions[number - 1]
        about = {k: v for k, v in found.items() if k != "data"}
        if found["deletion_time"]:
            return self.answer(404, {"data": {"data": None, "metadata": about}})
        return self.answer(200, {"data": {"data": found["data"], "metadata": about}})

    def write(self, path, body):
        versions = STATE["paths"].setdefault(path, [])
        cas = body.get("options", {}).get("cas")
        if cas is not None and cas != len(versions):
            return self.answer(400, {"errors": ["check-and-set parameter did not match the current version"]})
        STATE["clock"] += 1
        STATE["writes"][path] = STATE["writes"].get(path, 0) + 1
        versions.append({"data": body["data"], "version": len(versions) + 1, "destroyed": False,
                         "deletion_time": "", "created_time": "2026-01-01T00:00:00.%09dZ" % STATE["clock"]})
        if STATE["drop"]:
            STATE["drop"] = False
            self.close_connection = True
            return None
        return self.answer(200, {"data": {"version": len(versions)}})

    def act(self):
        url = urllib.parse.urlsplit(self.path)
        parts = [urllib.parse.unquote(p) for p in url.path.strip("/").split("/")]
        body = self.body()
        if parts[0] == "ctl":
            return self.control(parts[1])
        if STATE["sealed"]:
            return self.answer(503, {"errors": ["Vault is sealed"]})
        if parts == ["v1", "auth", "approle", "login"]:
            return self.login(body)
        token = self.headers.get("X-Vault-Token")
        if not self.is_good(token):
            return self.answer(403, {"errors": ["permission denied for " + str(token)]})
        if parts[:3] == ["v1", "auth", "token"]:
            return self.of_token(parts[3], token)
        if parts[:2] != ["v1", "kv"] or len(parts) < 4:
            return self.answer(404, {"errors": ["no handler for route"]})
        path = "/".join(parts[3:])
        if parts[3] == "denied":
            return self.answer(403, {"errors": ["1 error occurred: permission denied"]})
        if self.command == "DELETE":
            forget(path, parts[2])
            return self.answer(204)
        if self.command == "GET":
            return self.read(path, urllib.parse.parse_qs(url.query))
        return self.write(path, body)

    do_GET = do_POST = do_DELETE = act


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Vault)
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as f:
        f.write("%d\n" % server.server_address[1])
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    server.serve_forever()


main()
