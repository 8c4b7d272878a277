#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a person reads and types: manual pages, completion, units and package lists agree with the program.

Verbs and options are those that `skep --help` and `skep VERB --help` name.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("SKEP_BUILD", os.path.join(ROOT, "build")))
SKEP = os.path.abspath(os.environ.get("SKEP", os.path.join(BUILD, "src/cmd/skep")))
MAN = os.path.join(ROOT, "dist/man")
results = []
# Verbs that have words after them: every one of these must be in the verb's help, and be completed.
WORDS = {"config": "example schema reference show", "guest": "list creds console reset",
         "image": "build list", "rules": "check list stats update reload rehearse",
         "policy": "show set reset ignore", "fence": "add del list", "lockdown": "on off status",
         "sessions": "show export", "files": "list show get",
         "log": "diff", "evidence": "verify", "alerts": "log show test preview reload"}


def report(good, what, detail=""):
    results.append(bool(good))
    print(f"{'ok' if good else 'not ok'} {len(results)} - {what}")
    for line in [] if good else str(detail).splitlines()[:40]:
        print(f"#   {line}")


def skip(what, why):
    results.append(True)
    print(f"ok {len(results)} - {what} # SKIP {why}")


def run(*argv, **kw):
    env = {k: v for k, v in os.environ.items() if k != "SKEP_CONF"}
    return subprocess.run(argv, capture_output=True, text=True, env=env, timeout=60,
                          stdin=subprocess.DEVNULL, **kw)


def verbs():
    return re.findall(r"^  ([a-z]+)  ", run(SKEP, "--help").stdout, re.M)


def options(verb, *more):
    """Every option in the help of a verb, but those of examples and of other programs."""
    text = re.sub(r"`[^`]*`|^Example:.*|^ +skep .*", "", run(SKEP, verb, *more, "--help").stdout, flags=re.M)
    return sorted(set(re.findall(r"(?:^|[\[\]\s,(|])(--[a-z][a-z0-9-]+|-[A-Za-z]\b)", text)))


def page(name):
    """The words of a page as a reader sees them."""
    p = run("mandoc", "-T", "utf8", f"{MAN}/{name}")
    return re.sub(r".\x08", "", p.stdout).replace("‐", "-").replace("−", "-")


def pages(names):
    if shutil.which("mandoc") is None:
        return skip("manual pages", "mandoc is not installed")
    main = page("skep.8")
    for v in names:
        own = {"down": "skep-up.8"}.get(v, f"skep-{v}.8")
        text = page(own) if os.path.exists(f"{MAN}/{own}") else main
        report(re.search(rf"^     {v}\b", main, re.M), f"skep(8) has the verb {v}", main)
        found = options(v) + (options("rules", "rehearse") if v == "rules" else [])
        where = text if text == main else text + main
        missing = [o for o in found if not re.search(rf"(?<![\w-]){re.escape(o)}(?![\w-])", where)]
        report(not missing, f"every option of {v} is in a manual page ({len(found)})", missing)
        lacks = [w for w in WORDS.get(v, "").split() if not re.search(rf"\b{w}\b", where)]
        report(not lacks, f"every word after {v} is in a manual page", lacks)
    settings = os.path.join(BUILD, "dist/skep.yaml.5")
    if not os.path.exists(settings):
        report(False, "skep.yaml(5) is built", settings)
        return None
    with open(settings, encoding="utf-8") as f:
        text = f.read()
    keys = re.findall(r"^\| `([^`]+)` \|", run(SKEP, "config", "reference").stdout, re.M)
    missing = [k for k in keys if f".It Va {k}\n" not in text]
    report(len(keys) > 50 and not missing, f"skep.yaml(5) has every setting ({len(keys)})", missing)
    # References are looked for among installed pages: ours get a tree of their own.
    with tempfile.TemporaryDirectory() as tree:
        for path in glob.glob(f"{MAN}/*.[0-9]") + [settings]:
            os.makedirs(f"{tree}/man{path[-1]}", exist_ok=True)
            shutil.copy(path, f"{tree}/man{path[-1]}/")
        for path in sorted(glob.glob(f"{tree}/man*/*")):
            p = run("mandoc", "-M", tree, "-T", "lint", path, cwd=tree)
            said = [x for x in p.stdout.splitlines()
                    if not any(f"Xr {os.path.basename(o)[:-2]} {o[-1]}" in x
                               for o in glob.glob(f"{tree}/man*/*"))]
            report(not said, f"mandoc has nothing to say of {os.path.basename(path)}", "\n".join(said))
    return None


BASH = r"""
. "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_skep 2>&1; printf '%s\n' "${COMPREPLY[@]}"
"""
# _skep as the completion system would call it, with those of its tools that show what is found.
ZSH = r"""
file=$1; shift
compadd() { [[ $1 == -a ]] && print -rl -- ${(P)2} }
_describe() { local a; for a in ${(P)4}; do print -r -- ${a%%:*}; done }
_files() { }
words=("$@"); CURRENT=$#
source $file
"""


