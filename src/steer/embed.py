#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""embed.py OBJECT OUT.c HEADER FUNCTION: the C source of FUNCTION, which returns OBJECT's bytes."""
import sys

data = open(sys.argv[1], "rb").read()
with open(sys.argv[2], "w", encoding="utf-8") as out:
    out.write(f'#include "{sys.argv[3]}"\n\nstatic _Alignas(8) const uint8_t bytes[] = {{\n')
    for i in range(0, len(data), 16):
        out.write("\t" + "".join("%d," % b for b in data[i:i + 16]) + "\n")
    out.write("};\n\nconst void *" + sys.argv[4] + "(size_t *ret_size)\n{\n"
              "\t*ret_size = sizeof(bytes);\n\treturn bytes;\n}\n")
