#!/usr/bin/env python3
"""refusals.py SCRIP-VECTORS DESFIRE.json: what is wrong in a known answer, or unknown, is counted as failed."""

import copy
import json
import os
import re
import subprocess
import sys
import tempfile

PROGRAM, FILE = sys.argv[1:3]


def run(*files):
    """@return exit code, last line"""
    done = subprocess.run([PROGRAM, *files], capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout.splitlines() or [""])[-1]


def leaves(value, path=()):
    """Every string, number and truth value below, with the way to it; names of steps are for people."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield from leaves(below, path + (name,)) if name != "step" else ()
    elif isinstance(value, list):
        for i, below in enumerate(value):
            yield from leaves(below, path + (i,))
    else:
        yield path, value


def other(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if re.fullmatch("([0-9A-Fa-f]{2})+", value):
        return value[:-1] + ("8" if value[-1] == "0" else "0")
    return value + "?"


def altered(vector, path):
    vector = copy.deepcopy(vector)
    place = vector["out"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = other(place[path[-1]])
    return vector


def refusals(folder, vectors):
    def saved(content):
        path = os.path.join(folder, "some.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(content, file)
        return path

    def one(**changes):
        return run(saved({"vectors": [{**vectors[0], **changes}]}))

    first, count = vectors[0], len(vectors)
    failed = (1, "0 passed, 1 failed")
    assert run(FILE) == (0, "%d passed, 0 failed" % count)
    assert one() == (0, "1 passed, 0 failed")
    assert one(algorithm="rot13") == failed
    assert one(more="00") == failed
    assert one(**{"in": {**first["in"], "more": "00"}}) == failed
    assert one(out={**first["out"], "more": "00"}) == failed
    assert one(out=None) == failed
    assert run(saved({"vectors": [5, None, "text", []]})) == (1, "0 passed, 4 failed")
    assert run(saved({"sessions": [], "exchanges": [{}]}), FILE) == (1, "%d passed, 1 failed" % count)
    assert run(os.path.join(folder, "nowhere.json")) == (2, "")
    tried = 0
    for vector in vectors:
        for path, _ in leaves(vector["out"]):
            tried += 1
            assert run(saved({"vectors": [altered(vector, path)]})) == failed, (vector["id"], path)
    return tried


with open(FILE, encoding="utf-8") as file:
    known = json.load(file)["vectors"]
with tempfile.TemporaryDirectory() as folder:
    print("%d wrong answers were told from the right ones" % refusals(folder, known))
