#!/usr/bin/python3
"""notify: what vendors are sent is what their contracts take. SPDX-License-Identifier: Apache-2.0

    notify.py NOTIFY_REQUESTS CONTRACTS

Each request is held against the vendor's OpenAPI document: the path is one of its paths, the method one of that path, each
member of the body is known there and as it says, none that it needs is missing. Exit status 77: the contracts, which are
not part of the project, or python3-jsonschema are not here.
"""
import json
import os
import re
import subprocess
import sys

try:
    import jsonschema
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

FILES = {"slack": "slack/slack-incoming-webhook", "sentry": "sentry/sentry", "github": "github/github",
         "gitlab": "gitlab/gitlab", "gitea": "gitea/gitea"}


def load(folder, vendor):
    with open(f"{folder}/{FILES[vendor]}.openapi.json", encoding="utf-8") as f:
        return json.load(f)


def find(document, base, path):
    """The path of the contract that has as many parts, with the fewest of them free."""
    found = []
    for known in document["paths"]:
        pattern = "/".join("[^/]+" if part.startswith("{") else re.escape(part) for part in (base + known).split("/"))
        if re.fullmatch(pattern, path):
            found.append((known.count("{"), known))
    return min(found)[1] if found else None


def plain(node, document):
    """A schema of OpenAPI as JSON Schema: references followed, `nullable` said so."""
    if isinstance(node, list):
        return [plain(one, document) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        there = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            there = there[part]
        return plain(there, document)
    made = {key: plain(one, document) for key, one in node.items() if key not in ("nullable", "example", "examples", "default")}
    if node.get("nullable") and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    return made


def members(operation, shared, document):
    """The schema of the body, of OpenAPI 3 or Swagger 2: as one object, or as fields of a form."""
    body = operation.get("requestBody")
    if body:
        return plain(plain(body, document)["content"]["application/json"]["schema"], document)
    made = {"type": "object", "properties": {}, "required": []}
    for one in plain(operation.get("parameters", []) + shared, document):
        if one["in"] == "body":
            return plain(one["schema"], document)
        if one["in"] == "formData":
            made["properties"][one["name"]] = {key: one[key] for key in ("type", "enum", "format") if key in one}
            if one.get("required"):
                made["required"].append(one["name"])
    return made


def judge(request, document):
    base = document.get("basePath", "").rstrip("/")
    known = find(document, base, request["path"]) or (base and find(document, "", request["path"]))
    if not known:
        return [f"no path {request['path']}"]
    operation = document["paths"][known].get(request["method"].lower())
    if not operation:
        return [f"{known} is not asked by {request['method']}"]
    schema, body = members(operation, document["paths"][known].get("parameters", []), document), json.loads(request["body"])
    problems = [f"{known}: {one.message}" for one in jsonschema.Draft7Validator(schema).iter_errors(body)]
    problems += [f"{known}: it knows no member {name!r}" for name in body if name not in schema.get("properties", {})]
    if not any(one.lower() == "content-type: application/json" for one in request["headers"]):
        problems.append(f"{known}: the body has no type")
    return problems


def main():
    program, folder = sys.argv[1:]
    if not os.path.isdir(folder):
        print(f"skipped: {folder} is not here")
        return 77
    documents, n_wrong, seen = {}, 0, {}
    for line in subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines():
        request = json.loads(line)
        vendor = request["vendor"]
        documents.setdefault(vendor, load(folder, vendor))
        seen[vendor] = seen.get(vendor, 0) + 1
        for problem in judge(request, documents[vendor]):
            print(f"{vendor}: {problem}")
            n_wrong += 1
    print("requests:", ", ".join(f"{n} of {vendor}" for vendor, n in sorted(seen.items())))
    return 1 if n_wrong or set(seen) != set(FILES) else 0


sys.exit(main())
