#!/usr/bin/python3
"""permuted: files, documents and keys in another order are the same plan. SPDX-License-Identifier: Apache-2.0

    permuted.py REEVE EXAMPLES

Every document of every example goes into a file of its own with a name by chance, its keys shuffled and its anchors written out; the
plan of each environment has to be what it was but for the places. SEEDS=N. Exit status 77: python3-yaml is not here.
"""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

try:
    import yaml
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)


class Loader(yaml.SafeLoader):
    """Plain words as the grammar reads them: no dates, and `on` is a word."""

    yaml_implicit_resolvers = {}


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _):
        return True


for tag, pattern, first in [
    ("bool", "true|false", "tf"),
    ("int", "[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[0-9]+\.[0-9]+", "0123456789"),
    ("merge", "<<", "<"),
]:
    Loader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(f"^(?:{pattern})$"), list(first))


def shuffled(v, chance):
    if isinstance(v, dict):
        keys = list(v)
        chance.shuffle(keys)
        return {k: shuffled(v[k], chance) for k in keys}
    return [shuffled(x, chance) for x in v] if isinstance(v, list) else v


def documents_of(folder):
    for name in sorted(os.listdir(f"{folder}/.reeve")):
        with open(f"{folder}/.reeve/{name}", encoding="utf-8") as f:
            yield from yaml.load_all(f, Loader)


def write_permuted(folder, to, chance):
    shutil.copytree(folder, to)
    shutil.rmtree(f"{to}/.reeve")
    os.mkdir(f"{to}/.reeve")
    for i, document in enumerate(documents_of(folder)):
        with open(f"{to}/.reeve/{chance.randrange(10**9)}-{i}.yaml", "w", encoding="utf-8") as f:
            yaml.dump(shuffled(document, chance), f, Dumper=Dumper, sort_keys=False, default_flow_style=None)


def planned(reeve, folder, config, env):
    done = subprocess.run(
        [reeve, "plan", "-f", folder, env, "--config", config, "-o", "json"], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{folder} {env}: {done.stdout}{done.stderr}")
    document = json.loads(done.stdout)["document"]
    return re.sub(r'"(place|at)": "[^"]*"', "", json.dumps([document["core"], document["lines"]], sort_keys=True))


def main():
    reeve, examples = sys.argv[1:]
    n = wrong = 0
    for name in sorted(os.listdir(examples)):
        folder, config = f"{examples}/{name}", f"{examples}/{name}/reeve.yaml"
        if not os.path.isdir(f"{folder}/.reeve"):
            continue
        environments = [d["name"] for d in documents_of(folder) if d["kind"] == "Environment"]
        before = {env: planned(reeve, folder, config, env) for env in environments}
        for seed in range(int(os.environ.get("SEEDS", "2"))):
            with tempfile.TemporaryDirectory() as scratch:
                write_permuted(folder, f"{scratch}/{name}", random.Random(f"{name} {seed}"))
                for env in environments:
                    n += 1
                    if planned(reeve, f"{scratch}/{name}", config, env) != before[env]:
                        print(f"{name} {env}: seed {seed} is planned in another way")
                        wrong += 1
    print(f"{n} plans of permuted files, {wrong} of them others")
    return 1 if wrong or not n else 0


sys.exit(main())
