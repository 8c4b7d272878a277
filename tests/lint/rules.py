# SPDX-License-Identifier: BSD-2-Clause
"""The rules of this house that no compiler knows. Each is a function (root, files) -> problems.

files are paths below root that belong to the project. docs/HACKING.md says what the rules are for;
an exception is a line in WAIVERS, with its reason, and the list has a hard length.
"""
import json
import os
import re
import shutil
import subprocess
import tempfile


class Missing(Exception):
    """A tool that the rule needs is not installed."""


# ---- tiers: what may include what (docs/ARCHITECTURE.md) ------------------------------------------
TIER = {"base": 0, "packet": 1, "dissect": 1, "event": 1, "conf": 1, "sys": 1, "ipc": 2, "port": 2,
        "flow": 2, "stream": 2, "proto": 2, "capture": 2, "guest": 2, "store": 2, "sink": 2, "steer": 2,
        "site": 2, "dbfile": 2, "alert": 2, "facts": 2, "outbox": 2, "deliver": 2, "notify": 3, "sensor": 1, "syslog": 2, "crosscheck": 2, "rule": 3, "session": 3, "talk": 3,
        "policy": 3, "inspect": 3, "scrub": 3,
        "judge": 3, "prove": 3, "role": 4, "cmd": 4}
BELOW = {m: {n for n in TIER if TIER[n] < min(t, 2)} if t < 3 else set() for m, t in TIER.items()}
ALLOWED = dict(BELOW, **{
    "guest": BELOW["guest"] | {"ipc"},
    "stream": {"base", "dissect"},
    "proto": {"base", "dissect", "stream"},
    "rule": {"base", "dissect", "stream", "proto"},
    "inspect": {"base", "packet", "dissect", "stream", "proto", "rule"},
    "policy": {"base", "packet", "event", "conf", "sys", "flow"},
    "scrub": {"base", "packet", "event", "dissect", "stream", "proto", "rule", "inspect"},
    "judge": {"base", "packet", "event", "conf", "sys", "flow", "policy", "stream", "rule", "inspect",
              "scrub"},
    "prove": {"base", "packet", "event", "conf", "sys", "port", "capture", "steer"},
    "sensor": {"base"},
    "syslog": {"base", "sys"},
    "crosscheck": {"base", "event", "sensor"},
    "session": {"base", "event", "conf", "proto", "sensor", "syslog"},
    "talk": {"base", "event", "conf", "capture", "dissect", "stream", "proto", "rule", "inspect", "syslog", "session"},
    "steer": {"base", "sys"},
    "alert": {"base", "event", "conf"},
    "facts": {"base", "event"},
    "outbox": {"base", "dbfile"},
    "store": BELOW["store"] | {"dbfile"},
    "dbfile": {"base", "sys"},
    "deliver": {"base", "conf"},
    "notify": {"base", "event", "conf", "alert", "facts"},
    "site": {"base", "sys"},
    "role": set(TIER) - {"role", "cmd"},
    "cmd": set(TIER) - {"cmd"},
})
ALLOWED["judge"].discard("sys")   # judge is pure: no call that is Linux's own
ALLOWED["policy"].discard("sys")

FUNCTION_LINES, FILE_LINES, HEADER_LINES, FOLDER_FILES, README_LINES = 80, 800, 150, 20, 60
README_LEAST = 5

# At most WAIVERS_MAX of these: (rule, path or path:function, reason).
WAIVERS_MAX = 8
WAIVERS = [
    ("file_sizes", "src/sensor/format.h", "one wire format, shared with programs that may include nothing else"),
]

# Objects that may change after start, by name: (file, symbol, reason).
MUTABLE = [
    ("arena.c", "sealed", "the seal of the heap is a fact of the thread"),
    ("log.c", "setup", "name and level of this process's log lines, set once"),
    ("spawn.c", "path", "exec takes char *; nobody writes to it"),
    ("spawn.c", "lang", "exec takes char *; nobody writes to it"),
]

BANNED = {
    "strcpy": "text_copy", "strcat": "a writer", "sprintf": "a writer", "vsprintf": "a writer",
    "gets": "fgets", "system": "posix_spawn with an argument list", "popen": "posix_spawn",
    "atoi": "a checked parser", "atol": "a checked parser", "atof": "a checked parser",
    "strtok": "strcspn", "alloca": "an arena", "mktemp": "mkstemp", "tmpnam": "mkstemp",
    "tempnam": "mkstemp", "signal": "sigaction or signalfd", "strncpy": "text_copy",
    "strncat": "a writer", "scanf": "a checked parser",
    "rand": "random_fill", "random": "random_fill", "srand": "random_fill", "setjmp": "an error code",
    "longjmp": "an error code", "gethostbyname": "addr_parse",
}
PRIVATE = ["/wo" + "rk/", "/ho" + "me/", "/ro" + "ot/.", "pye" + "nv"]
HOSTS = ["deb.deb" + "ian.org", "security.deb" + "ian.org", "snapshot.deb" + "ian.org",
         "pypi.o" + "rg", "registry.npm" + "js"]
