#!/usr/bin/python3
"""reference: examples/reference says every field of the grammar, and is planned whole. SPDX-License-Identifier: Apache-2.0

    reference.py REEVE FOLDER

Fields are those of `reeve schema`. Exit status 77: python3-yaml is not here.
"""
import json
import os
import re
import subprocess
import sys

try:
    import yaml
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

class Loader(yaml.SafeLoader):
    """Text, but for merge keys: `on` is a word here."""

    yaml_implicit_resolvers = {"<": [("tag:yaml.org,2002:merge", re.compile("^<<$"))]}


KINDS = ("Application", "Environment", "Preview")


class Fields:
    """Which fields of which objects are there, and which of them were written."""

    def __init__(self, schema):
        self.defs = schema["$defs"]
        self.all, self.said, self.seen = set(), set(), set()

    def object_of(self, node):
        name = node["$ref"].rsplit("/", 1)[1]
        return name, self.defs[name]

    def collect(self, node):
        """Everything below a part of the schema."""
        if isinstance(node, list):
            for part in node:
                self.collect(part)
        if not isinstance(node, dict):
            return
        if "$ref" in node:
            name, there = self.object_of(node)
            if name not in self.seen:
                self.seen.add(name)
                self.all |= {(plain(name), field) for field in there.get("properties", {})}
                self.collect(there)
        for part in node.values():
            self.collect(part)

    def visit(self, node, v):
        """What of it a value says; of several forms, each that has its fields."""
        if "$ref" in node:
            name, there = self.object_of(node)
            if isinstance(v, dict):
                self.said |= {(plain(name), field) for field in v if field in there.get("properties", {})}
            self.visit(there, v)
        for forms in ("anyOf", "oneOf", "allOf"):
            for form in node.get(forms, []):
                self.visit(form.get("then", form), v)
        if isinstance(v, list) and isinstance(node.get("items"), dict):
            for item in v:
                self.visit(node["items"], item)
        if isinstance(v, dict):
            for key, item in v.items():
                inner = node.get("properties", {}).get(key, node.get("additionalProperties"))
                if isinstance(inner, dict):
                    self.visit(inner, item)


def plain(name):
    return name.removesuffix("-partial")


def documents_of(folder):
    for name in sorted(os.listdir(f"{folder}/.reeve")):
        with open(f"{folder}/.reeve/{name}", encoding="utf-8") as f:
            yield from yaml.load_all(f, Loader)


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def main():
    reeve, folder = sys.argv[1:]
    schema = json.loads(subprocess.run([reeve, "schema"], check=True, capture_output=True).stdout)
    fields, environments, wrong = Fields(schema), [], []
    for kind in KINDS:
        fields.collect({"$ref": f"#/$defs/{kind.upper()}"})
    for document in documents_of(folder):
        fields.visit({"$ref": f"#/$defs/{document['kind'].upper()}"}, document)
        if document["kind"] == "Environment":
            environments.append(document["name"])
    wrong += [f"nothing says {name}.{field}" for name, field in sorted(fields.all - fields.said)]
    rc, said = run(reeve, "validate", folder)
    wrong += [said] if rc or "warning" in said else []
    for env in environments:
        rc, said = run(reeve, "plan", "-f", folder, env, "--config", f"{folder}/reeve.yaml")
        wrong += [f"{env}: {said}"] if rc else []
    print(f"{len(fields.all)} fields of {len(fields.seen)} objects, {len(environments)} environments planned")
    print(*wrong, sep="\n")
    return 1 if wrong or len(fields.all) < 300 else 0


sys.exit(main())
