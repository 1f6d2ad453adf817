"""hooks: how long deliveries wait for their answer. SPDX-License-Identifier: Apache-2.0

    hooks.py HOST:PORT PATH SECRET N [BRANCH]      one after the other on one connection; p50 and p99 in milliseconds

With PATH /healthz nothing is sent: what a round trip costs.
"""
import hashlib
import hmac
import http.client
import json
import sys
import time

address, path, secret, n = sys.argv[1:5]
branch = sys.argv[5] if len(sys.argv) > 5 else "main"
is_hook = path.startswith("/hooks/")
connection = http.client.HTTPConnection(address, timeout=60)
took = []
for i in range(int(n)):
    body = json.dumps({"ref": f"refs/heads/{branch}", "after": f"{time.time_ns():040x}",
                       "repository": {"full_name": "acme/shop"}, "commits": ["x" * 4000]}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    began = time.perf_counter()
    if is_hook:
        connection.request("POST", path, body, {"X-GitHub-Event": "push", "X-Hub-Signature-256": "sha256=" + signature})
    else:
        connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    took.append((time.perf_counter() - began) * 1000)
    if answer.status != (202 if is_hook else 200):
        sys.exit(f"{path}: {answer.status}")
took.sort()
print(f"{took[len(took) // 2]:.2f} {took[min(len(took) - 1, len(took) * 99 // 100)]:.2f}")