TEXT_ENDINGS = (".c", ".h", ".py", ".md", ".build", ".txt", ".yaml", ".json", ".sh", "run", "Makefile")


def waived(rule, where):
    return any(w[0] == rule and w[1] == where for w in WAIVERS)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def c_files(files, *endings):
    return [f for f in files if f.endswith(endings or (".c", ".h"))]


def module_of(path):
    parts = path.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "src" else None


def strip(text):
    """C without comments and the insides of strings; line numbers stay."""
    def blank(m):
        s = m[0]
        if s[0] == "/":
            return " " + "\n" * s.count("\n")
        return s[0] + s[0]
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.DOTALL)


def scan(root, files, pattern, message):
    problems = []
    for f in files:
        for n, line in enumerate(strip(read(root, f)).split("\n"), 1):
            for m in re.finditer(pattern, line):
                problems.append(f"{f}:{n}: {message(m)}")
    return problems


# ---- rules ------------------------------------------------------------------------------------------
def tiers(root, files):
    problems = []
    for f in c_files(files):
        module = module_of(f)
        if module is None:
            continue
        if module not in TIER:
            problems.append(f"{f}: folder src/{module} is not in the tier table")
            continue
        inner = "/" in f[len(f"src/{module}/"):]   # test, fuzz, bench: also what lies beside
        for n, line in enumerate(read(root, f).split("\n"), 1):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if m is None:
                continue
            if "/" not in m[1]:
                if inner:
                    continue
                problems.append(f'{f}:{n}: write #include "{module}/{m[1]}"')
                continue
            other = m[1].split("/")[0]
            if other == module:
                continue
            if m[1].endswith("_priv.h"):
                problems.append(f"{f}:{n}: {m[1]} is private to src/{other}")
            fine = other in ALLOWED[module] or (inner and TIER.get(other, 9) <= TIER[module])
            if not fine:
                problems.append(f"{f}:{n}: {module} (tier {TIER[module]}) may not include {m[1]}")
    return problems


def header_alone(root, files):
    compilers = [c for c in ("gcc", "clang-14") if shutil.which(c)]
    if not compilers:
        raise Missing("no compiler")
    problems = []
    for f in c_files(files, ".h"):
        if module_of(f) is None:
            continue
        for cc in compilers:
            p = subprocess.run([cc, "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
                                "-Wno-unused-parameter", "-fsyntax-only", "-Isrc", "-xc", "-"],
                               input=f'#include "{f[4:]}"\n', text=True, capture_output=True, cwd=root)
            if p.returncode:
                problems.append(f"{f}: does not compile alone with {cc}: {p.stderr.splitlines()[:3]}")
    return problems


def header_docs(root, files):
    """A prototype has a comment above it, or stands in a block whose first line has one."""
    problems = []
    for f in c_files(files, ".h"):
        module = module_of(f)
        if f != f"src/{module}/{module}.h":
            continue
        known = depth = 0
        inside = False
        for n, raw in enumerate(read(root, f).split("\n"), 1):
            line = raw.strip()
            if inside or line.startswith("/*"):
                inside = "*/" not in line
                known = not re.match(r"/\* -{3,}", line)
                continue
            if line == "":
                known = False
            elif depth == 0 and re.match(r"^[A-Za-z_].*\w\s*\(", raw) and \
                    not raw.startswith(("#", "typedef", "struct conf {")) and "=" not in raw and \
                    not re.match(r"^(enum|struct|union)\s+\w+\s*\{", raw):
                if not known:
                    problems.append(f"{f}:{n}: no comment says what this does: {line[:60]}")
                    known = True  # one complaint a block
            depth += raw.count("{") - raw.count("}")
    return problems


