#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""embed.py TEXT OUT.c: writes the C source of event_schema(), which returns TEXT as it stands."""
import sys

text = open(sys.argv[1], encoding="utf-8").read()
with open(sys.argv[2], "w", encoding="utf-8") as out:
    out.write('#include "event/event.h"\n\nconst char *event_schema(void)\n{\n\treturn\n')
    for line in text.splitlines(True):
        escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        out.write('\t\t"%s"\n' % escaped)
    out.write("\t\t;\n}\n")
