"""fake_forge: as much of the APIs of GitHub, GitLab and Gitea as checks are asked of. SPDX-License-Identifier: Apache-2.0

    fake_forge.py PORT_FILE LOG        listens on a free port of 127.0.0.1, which it writes into the file; what it
                                       was asked for stands in the log, a line each: TYPE METHOD TARGET

The API of a type lies below /TYPE. The token is `forge-token`, in the header that the type wants. The test turns it:

    POST /ctl/say {"name", "state", "app", "url"}   another report, the newest, of every commit
    POST /ctl/clear                                 nobody has reported anything
    POST /ctl/status {"status": N}                  every answer is this; 200: they are answers again
"""

import http.server
import json
import os
import sys
import urllib.parse

REPORTS = []
STATE = {"status": 200}
SIGN_IN = {"github": ("Authorization", "Bearer forge-token"), "gitlab": ("PRIVATE-TOKEN", "forge-token"),
           "gitea": ("Authorization", "token forge-token")}
CONCLUSIONS = {"pending": None, "failed": "failure"}


def run(report):
    state = report["state"]
    return {"name": report["name"], "status": "in_progress" if state == "pending" else "completed",
            "conclusion": CONCLUSIONS.get(state, state), "app": {"slug": report["app"]}, "html_url": report["url"]}


def status(report, name, state, author, member):
    return {name: report["name"], state: report["state"], author: {member: report["app"]}, "target_url": report["url"],
            "coverage": 98.29}


def answer(kind, path):
    if kind == "github" and path.endswith("/check-runs"):
        return {"total_count": len(REPORTS), "check_runs": [run(r) for r in REPORTS]}
    if kind == "github" and path.endswith("/statuses"):
        return []
    if kind == "gitlab" and path.endswith("/statuses"):
        return [status(r, "name", "status", "author", "username") for r in REPORTS]
    if kind == "gitlab" and path.endswith("/pipelines"):
        return []
    if kind == "gitea" and path.endswith("/statuses"):
        return [status(r, "context", "status", "creator", "login") for r in REPORTS]
    return None


class Forge(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def give(self, code, body):
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        kind = url.path.split("/")[1]
        with open(sys.argv[2], "a") as log:
            log.write(f"{kind} GET {self.path[len(kind) + 1:]}\n")
        header, token = SIGN_IN.get(kind, ("", ""))
        page = int(urllib.parse.parse_qs(url.query).get("page", ["1"])[0])
        if STATE["status"] != 200:
            self.give(STATE["status"], {})
        elif self.headers.get(header) != token:
            self.give(401, {})
        elif answer(kind, url.path) is None:
            self.give(404, {})
        else:
            self.give(200, answer(kind, url.path) if page == 1 else [])

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.path == "/ctl/say":
            REPORTS.insert(0, body)
        elif self.path == "/ctl/clear":
            REPORTS.clear()
        else:
            STATE["status"] = body["status"]
        self.give(200, {})


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forge)
with open(sys.argv[1] + ".new", "w") as f:
    f.write(str(server.server_address[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