def function_sizes(root, files):
    if shutil.which("ctags") is None:
        raise Missing("universal-ctags is not installed")
    sources = [f for f in c_files(files, ".c")]
    if not sources:
        return []
    p = subprocess.run(["ctags", "--output-format=json", "--kinds-C=f", "--fields=+ne", "-f", "-",
                        "-L", "-"], input="\n".join(sources), text=True, capture_output=True, cwd=root)
    if p.returncode:
        raise Missing("ctags can't write JSON here")
    problems = []
    for line in p.stdout.splitlines():
        t = json.loads(line)
        lines = t.get("end", t["line"]) - t["line"] + 1
        if lines > FUNCTION_LINES and not waived("function_sizes", f"{t['path']}:{t['name']}"):
            problems.append(f"{t['path']}:{t['line']}: {t['name']} has {lines} lines, "
                            f"at most {FUNCTION_LINES}")
    return problems


def file_sizes(root, files):
    problems, folders = [], {}
    for f in c_files(files):
        text = read(root, f)
        lines = text.count("\n")
        if lines > FILE_LINES and not waived("file_sizes", f):
            problems.append(f"{f}: {lines} lines, at most {FILE_LINES}")
        code = sum(1 for x in strip(text).split("\n") if x.strip())
        if f.endswith(".h") and code > HEADER_LINES and not waived("file_sizes", f):
            problems.append(f"{f}: {code} lines of code, at most {HEADER_LINES}")
        if f.endswith(".c"):
            folders.setdefault(os.path.dirname(f), []).append(f)
    for folder, inside in folders.items():
        if len(inside) > FOLDER_FILES:
            problems.append(f"{folder}: {len(inside)} C files, at most {FOLDER_FILES}")
    return problems


def banned_calls(root, files):
    problems = []
    for inner in (False, True):
        # Test programs clean up with a shell, copy texts of their own, and draw the same numbers
        # each time: no stranger feeds them.
        words = "|".join(w for w in BANNED if not (inner and w in ("system", "popen", "strcpy", "rand", "srand")))
        some = [f for f in c_files(files) if inner == bool(re.search(r"/(test|fuzz|bench)/", f))]
        problems += scan(root, some, rf"(?<![\w.>])({words})\s*\((?!\w+, SIG_(?:DFL|IGN)\))",
                         lambda m: f"{m[1]} is banned: use {BANNED[m[1]]}")
    return problems


def no_goto(root, files):
    return scan(root, c_files(files), r"\bgoto\s+\w+\s*;", lambda m: "no goto: split the function")


def no_struct_typedef(root, files):
    return scan(root, c_files(files), r"\btypedef\s+(struct|union|enum)\b",
                lambda m: f"write {m[1]} NAME, without a typedef")


def one_of_each(root, files):
    """One hash table, one list: those that are there. No second general-purpose one."""
    kinds = r"\bstruct\s+\w*(hash_?table|hash_?map|hmap|htab|hlist|list_head|linked_list|rb_?tree)\w*\s*\{"
    problems = scan(root, c_files(files), kinds, lambda m: f"a second general container: {m[0]}")
    return problems + scan(root, c_files(files),
                           r"#\s*include\s*<(sys/queue|search|uthash|khash)\.h>",
                           lambda m: f"<{m[1]}.h> brings a second container")


def spdx(root, files):
    problems = []
    for f in files:
        # What becomes a part of bash has bash's licence.
        licence = "GPL-3.0-or-later" if f.startswith("inside/shell/tell.") else "BSD-2-Clause"
        if f.endswith((".c", ".h", ".py", ".sh")) and \
                f"SPDX-License-Identifier: {licence}" not in "".join(read(root, f)[:300]):
            problems.append(f"{f}: no SPDX line at its top")
    return problems


def whitespace(root, files):
    problems = []
    for f in files:
        if not f.endswith(TEXT_ENDINGS) or "/corpus/" in f or f.startswith("tests/golden/"):
            continue
        text = read(root, f)
        for n, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip(" \t\r"):
                problems.append(f"{f}:{n}: space at the end of the line")
        if text and not text.endswith("\n"):
            problems.append(f"{f}: does not end with a newline")
    return problems


def merged(root, files):
    """No mark of an unfinished merge in any text."""
    marks = ("<" * 7 + " ", ">" * 7 + " ")
    return [f"{f}:{n}: an unfinished merge" for f in files
            if f.endswith(TEXT_ENDINGS + (".dict", ".svg", ".html"))
            for n, line in enumerate(read(root, f).split("\n"), 1) if line.startswith(marks)]


def folder_readmes(root, files):
    problems = []
    for module in sorted({module_of(f) for f in files if module_of(f)}):
        path = f"src/{module}/README.md"
        if path not in files:
            problems.append(f"{path}: missing: what it is, why so, limits, where to start")
            continue
        lines = read(root, path).split("\n")
        if len(lines) - 1 > README_LINES:
            problems.append(f"{path}: {len(lines) - 1} lines, at most {README_LINES}")
        if sum(1 for x in lines if x.strip() and not x.startswith("#")) < README_LEAST:
            problems.append(f"{path}: says next to nothing")
    return problems


