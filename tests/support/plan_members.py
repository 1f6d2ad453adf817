# plan_members: the members of plans against the table of docs/api.md. SPDX-License-Identifier: Apache-2.0
#
#     plan_members.py docs/api.md PLAN.json..       says what is printed and not documented, and the other way round
import json
import re
import sys


SELDOM = {"operations[].not_before_ms", "operations[].poll_at_ms"}  # while a driver is to be asked again later


def documented(path):
    text = open(path).read().split("## A plan, member by member")[1].split("\n## ")[0]
    names, free = set(), set()
    for row in re.findall(r"^\| (`.*?) \|", text, re.M):
        for name, star in re.findall(r"`([^`]+)`( \*)?", row):
            names.add(name)
            if star:
                free.add(name)
    return names, free


def printed(value, path, free, found):
    if path:
        found.add(path)
    if path in free:
        return
    if isinstance(value, dict):
        for key in value:
            printed(value[key], f"{path}.{key}" if path else key, free, found)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                for key in item:
                    printed(item[key], f"{path}[].{key}", free, found)


names, free = documented(sys.argv[1])
found = set()
for path in sys.argv[2:]:
    printed(json.load(open(path)), "", free, found)
for name in sorted(found - names):
    print("not documented:", name)
for name in sorted(names - found - SELDOM):
    print("not printed:", name)
sys.exit(bool(found ^ names - (SELDOM - found)))
