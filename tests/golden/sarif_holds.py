#!/usr/bin/python3
"""sarif_holds: reeve validate says the same as text, JSON and SARIF. SPDX-License-Identifier: Apache-2.0

    sarif_holds.py REEVE SCHEMA

A row is a folder of specs, the exit status and the rules that are named. Exit status 77: python3-jsonschema is
not here.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

APPLICATION = "apiVersion: reeve/v1\nkind: Application\nname: acme\n"
PRODUCTION = "---\napiVersion: reeve/v1\nkind: Environment\nname: production\napplication: acme\n"

ROWS = [
    ("nothing is wrong", {"app.yaml": APPLICATION}, 0, []),
    ("a warning does not fail", {"app.yaml": APPLICATION + "services: {web: {command: [x]}}\n" + PRODUCTION}, 0,
     ["health-missing"]),
    ("an error does, with all others", {"a b/\u00e9.yaml": APPLICATION + "servces: {}\nname: x\n",
                                        "b.yaml": "kind: Application\nname: [\n"}, 4,
     ["duplicate", "unknown", "yaml"]),
    ("rules of policy are told", {"app.yaml": APPLICATION + "services: {web: {command: [a, '&&']}}\n" + PRODUCTION}, 4,
     ["argv-shell", "health-missing"]),
    ("what steers a terminal", {"app.yaml": APPLICATION + 'services: {"\\e[2J\u202e": {}}\n'}, 4, ["name"]),
]


def run(reeve, folder, *options):
    done = subprocess.run([reeve, "validate", folder, *options], capture_output=True, text=True)
    return done.returncode, done.stdout


def wrong_with(reeve, validator, folder, status, rules):
    code, text = run(reeve, folder)
    listed = json.loads(run(reeve, folder, "-o", "json")[1])
    sarif_code, sarif = run(reeve, folder, "-o", "sarif")
    sarif = json.loads(sarif)
    results = sarif["runs"][0]["results"]
    if (code, sarif_code) != (status, status):
        yield f"exit status {code} and {sarif_code} instead of {status}"
    yield from (e.message for e in validator.iter_errors(sarif))
    if sorted({r["ruleId"] for r in results}) != sorted(rules):
        yield f"rules {sorted({r['ruleId'] for r in results})} instead of {rules}"
    if [m["rule"] for m in listed] != [r["ruleId"] for r in results]:
        yield "JSON and SARIF name other rules"
    for m in listed:
        if f"{m['line']}:{m['column']}: {m['severity']}: " not in text:
            yield f"not in the text: {m}"
    if "\x1b" in text:
        yield "the text steers a terminal"


def main():
    reeve, schema = sys.argv[1:]
    validator = jsonschema.Draft202012Validator(json.loads(pathlib.Path(schema).read_text()))
    failed = 0
    for sentence, files, status, rules in ROWS:
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = pathlib.Path(root, ".reeve", name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            wrong = list(wrong_with(reeve, validator, root, status, rules))
        print("wrong" if wrong else "ok   ", sentence)
        for one in wrong:
            print("     ", one)
        failed |= bool(wrong)
    return int(failed)


sys.exit(main())
