#!/usr/bin/python3
"""docs_hold: what the pages say can be followed. SPDX-License-Identifier: Apache-2.0

    docs_hold.py REEVE ROOT

Of README.md, docs/ and examples/: links lead to a file and a heading that are there; rows of a table have as many cells; files
and tests that are named are there; every `reeve VERB --option` is one that
`reeve VERB --help` knows; every block of YAML is a spec, or a part of one, that `reeve validate` takes.
"""
import functools
import glob
import os
import re
import shlex
import subprocess
import sys
import tempfile

REEVE, ROOT = sys.argv[1], sys.argv[2]
PAGES = [os.path.join(ROOT, "README.md")] + sorted(
    glob.glob(ROOT + "/docs/*.md") + glob.glob(ROOT + "/docs/decisions/*.md") + glob.glob(ROOT + "/examples/*/README.md"))
APPLICATION = "apiVersion: reeve/v1\nkind: Application\nname: a\nservices: {web: {source: {}, command: [./web]}}\n"
ENVIRONMENT = "---\napiVersion: reeve/v1\nkind: Environment\nname: %s\napplication: a\n"
# A part of a document stands for all of it: what is put before it.
PARTS = [
    "apiVersion: reeve/v1\nkind: Daemon\n",
    APPLICATION + ENVIRONMENT % "staging" + ENVIRONMENT % "production",
]
bad = []
counts = {"links": 0, "rows": 0, "names": 0, "commands": 0, "blocks": 0}


def complain(page, what):
    bad.append(f"{os.path.relpath(page, ROOT)}: {what}")


def lines_of(text):
    """Each line, and the word behind the fence that it is inside of; None: it is prose."""
    fence = None
    for line in text.split("\n"):
        mark = re.match(r"\s*```\s*(\w*)", line)
        if mark:
            fence = (mark.group(1) or "") if fence is None else None
            continue
        yield line, fence


def prose_of(text):
    return "\n".join(line for line, fence in lines_of(text) if fence is None and not line.startswith("    "))


@functools.lru_cache(maxsize=None)
def slugs_of(path):
    found = set()
    for line in prose_of(open(path, encoding="utf-8").read()).split("\n"):
        if re.match(r"#+ ", line):
            title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line.lstrip("#").strip().lower())
            found.add(re.sub(r"[^\w\- ]", "", title).replace(" ", "-"))
    return found


def check_links(page, text):
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "`", prose_of(text))):
        if re.match(r"[a-z]+:", target):
            continue
        counts["links"] += 1
        name, _, heading = target.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(page), name)) if name else page
        if not os.path.exists(path):
            complain(page, f"there is no {target}")
        elif heading and heading not in slugs_of(path):
            complain(page, f"there is no heading #{heading} in {name or 'it'}")


def check_tables(page, text):
    cells = None
    for line, fence in lines_of(text):
        if fence is not None or not line.startswith("|"):
            cells = None
            continue
        counts["rows"] += 1
        n = len(re.findall(r"(?<!\\)\|", line))
        if cells not in (None, n):
            complain(page, f"{n - 1} cells, not {cells - 1}: {line[:100]}")
        cells = cells or n


FOLDERS = {name: name for name in ("base", "specs", "state", "providers", "reconciler", "tests", "examples", ".ci", "docs")}
FOLDERS |= {name: "reconciler/" + name for name in ("engine", "core", "http", "cli", "rt")}
FOLDERS |= {name: "providers/" + name for name in ("process", "haproxy")}
FOLDERS |= {name: "tests/" + name for name in ("unit", "e2e", "sim", "crash", "golden", "props", "package", "contracts")}


def names_of(text):
    """`engine/op_task`, and of a pattern of ctest each of its tests; what stands for another word is in capitals."""
    for folder, rest in re.findall(rf"(?<![\w/.])({'|'.join(map(re.escape, FOLDERS))})/([\w.*/-]*\w[\w.*/-]*(?:\([^()\s]*\))?)", text):
        stem, _, group = rest.partition("(")
        for last in re.split(r"\\?\|", group.rstrip(")")) if group else [""]:
            if not re.search(r"[A-Z]{3}", stem + last) or stem.startswith("README"):
                yield folder, stem + last


