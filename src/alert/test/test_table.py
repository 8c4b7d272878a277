#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_table.py ALERT_STREAM TABLE DOCS: each block of the table is exactly what its stream brings about, each
stream has a block, the blocks that the page shows are these, and it says of each class what it comes with."""
import difflib
import re
import subprocess
import sys

stream, table, page = sys.argv[1:4]
BLOCK = re.compile(r"^```([a-z]+)\n(.*?)^```$", re.M | re.S)


def lines_of(text):
    return [line.rstrip() for line in text.splitlines()]


def play(*args):
    return lines_of(subprocess.run([stream, *args], check=True, capture_output=True, text=True).stdout)


failed = 0
with open(table, encoding="utf-8") as f:
    written = {name: lines_of(text) for name, text in BLOCK.findall(f.read())}
if sorted(written) != sorted(play()):
    print(f"the table has {sorted(written)}, the streams are {sorted(play())}")
    failed = 1
for name, lines in written.items():
    for line in difflib.unified_diff(lines, play(name), f"table: {name}", f"sent: {name}", lineterm=""):
        print(line)
        failed = 1


def minutes(text):
    n, unit = text.split() if " " in text else ("0", "min")
    return str(int(n) * {"min": 1, "h": 60}[unit])


with open(page, encoding="utf-8") as f:
    shown = f.read()
for name, text in BLOCK.findall(shown):
    if name in written and lines_of(text) != written[name]:
        print(f"{page}: {name} is not as in the table")
        failed = 1
rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in shown.splitlines() if line.startswith("| `")]
page_says = {r[0]: [r[1], minutes(r[3]), r[4].replace("–", "0"), r[5].replace("–", "0")]
             for r in rows if len(r) == 6}
for row in play("--classes"):
    name, *values = row.split()
    if page_says.get(name) != values:
        print(f"{page}: of {name} it says {page_says.get(name)}, it is {values}")
        failed = 1
sys.exit(failed)
