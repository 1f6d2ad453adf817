#!/usr/bin/python3
"""schema_agrees: JSON Schema and Reeve say the same of every golden spec and example. SPDX-License-Identifier: Apache-2.0

    schema_agrees.py REEVE GOLDEN [FILE ..]

What the schema refuses Reeve refuses. What the grammar of Reeve refuses the schema refuses, at the same field,
but for the rows of ONLY_REEVE. Exit status 77: python3-jsonschema or python3-yaml is not here.
"""
import json
import re
import subprocess
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

# A message of Reeve that the schema need not have, and why.
ONLY_REEVE = [
    (r"\[(yaml|duplicate)\]$", "spelling: a reader of YAML hands over values alone"),
    (r"\[quote\]$", "spelling: what a plain word is to YAML 1.1"),
    (r"\[kind\]$", "where a document lies"),
    (r"(outside|less than) .*\d(ms|s|m|h|d|K|M|G|T|%)(?!\w).* \[range\]$", "a number with a unit"),
    (r"less than \d+ms \[range\]$", "a number with a unit"),
    (r"is not a (duration|size) .*\[type\]$", "a number with a unit that is too large"),
    (r"is not an address or a network .*\[type\]$", "bits behind a prefix"),
    (r"is not a range of (ports|user ids) .*\[type\]$", "the second is less than the first"),
    (r"is not a number of processors .*\[type\]$|cpus: .*\[range\]$", "decimals, and how they are written"),
    (r"'(0\w+|\d+e\d+)' is not a whole number \[type\]$|'(True|TRUE|False|FALSE)' is not true or false", "spelling"),
    (r"is not (a time zone|five fields of a schedule).*\[type\]$", "names that a zone or a month has"),
    (r"min_version: '[0-9.]+' is not one of the words allowed \[word\]$", "a version is a number to whoever reads YAML"),
]


class Loader(yaml.SafeLoader):
    """Plain words as the core schema of YAML 1.2 reads them, which editors use."""

    yaml_implicit_resolvers = {}


for tag, pattern in [
    ("bool", r"true|True|TRUE|false|False|FALSE"),
    ("null", r"~|null|Null|NULL|"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"),
    ("merge", r"<<"),
]:
    Loader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(f"^(?:{pattern})$"), None)


def whole(loader, node):
    return int(node.value, 0) if node.value[:2] in ("0o", "0x") else int(node.value)


Loader.add_constructor("tag:yaml.org,2002:int", whole)


def plain(v):
    """As JSON has it: keys are text."""
    if isinstance(v, dict):
        return {str(k): plain(x) for k, x in v.items()}
    return [plain(x) for x in v] if isinstance(v, list) else v


def documents(text):
    try:
        return [plain(d) for d in yaml.load_all(text, Loader)]
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def places(errors):
    """Where an error is, and those that it is made of; indices of lists left out as Reeve does."""
    for e in errors:
        yield ".".join(str(p) for p in e.absolute_path if not isinstance(p, int))
        yield from places(e.context)


def place_of(message):
    match = re.match(r"([A-Za-z0-9_./*$-]+): ", message)
    return match.group(1) if match else ""


def is_only_reeves(message):
    return any(re.search(pattern, message) for pattern, _ in ONLY_REEVE)


def disagreements(validator, entry):
    if any("[limit]" in message for message in entry["said"]):
        return  # what refers to itself a million times is not read by others
    read = documents(entry["text"])
    if read is None:
        if not entry["said"]:
            yield "no YAML to others, and nothing is said of it"
        return
    errors = [e for d in read for e in validator.iter_errors(d)]
    at = set(places(errors))
    if errors and not entry["said"]:
        yield "the schema refuses what Reeve takes: " + errors[0].message[:200]
    for message in entry["said"]:
        place = place_of(message)
        is_there = any(p == place or not place or p.startswith(place + ".") for p in at)
        if not is_there and not is_only_reeves(message):
            yield "Reeve refuses what the schema takes: " + message


def main():
    reeve, golden, *files = sys.argv[1:]
    schema = json.loads(subprocess.run([reeve, "schema"], check=True, capture_output=True).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    entries = json.loads(subprocess.run([golden, "grammar", *files], check=True, capture_output=True).stdout)
    wrong = 0
    for entry in entries:
        for text in disagreements(validator, entry):
            print(f"{entry['from']}: {entry['file']}: {text}")
            wrong += 1
    refused = sum(1 for e in entries if e["said"])
    print(f"{len(entries)} files, {refused} of them refused by Reeve; {wrong} disagreements")
    return 1 if wrong or not entries else 0


sys.exit(main())
