# api_referee: what a daemon said against the OpenAPI document that it serves. SPDX-License-Identifier: Apache-2.0
#
#     api_referee.py OPENAPI.json RECORD           1: a line for each answer that is not as documented
#     api_referee.py OPENAPI.json RECORD missing   METHOD PATH of each route that nobody asked yet
#
# The schemas are open, because answers get more members; here they are closed, so that each member is documented.
# Exit status 77: python3-jsonschema is not here.
import collections
import copy
import json
import re
import sys
import urllib.parse

try:
    import jsonschema
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

document = json.load(open(sys.argv[1]))
wrong = []


def walk(node, path=""):
    yield path, node
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from walk(value, f"{path}/{key}")


# --- the document itself --------------------------------------------------------------------------------

def resolve(reference):
    node = document
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


ids = collections.Counter()
for path, node in walk(document):
    if isinstance(node, dict) and isinstance(node.get("$ref"), str):
        try:
            resolve(node["$ref"])
        except KeyError:
            wrong.append(f"{path}: nothing is at {node['$ref']}")
    if isinstance(node, dict) and "operationId" in node:
        ids[node["operationId"]] += 1
wrong += [f"operationId {name} stands {n} times" for name, n in ids.items() if n > 1]
for name, schema in document["components"]["schemas"].items():
    jsonschema.Draft202012Validator.check_schema(schema)
for path, methods in document["paths"].items():
    for method, operation in methods.items():
        said = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
        if said != set(re.findall(r"{(\w+)}", path)):
            wrong.append(f"{method} {path}: its parameters are {sorted(said)}")

# --- what was said --------------------------------------------------------------------------------------

closed = copy.deepcopy(document)
for path, node in walk(closed):
    if isinstance(node, dict) and "properties" in node and node.get("type") == "object":
        node.setdefault("additionalProperties", False)
resolver = jsonschema.RefResolver("", closed)
operations = [
    (method.upper(), path, re.compile(re.sub(r"{\w+}", "[^/]+", path) + "$"), operation)
    for path, methods in closed["paths"].items()
    for method, operation in methods.items()
]


def check(what, schema, value):
    for error in jsonschema.Draft202012Validator(schema, resolver=resolver).iter_errors(value):
        place = "/".join(str(part) for part in error.absolute_path)
        wrong.append(f"{what}: {place}: {error.message[:300]}")


def check_request(what, operation, query, body, was_taken):
    known = {one["name"]: one for one in operation.get("parameters", []) if one["in"] == "query"}
    if not was_taken:
        return
    for name, text in query:
        if name not in known:
            wrong.append(f"{what}: '{name}' is taken and not documented")
        elif known[name]["schema"]["type"] == "integer":
            check(f"{what}, {name}", known[name]["schema"], int(text))
        else:
            check(f"{what}, {name}", known[name]["schema"], text)
    if body:
        content = operation.get("requestBody", {}).get("content", {})
        if json.loads(body) or content:
            check(f"{what}, its body", content["application/json"]["schema"], json.loads(body))


def check_answer(what, operation, line):
    response = operation["responses"].get(str(line["status"]))
    if response is None:
        return wrong.append(f"{what}: status {line['status']} is not documented")
    response = resolve(response["$ref"]) if "$ref" in response else response
    if "content" not in response and not line["answer"]:
        return None
    kind = line["headers"].get("content-type", "").split(";")[0]
    if kind not in response.get("content", {}):
        return wrong.append(f"{what}: an answer of {kind} is not documented")
    said = [line["answer"]]
    if kind == "text/event-stream":
        said = re.findall(r"^data: ?(.+)$", line["answer"], re.M)
    for text in said:
        check(f"{what}, its answer", response["content"][kind]["schema"], json.loads(text))


ELSEWHERE = ["POST /api/v1/takeover"]  # of a standby: e2e/takeover
seen, granted, checked, statuses = set(), set(), set(), collections.Counter()
for text in open(sys.argv[2]):
    line = json.loads(text)
    statuses[line["status"]] += 1
    path, _, query = line["target"].partition("?")
    found = [one for one in operations if one[0] == line["method"] and one[2].match(path)]
    if not found:
        if line["status"] not in (400, 404):
            wrong.append(f"{line['method']} {path}: taken and not documented")
        continue
    operation = found[-1]
    name = f"{operation[0]} {operation[1]}"
    seen.add(name)
    if line["status"] < 300:
        granted.add(name)
    key = (name, query, line["body"], line["status"], line["answer"])
    if key in checked:
        continue
    checked.add(key)
    check_request(name, operation[3], urllib.parse.parse_qsl(query), line["body"], line["status"] < 300)
    check_answer(name, operation[3], line)

names = [f"{method} {path}" for method, path, _, _ in operations]
if sys.argv[3:] == ["missing"]:
    print("\n".join(name for name in names if name not in seen))
    sys.exit()
wrong += [f"{name}: documented, and nobody asked" for name in names if name not in seen]
refused = [name for name in names if name not in granted]
wrong += [f"{name}: was only refused" for name in refused if name in seen and name not in ELSEWHERE]

for sentence in list(dict.fromkeys(wrong))[:60]:
    print(sentence)
print(f"{sum(statuses.values())} answers, {len(checked)} different ones; {len(operations)} routes, "
      f"only refused: {refused or 'none'}; statuses {dict(sorted(statuses.items()))}; wrong: {len(set(wrong))}")
sys.exit(bool(wrong))
