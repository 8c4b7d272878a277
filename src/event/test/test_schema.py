#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""test_schema.py SAMPLES ROOT: what event_samples prints follows the schemas, the schema is a schema, it
refuses what it should, and its list of reasons is the program's."""
import copy
import json
import re
import subprocess
import sys

samples, root = sys.argv[1:3]
sys.path.insert(0, f"{root}/tests/lib")
import validate_events as ve  # noqa: E402

ve.skep_schema = lambda: json.load(open(f"{root}/docs/skep-schema.json", encoding="utf-8"))
try:
    import jsonschema
    by_stream = ve.validators(ve.eve_schema([]))
except ImportError:
    print("skip: python3-jsonschema is not installed")
    sys.exit(77)

failed = []
p = subprocess.run([samples], capture_output=True)
if p.returncode != 0:
    failed.append("a sample is not valid")
lines = [line.split(b" ", 1) for line in p.stdout.splitlines(True)]
seen = {}
for stream, line in lines:
    stream = stream.decode()
    if stream in by_stream:
        for fault in ve.faults(line, by_stream[stream])[:1]:
            failed.append(f"{stream}: {fault}\n  {line[:400]!r}")
    value = json.loads(line)
    seen.setdefault(value["event_type"], value)
for kind in ("connection", "limit", "guest", "health", "incident", "sink", "flow", "anomaly", "stats", "session",
             "command", "login", "syslog", "file", "process", "silence", "mismatch"):
    if kind not in seen:
        failed.append(f"no sample of {kind}")

skep = by_stream["skep"]
jsonschema.Draft202012Validator.check_schema(skep.schema)


def refuses(what, change):
    value = copy.deepcopy(seen["connection"])
    change(value)
    if skep.is_valid(value):
        failed.append(f"the schema admits {what}")


refuses("an unknown key", lambda v: v.update(extra=1))
refuses("an unknown inner key", lambda v: v["connection"].update(extra=1))
refuses("a missing key", lambda v: v.pop("text"))
refuses("an unknown kind", lambda v: v.update(event_type="flow"))
refuses("a body of another kind", lambda v: v.update(health=seen["health"]["health"]))
refuses("an unknown verdict", lambda v: v.update(verdict="allow"))
refuses("a wrong address", lambda v: v["connection"].update(src_ip="1.2.3.400"))
refuses("a wrong port", lambda v: v["connection"].update(src_port=65536))
refuses("a local time", lambda v: v.update(timestamp="2026-11-23T20:01:02.123456+0100"))

def refuses_inside(kind, what, change):
    value = copy.deepcopy(seen[kind])
    change(value[kind])
    if skep.is_valid(value):
        failed.append(f"the schema admits {what}")


refuses_inside("command", "a command without its line", lambda b: b.pop("line"))
refuses_inside("session", "a visit's id in decimal", lambda b: b.update(session=7))
refuses_inside("login", "a login that went 1", lambda b: b.update(ok=1))
refuses_inside("process", "an unknown key of a process", lambda b: b.update(argv=[]))

source = open(f"{root}/src/event/event.c", encoding="utf-8").read()
words = re.findall(r'\[REASON_\w+\] = "([^"]+)"', source)
if words != [r for r in skep.schema["properties"]["reason"]["enum"] if r is not None]:
    failed.append("the schema's reasons are not the program's")
print("\n".join(failed[:20]))
print(f"{len(lines)} samples, {len(failed)} faults"
      + ("" if "eve" in by_stream else "; no EVE schema here: eve lines not held to it"))
sys.exit(1 if failed else 0)
