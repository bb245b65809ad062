#!/usr/bin/env python3
"""Every problem and every path of the server stands in docs/api.md."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
text = (root / "docs/api.md").read_text()
wrong = []

rows = re.findall(r'^PROBLEM\((\w+), (\d+), "([^"]+)",\s*"([^"]+)"', (root / "include/scrip/problem.def").read_text(), re.M)
for name, status, layer, title in rows:
    if f"| `{name}` | {status} | {layer} | {title} |" not in text:
        wrong.append(f"problem {name}")

routes = re.findall(r'\{"(GET|POST)", "(/api/v1/[^"]+)"', (root / "server/router.c").read_text())
for method, path in routes:
    last = path.rsplit("/", 1)[1]
    base = path.split("/")[3]
    if f"/api/v1/{base}" not in text or (last not in ("*", base) and f"/{last}`" not in text):
        wrong.append(f"{method} {path}")

# The description for machines: the same paths and methods, no more and no fewer; every reference leads somewhere.
spec = (root / "docs/openapi.yaml").read_text()
described = set()
path = None
for line in spec.splitlines():
    if match := re.match(r"  (/\S*):$", line):
        path = re.sub(r"\{[^}]*\}", "*", match[1])
    elif (match := re.match(r"    (get|post):$", line)) and path:
        described.add((match[1].upper(), "/api/v1" + path))
for method, path in sorted(described ^ set(routes)):
    wrong.append(f"{method} {path} (docs/openapi.yaml)")
schemas = set(re.findall(r"^    (\w+):", spec[spec.index("  schemas:"):], re.M))
for name in sorted(set(re.findall(r"#/components/schemas/(\w+)", spec)) - schemas):
    wrong.append(f"schema {name} (docs/openapi.yaml)")

if len(rows) < 20 or len(routes) < 20:
    wrong.append("the tables themselves were not found")
for item in wrong:
    print(f"docs/api.md lacks {item}")
sys.exit(1 if wrong else 0)
