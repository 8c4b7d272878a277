#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""validate_events.py [EVE_SCHEMA] FILE|STATE_DIR ...

Holds every line of eve*.json to Suricata's schema and every line of skep*.json to ours (as `skep
events --schema` prints it, or docs/skep-schema.json where there is no binary). The EVE schema is the
first argument if it is named *schema*.json, else $SKEP_EVE_SCHEMA, else
../shared/corpus/eve-schema.json beside the checkout. Exit 0: all valid; 1: not; 77: nothing could
be checked (says why)."""
import glob
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHOWN = 5  # faults printed per file


def eve_schema(args):
    if args and args[0].endswith(".json") and "schema" in os.path.basename(args[0]):
        return args.pop(0)
    path = os.environ.get("SKEP_EVE_SCHEMA", f"{ROOT}/../shared/corpus/eve-schema.json")
    return path if os.path.exists(path) else None


def skep_schema():
    exe = os.environ.get("SKEP", f"{ROOT}/build/src/cmd/skep")
    if os.path.exists(exe):
        return json.loads(subprocess.run([exe, "events", "--schema"], check=True,
                                         capture_output=True).stdout)
    with open(f"{ROOT}/docs/skep-schema.json", encoding="utf-8") as f:
        return json.load(f)


def unique(pairs):
    """A key that comes twice means different things to different readers."""
    keys = [k for k, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError("a key comes twice")
    return dict(pairs)


def faults(line, validator):
    """Texts of what is wrong with one line (bytes)."""
    if not line.endswith(b"\n"):
        return ["no newline at its end"]
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=unique)
    except ValueError as e:
        return [str(e)]
    return [f"{'/'.join(map(str, e.absolute_path))}: {e.message}"
            for e in validator.iter_errors(value)]


def check_file(path, validator):
    """(lines, lines that are wrong)"""
    n = bad = 0
    with open(path, "rb") as f:
        for line in f:
            n += 1
            found = faults(line, validator)
            if found and bad < SHOWN:
                print(f"{path}:{n}: {found[0]}\n  {line[:300]!r}")
            bad += bool(found)
    return n, bad


def stream_of(path):
    return "eve" if os.path.basename(path).startswith("eve") else "skep"


def files_of(args):
    for arg in args:
        if os.path.isdir(arg):
            for name in ("eve*.json", "skep*.json"):
                yield from sorted(glob.glob(f"{arg}/**/{name}", recursive=True))
        else:
            yield arg


def validators(eve_path):
    import jsonschema
    found = {"skep": jsonschema.Draft202012Validator(
        skep_schema(), format_checker=jsonschema.FormatChecker(["ipv4", "ipv6"]))}
    if eve_path is not None:
        with open(eve_path, encoding="utf-8") as f:
            schema = json.load(f)
        found["eve"] = jsonschema.validators.validator_for(
            schema, default=jsonschema.Draft202012Validator)(schema)
    return found


def main(argv):
    args = list(argv)
    eve_path = eve_schema(args)
    try:
        by_stream = validators(eve_path)
    except ImportError:
        print("skip: python3-jsonschema is not installed")
        return 77
    checked = total = wrong = 0
    for path in files_of(args):
        validator = by_stream.get(stream_of(path))
        if validator is None:
            print(f"skip: {path}: no EVE schema here; set SKEP_EVE_SCHEMA")
            continue
        n, bad = check_file(path, validator)
        checked += 1
        total += n
        wrong += bad
    if checked == 0:
        return 77
    print(f"{total} lines in {checked} files, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