def complete(shell, *words):
    if shell == "bash":
        p = run("bash", "--norc", "-c", BASH, "bash", f"{ROOT}/dist/completion/skep.bash", SKEP, *words)
    else:
        p = run("zsh", "-f", "-c", ZSH, "zsh", f"{ROOT}/dist/completion/_skep", SKEP, *words)
    return p.stdout.split() + [x for x in p.stderr.split("\n") if x]


def completion(names):
    for shell in ("bash", "zsh"):
        if shutil.which(shell) is None:
            skip(f"{shell} completion", f"{shell} is not installed")
            continue
        got = complete(shell, "")
        report(set(got) == set(names) | {"--help", "--version"}, f"{shell} completes every verb", got)
        for v in names:
            got = complete(shell, v, "-" if shell == "bash" else "")
            want = set(options(v)) | {"--help"}
            report(want <= set(got), f"{shell} completes every option of {v}", f"{sorted(want)}\n{got}")
        for v, words in WORDS.items():
            got = complete(shell, v, "")
            report(set(words.split()) <= set(got), f"{shell} completes the words after {v}", got)
        for words, want in ((["guest", "creds", ""], ["web1", "loghost"]),
                            (["events", "-D", ""], ["inbound", "outbound", "lateral"]),
                            (["events", "--kind", ""], ["alert", "incident"]),
                            (["policy", "set", "web1", ""], ["forward", "reject"]),
                            (["alerts", "test", ""], ["local"]),
                            (["alerts", "log", "--destination", ""], ["local"]),
                            (["prove", "--only", ""], ["allowed-tcp4"])):
            got = complete(shell, *words)
            report(set(want) <= set(got), f"{shell} completes {' '.join(words)}...", got)
    for v, words in WORDS.items():
        text = run(SKEP, v, "--help").stdout
        missing = [w for w in words.split() if not re.search(rf"\b{w}\b", text)]
        report(not missing, f"{v} --help names every word that completion offers", missing)
    if shutil.which("bash"):
        p = run("bash", "--norc", "-c", '. "$1"; complete -p skep', "bash",
                f"{ROOT}/dist/completion/skep.bash")
        report(p.stdout.strip() == "complete -F _skep skep", "bash takes it for skep", p.stdout + p.stderr)
    if shutil.which("zsh"):
        with tempfile.TemporaryDirectory() as d:
            shutil.copy(f"{ROOT}/dist/completion/_skep", d)
            p = run("zsh", "-f", "-c", f"fpath=({d} $fpath); autoload -Uz compinit && "
                    f"compinit -u -d {d}/dump && print -r -- $_comps[skep]")
            report(p.stdout.strip() == "_skep", "zsh takes it for skep", p.stdout + p.stderr)


def units():
    if shutil.which("systemd-analyze") is None:
        return skip("units", "systemd is not installed")
    with tempfile.TemporaryDirectory() as d:
        for unit in ("skep.service", "skep-rules.service", "skep-rules.timer"):
            path = f"{ROOT}/dist/systemd/{unit}"
            with open(path if os.path.exists(path) else path + ".in", encoding="utf-8") as f:
                text = f.read()
            with open(f"{d}/{unit}", "w", encoding="utf-8") as f:
                f.write(text.replace("@SKEP@", SKEP))
        p = run("systemd-analyze", "verify", "--man=no", *glob.glob(f"{d}/*"))
        said = [x for x in p.stderr.splitlines() if "skep" in x]
        report(not said, "systemd takes the units", "\n".join(said))
        for unit, most in (("skep.service", 7.0), ("skep-rules.service", 2.5)):
            p = run("systemd-analyze", "security", "--offline=true", "--no-pager", f"{d}/{unit}")
            m = re.search(r"exposure level for \S+: ([0-9.]+)", p.stdout)
            report(m and float(m[1]) < most, f"{unit}: exposure {m[1] if m else '?'} is below {most}",
                   p.stdout + p.stderr)
    return None


def listed(name):
    with open(f"{ROOT}/tools/packages-{name}", encoding="utf-8") as f:
        return {x.split("#")[0].strip() for x in f} - {""}


def package_lists():
    """What Debian's package depends on is what the lists of the source name."""
    with open(f"{ROOT}/debian/control", encoding="utf-8") as f:
        text = f.read()
    fields = {k: set(re.split(r"[,\s]+", re.sub(r"\([^)]*\)|:any", "", v)))
              for k, v in re.findall(r"^([A-Z][A-Za-z-]+):((?:.*\n)(?: .*\n)*)", text, re.M)}
    report(listed("run") <= fields["Depends"] | fields["Recommends"],
           "the package depends on what a honeynet runs with",
           listed("run") - fields["Depends"] - fields["Recommends"])
    wanted = listed("build") - {"gcc", "libc6-dev"}
    report(wanted <= fields["Build-Depends"], "and is built with what a build needs",
           wanted - fields["Build-Depends"])


def main():
    names = verbs()
    report(len(names) > 10, f"{len(names)} verbs", names)
    pages(names)
    completion(names)
    units()
    package_lists()
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


sys.exit(main())
