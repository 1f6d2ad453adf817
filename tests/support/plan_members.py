# plan_members: the members of plans against the API's own schema. SPDX-License-Identifier: Apache-2.0
#
#     plan_members.py OPENAPI.json PLAN.json..       says what is printed and not documented, and the other way round
import json
import sys

# Not in every story: while a driver is to be asked again later, and where a name moved.
SELDOM = {
    "operations[].not_before_ms", "operations[].poll_at_ms", "operations[].acted", "difference.lines[].from",
    "document.lines[].from", "document.core.items[].from",
}


def documented(schemas, schema, path, names, free):
    if "$ref" in schema:
        return documented(schemas, schemas[schema["$ref"].rsplit("/", 1)[1]], path, names, free)
    if "items" in schema:
        return documented(schemas, schema["items"], path + "[]", names, free)
    if not ({"properties", "type"} & set(schema)) or schema == {"type": "object"}:
        free.add(path)
    for name, member in schema.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        names.add(below)
        member = {key: member[key] for key in member if key != "description"}
        documented(schemas, member, below, names, free)


def printed(value, path, free, found):
    if path in free:
        return
    if isinstance(value, list):
        for item in value:
            printed(item, path + "[]", free, found)
    elif isinstance(value, dict):
        for key in value:
            below = f"{path}.{key}" if path else key
            found.add(below)
            printed(value[key], below, free, found)


names, free, found = set(), set(), set()
schemas = json.load(open(sys.argv[1]))["components"]["schemas"]
documented(schemas, schemas["plan"], "", names, free)
for path in sys.argv[2:]:
    printed(json.load(open(path)), "", free, found)
for name in sorted(found - names):
    print("not documented:", name)
for name in sorted(names - found - SELDOM):
    print("not printed:", name)
sys.exit(bool(found - names or names - found - SELDOM))
