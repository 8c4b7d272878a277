#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_page.py ROOT: docs/RULES.md names the keywords of src/rule/kw/keywords.c, all and no others, in
their families and with their dialects."""
import os
import re
import sys

root = sys.argv[1]
FAMILIES = {"META": "About the rule", "CONTENT": "Contents", "BYTES": "Numbers in the data",
            "BUFFER": "Buffers", "TRANSFORM": "Transforms", "HEADER": "Packet headers",
            "FLOW": "Flows and bits", "APP": "Protocols and files", "REFUSED": "Known and refused"}
SHORT = {"SURICATA": "S", "SNORT2": "2", "SNORT3": "3", "ALL_DIALECTS": "S23"}

source = open(os.path.join(root, "src/rule/kw/keywords.c"), encoding="utf-8").read()
table = {}
for name, family, dialects in re.findall(r'\{"([^"]+)", FAMILY_(\w+), ([A-Z0-9_ |]+),', source):
    table[name] = (family, "".join(SHORT[d.strip()] for d in dialects.split("|")))
for name in re.findall(r'\tNO\("([^"]+)"', source):
    table[name] = ("REFUSED", None)

page, heading = {}, None
for line in open(os.path.join(root, "docs/RULES.md"), encoding="utf-8"):
    m = re.match(r"## (.*)", line)
    if m:
        heading = m[1].strip()
    if line.startswith("| `"):
        cells = [c.strip() for c in line.replace("\\|", "/").strip().strip("|").split("|")]
        for name, dialects in re.findall(r"`([^`]+)`(?:\^([S23]+))?", cells[0]):
            page[name] = (heading, dialects or (cells[1] if heading != FAMILIES["REFUSED"] else None))

wrong = [f"{n}: not on the page" for n in table if n not in page]
wrong += [f"{n}: on the page, not in the table" for n in page if n not in table]
for n in set(table) & set(page):
    if (FAMILIES[table[n][0]], table[n][1]) != page[n]:
        wrong.append(f"{n}: the page has {page[n]}, the table {table[n]}")
print("\n".join(sorted(wrong)) or f"{len(page)} keywords, as in the table")
sys.exit(1 if wrong or len(page) < 300 else 0)
