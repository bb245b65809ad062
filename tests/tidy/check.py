#!/usr/bin/env python3
"""Promises about the source: check.py format|includes|headers|documented|clean

Prints one line per broken promise and exits 1 if there is any."""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def tracked(*patterns):
    """Files that belong to the project, as paths from its root; works in an unpacked archive too."""
    try:
        out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns], cwd=ROOT, check=True,
                             capture_output=True, text=True).stdout.split("\n")
        files = [name for name in out if name]
    except (OSError, subprocess.CalledProcessError):
        files = []
        for folder, _, names in os.walk(ROOT):
            if "/build" in folder or "/.git" in folder:
                continue
            files += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names
                      if any(name.endswith(pattern.lstrip("*")) for pattern in patterns)]
    return [name for name in files if os.path.exists(os.path.join(ROOT, name))]


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def check_format():
    """clang-format would change nothing."""
    problems = []
    files = tracked("*.c", "*.h")
    for start in range(0, len(files), 100):
        run = subprocess.run(["clang-format", "--dry-run", "--Werror", *files[start:start + 100]], cwd=ROOT,
                             capture_output=True, text=True)
        problems += sorted({line.split(":")[0] + ": not formatted, run ./dev format"
                            for line in run.stderr.splitlines() if "clang-format-violations" in line})
    return problems


def rooms():
    """folder -> (own headers, rooms it may use) of rooms.txt."""
    table = {}
    for line in read("tests/tidy/rooms.txt").splitlines():
        line = line.split("#")[0].strip()
        if line:
            parts = [part.split() for part in line.split(":")]
            parts += [[]] * (3 - len(parts))
            table[parts[0][0]] = (parts[1], parts[2])
    return table


def room_of(name, table):
    """The room a source file stands in: the longest folder or file stem (`relay/tlv` for relay/tlv_read.c) of the table
    that is a prefix."""
    found = [room for room in table if name.startswith((room + "/", room + ".", room + "_"))]
    return max(found, key=len) if found else None


def allowed_headers(room, table):
    """Every header of the room and of the rooms it may use, and of those that they use."""
    seen, todo = set(), [room]
    while todo:
        here = todo.pop()
        if here in seen:
            continue
        seen.add(here)
        todo += table[here][1]
    return {header for here in seen for header in table[here][0]}


def check_includes():
    """No room includes a header of a room to its right; card/ and term/ never see each other."""
    problems = []
    table = rooms()
    owner = {header: room for room, (headers, _) in table.items() for header in headers}
    for name in tracked("*.c", "*.h"):
        room = room_of(name, table)
        if name.startswith(("tests/", "fuzz/", "include/", "bench/")):
            continue
        if room is None:
            problems.append(f"{name}: its room is not in tests/tidy/rooms.txt")
            continue
        allowed = allowed_headers(room, table)
        for header in re.findall(r'#include [<"]scrip/(\w+)\.h[>"]', read(name)):
            if header not in owner:
                problems.append(f"{name}: scrip/{header}.h belongs to no room in tests/tidy/rooms.txt")
            elif header not in allowed:
                problems.append(f"{name}: {room} may not use scrip/{header}.h of {owner[header]}")
    return problems


def check_headers():
    """Each header compiles alone, with both compilers."""
    problems = []
    for name in tracked("*.h"):
        if name.startswith(("build/", "fuzz/")):
            continue
        home = os.path.dirname(name)
        folders = [part for part in (home, os.path.dirname(home), "include", "tests/support", "core/desfire", "reader")
                   if part]
        with tempfile.NamedTemporaryFile("w", suffix=".c") as source:
            source.write(f'#include "{os.path.join(ROOT, name)}"\nint scrip_alone;\n')
            source.flush()
            for compiler in ("gcc", "clang"):
                flags = [flag for folder in folders for flag in ("-I", os.path.join(ROOT, folder))]
                run = subprocess.run([compiler, "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
                                      "-Wno-unused-function", "-fsyntax-only", *flags, source.name],
                                     capture_output=True, text=True)
                if run.returncode != 0:
                    problems.append(f"{name}: does not compile alone with {compiler}: "
                                    f"{(run.stderr.splitlines() or ['?'])[0]}")
    return problems


PROTOTYPE = re.compile(r"^(?:static inline )?(?:const )?(?:enum |struct |unsigned )?\w+ [\w *]*?\**(scrip_\w+)\(")


def check_documented():
    """Every public function stands under a comment: its own, or that of the group it is in."""
    problems = []
    for name in tracked("include/scrip/*.h"):
        lines = read(name).splitlines()
        for i, line in enumerate(lines):
            match = PROTOTYPE.match(line)
            if not match:
                continue
            above = i - 1
            while above >= 0 and lines[above].strip() and not lines[above].rstrip().endswith(("*/", "}")):
                above -= 1
            if above < 0 or not lines[above].rstrip().endswith("*/"):
                problems.append(f"{name}:{i + 1}: {match.group(1)} has no comment")
    return problems


def check_clean():
    """No mark of unfinished work, no tabs or trailing blanks in C."""
    problems = []
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
    for name in tracked("*.c", "*.h", "*.def", "*.sh", "*.cmake", "dev"):
        for number, line in enumerate(read(name).splitlines(), 1):
            if marks.search(line):
                problems.append(f"{name}:{number}: unfinished: {line.strip()}")
            if line != line.rstrip() or ("\t" in line and name.endswith((".c", ".h"))):
                problems.append(f"{name}:{number}: tab or trailing blank")
    return problems


def main():
    checks = {"format": check_format, "includes": check_includes, "headers": check_headers,
              "documented": check_documented, "clean": check_clean}
    if len(sys.argv) != 2 or sys.argv[1] not in checks:
        print(__doc__)
        return 2
    problems = checks[sys.argv[1]]()
    for problem in problems:
        print(problem)
    print(f"{sys.argv[1]}: {len(problems)} broken")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
