"""forge_contracts: requests against the contracts of the forges. SPDX-License-Identifier: Apache-2.0

    forge_contracts.py CONTRACTS LOG      LOG as fake_forge.py writes it

Each path must be one that the contract has for GET, each parameter one that it knows. The contract of GitHub was cut
down to what is written there: its list of check runs is not in it.
"""

import json
import re
import sys
import urllib.parse

PREFIX = {"github": "", "gitlab": "/api/v4", "gitea": "/api/v1"}
NOT_THERE = {"/repos/{owner}/{repo}/commits/{ref}/check-runs", "/api/v4/projects/{id}/pipelines"}


def names(document, item):
    for parameter in item:
        if "$ref" in parameter:
            parameter = document["components"]["parameters"][parameter["$ref"].split("/")[-1]]
        yield parameter["name"]


def complaint(kind, target):
    document = json.load(open(f"{sys.argv[1]}/{kind}/{kind}.openapi.json"))
    url = urllib.parse.urlsplit(target)
    path = PREFIX[kind] + url.path
    for template, item in document["paths"].items():
        if not re.fullmatch(re.sub(r"\\{[^/]*?\\}", "[^/]+", re.escape(template)), path) or "get" not in item:
            continue
        known = set(names(document, item.get("parameters", []) + item["get"].get("parameters", [])))
        return [p for p in urllib.parse.parse_qs(url.query) if p not in known]
    for template in NOT_THERE:
        if re.fullmatch(re.sub(r"\\{[^/]*?\\}", "[^/]+", re.escape(template)), path):
            return []
    return ["no such path"]


bad = 0
lines = set(open(sys.argv[2]).read().splitlines())
for line in sorted(lines):
    kind, _, target = line.split(" ")
    found = complaint(kind, target)
    bad += bool(found)
    if found:
        print(line, found)
print(f"{len(lines)} requests, {bad} that the contracts refuse")
sys.exit(bad != 0 or not lines)