def docs_not_empty(root, files):
    problems = []
    for f in files:
        if not f.endswith(".md") or "/" in f and not f.startswith("docs/"):
            continue
        text, fenced = read(root, f), False
        heading, body = None, 1
        for line in text.split("\n") + ["# end"]:
            fenced ^= line.startswith("```")
            m = None if fenced else re.match(r"^(#+)\s+(.*)", line)
            if m:
                deeper = heading is not None and len(m[1]) > heading[0]
                if heading is not None and body == 0 and not deeper:
                    problems.append(f"{f}: nothing under '{heading[1]}'")
                heading, body = (len(m[1]), m[2]), 0
            elif line.strip():
                body += 1
        if len([x for x in text.split("\n") if x.strip()]) < README_LEAST:
            problems.append(f"{f}: says next to nothing")
    return problems


def no_private_names(root, files):
    """Paths of one machine and hosts of one registry have no place in the project."""
    problems = []
    for f in files:
        if f.startswith("docs/pictures/") or f.endswith((".png", ".pcap", ".pcapng")):
            continue
        # Guests have users, and users have homes: only this machine's own folder counts there.
        in_guest = f.startswith(("images/", "src/guest/"))
        words = HOSTS + (PRIVATE[:1] if in_guest else PRIVATE)
        for n, line in enumerate(read(root, f).split("\n"), 1):
            for w in words:
                if w in line:
                    problems.append(f"{f}:{n}: names {w}")
    return problems


def clang_format(root, files):
    tool = shutil.which("clang-format-14")
    if tool is None:
        raise Missing("clang-format-14 is not installed")
    sources = c_files(files)
    if not sources:
        return []
    p = subprocess.run([tool, "--dry-run", "-Werror", "--style=file"] + sources, text=True,
                       capture_output=True, cwd=root)
    return sorted({x.split(": error")[0].rsplit(":", 1)[0] + ": `make format` mends it"
                   for x in p.stderr.splitlines() if ": error:" in x})


def every_source_is_built(root, files):
    """A file that no meson.build names is dead, and its tests never run."""
    problems = []
    for f in c_files(files, ".c"):
        module = module_of(f)
        build = f"src/{module}/meson.build"
        name = f[len(f"src/{module}/"):]
        if build in files and f"'{name}'" not in read(root, build):
            problems.append(f"{f}: {build} does not name it")
    return problems


def mutable_objects(root, archives):
    """Objects in .data, .bss or thread-local sections of the built libraries. archives: paths."""
    if shutil.which("objdump") is None:
        raise Missing("binutils are not installed")
    problems, member = [], "?"
    for a in archives:
        p = subprocess.run(["objdump", "-t", a], text=True, capture_output=True)
        for line in p.stdout.splitlines():
            if ":     file format" in line:
                member = line.split(":")[0]
                continue
            m = re.match(r"^\S+ (.{7}) (\S+)\t\S+ (?:\.hidden )?(\S+)$", line)
            if m is None or "d" in m[1] or m[2].startswith(".data.rel.ro"):
                continue  # d: the section itself
            if not m[2].startswith((".data", ".bss", ".tbss", ".tdata", "*COM*")):
                continue
            source = re.sub(r"(^.*_)?(\w+\.c)\.o$", r"\2", os.path.basename(member))
            if not any(w[1] == re.sub(r"\.\d+$", "", m[3]) and source.endswith(w[0]) for w in MUTABLE):
                problems.append(f"{os.path.basename(a)}({source}): {m[3]} in {m[2]} may change: pass it "
                                f"in a context, or make it const")
    return problems


def compile_archive(sources):
    """For the self-test: a static library of {name: C text}."""
    folder = tempfile.mkdtemp()
    objects = []
    for name, text in sources.items():
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        subprocess.run(["gcc", "-fPIE", "-O1", "-c", path, "-o", path + ".o"], check=True)
        objects.append(path + ".o")
    subprocess.run(["ar", "rcs", os.path.join(folder, "libx.a")] + objects, check=True)
    return folder, os.path.join(folder, "libx.a")


RULES = [tiers, header_alone, header_docs, function_sizes, file_sizes, banned_calls, no_goto,
         no_struct_typedef, one_of_each, spdx, whitespace, merged, folder_readmes, docs_not_empty,
         no_private_names, clang_format, every_source_is_built]