def check_names(page, text):
    spans = re.findall(r"`([^`\n]+)`", prose_of(text)) + re.findall(r"-R (\S+)", text)
    for folder, name in names_of("\n".join(spans)):
        counts["names"] += 1
        if not glob.glob(os.path.join(ROOT, FOLDERS[folder], name.rstrip("/.") + "*")):
            complain(page, f"there is no {folder}/{name}")


helps = {}


def help_of(verb):
    if verb not in helps:
        said = subprocess.run([REEVE, verb, "--help"], capture_output=True, text=True, check=False)
        helps[verb] = said.stdout if said.returncode == 0 else None
    return helps[verb]


def commands_of(text):
    for line, fence in lines_of(text):
        spans = re.findall(r"`(reeve [^`]+)`", line) if fence is None else []
        if fence is not None or line.startswith("    "):
            spans += re.findall(r"(?:^|[|;&(] *|\$ )(reeve [^|;&#)]*)", line.strip())
        yield from spans


def check_commands(page, text):
    for command in commands_of(text):
        try:
            words = shlex.split(command)[1:]
        except ValueError:
            words = command.split()[1:]
        words = [w.strip("[]\"',") for w in words]
        while words and words[0].startswith("--"):  # those of every verb, with their value
            words = words[2:] if words[0] in ("--server", "--token", "--config", "--ca") else words[1:]
        if not words or not re.fullmatch(r"[a-z][a-z-]*", words[0]):
            continue
        known = help_of(words[0])
        counts["commands"] += 1
        if known is None:
            complain(page, f"there is no verb: {command}")
            continue
        for word in words[1:]:
            option = re.match(r"--([a-z][a-z-]*)", word)
            if option and not re.search(rf"--{option.group(1)}\b", known):
                complain(page, f"{words[0]} has no --{option.group(1)}: {command}")
            if not word.strip() or word.startswith(">"):
                break


def validates(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    said = subprocess.run([REEVE, "validate", path], capture_output=True, text=True, check=False)
    return None if said.returncode == 0 else said.stdout + said.stderr


def check_blocks(page, text):
    blocks, block = [], None
    for line in text.split("\n"):
        if line.startswith("```"):
            if block is not None:
                blocks.append("\n".join(block) + "\n")
                block = None
            elif line.strip() == "```yaml":
                block = []
        elif block is not None:
            block.append(line)
    with tempfile.TemporaryDirectory() as folder:
        named = set()
        for i, block in enumerate(blocks):
            if re.match(r"[ -]", block):
                continue  # a line of a list that stands above
            counts["blocks"] += 1
            if "apiVersion:" not in block:
                said = [validates(folder, f"part{i}.yaml", part + block) for part in PARTS]
                if all(said):
                    complain(page, "no document takes this:\n" + block + "".join(said))
                continue
            name = re.match(r"# (\S+)\n", block)
            name = os.path.join("whole", name.group(1) if name else f"block{i}.yaml")
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(block)
            named.add(os.path.dirname(path) if "kind: Daemon" not in block else path)
        for path in sorted(named):
            said = subprocess.run([REEVE, "validate", path], capture_output=True, text=True, check=False)
            if said.returncode:
                complain(page, said.stdout + said.stderr)


for page in PAGES:
    with open(page, encoding="utf-8") as f:
        text = f.read()
    check_links(page, text)
    check_tables(page, text)
    check_names(page, text)
    check_commands(page, text)
    check_blocks(page, text)
for line in bad:
    print(line)
if not all(counts.values()):
    sys.exit(f"nothing was looked at: {counts}")
print(f"{len(PAGES)} pages: {counts['links']} links, {counts['rows']} rows, {counts['names']} names, {counts['commands']} commands, {counts['blocks']} blocks of YAML")
sys.exit(1 if bad else 0)
