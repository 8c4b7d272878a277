#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Mails as a browser shows them: what an intruder wrote neither runs, nor fetches, nor can be clicked.

Chromium loads the HTML part of each sample (src/notify/test/world.c) in a frame of its own. Every name in the world
leads to a server of ours on loopback that writes down who asks. A page that does what it should not proves that
each of the judges sees it. With --picture FILE it makes the picture of docs/ALERTS.md and ends.
"""
import email
import email.policy
import glob
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
import tap as taplib  # noqa: E402

BUILD = os.path.abspath(os.environ.get("SKEP_BUILD", os.path.join(ROOT, "build")))
SAMPLES = os.path.join(BUILD, "src/notify/notify_samples")
EVIL = b"""<!DOCTYPE html><title>x</title><script>parent.ran = (parent.ran || 0) + 1</script>
<img src="http://evil.example/i.png" onerror="parent.ran++"><a href="http://evil.example/">x</a>
<style>body { background: url(http://evil.example/b.png) }</style><p style="width:900px">wide</p>"""
HARNESS = """<!DOCTYPE html><meta charset="utf-8"><title>judge</title><body><script>
window.ran = 0;
const names = NAMES, all = {};
const judge = (name, d) => {
  const found = [];
  for (const e of d.querySelectorAll("*")) {
    for (const a of e.attributes) {
      if (/^on|^(src|href|action|background|srcset|data|poster|ping|formaction|xlink:href)$/i.test(a.name) ||
          /url\\(|expression|import/i.test(a.value))
        found.push(e.tagName + " " + a.name + "=" + a.value.slice(0, 60));
    }
    if (/^(a|script|img|iframe|object|embed|form|input|button|svg|math|link|base|style|video|audio|frame)$/i.test(e.tagName))
      found.push(e.tagName);
    if (e.tagName === "META" && e.httpEquiv) found.push("META " + e.httpEquiv);
  }
  all[name] = {found, links: d.links.length, text: d.body.innerText, ran: window.ran,
               wide: d.documentElement.scrollWidth, room: d.documentElement.clientWidth};
};
const next = i => {
  if (i === names.length) {
    const out = document.createElement("pre");
    out.id = "out";
    out.textContent = JSON.stringify(all);
    document.body.append(out);
    return;
  }
  window.ran = 0;
  const f = document.createElement("iframe");
  f.width = 360; f.height = 700;
  f.onload = () => { judge(names[i], f.contentDocument); f.remove(); next(i + 1); };
  f.src = "/" + names[i];
  document.body.append(f);
};
next(0);
</script></body>"""


class Server(http.server.ThreadingHTTPServer):
    """Gives the pages out, and remembers every request, whatever host it was for."""
    daemon_threads = True

    def __init__(self, pages):
        self.pages, self.asked = pages, []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    def handle(self):
        hello = self.connection.recv(4096, socket.MSG_PEEK)
        if hello[:1] != b"\x16":
            super().handle()
        elif b".example" in hello:  # TLS: the name of whom it is for stands in it
            self.server.asked.append(("tls", repr(hello)))

    def do_GET(self):
        path, host = self.path.lstrip("/"), self.headers.get("Host", "")
        self.server.asked.append((host.split(":")[0], path))
        body = self.server.pages.get(path) if host.startswith("judge.test") else None
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


def html_of(path):
    with open(path, "rb") as f:
        m = email.message_from_bytes(f.read(), policy=email.policy.default)
    return m.get_body(("html",)).get_content().encode()


def chromium(profile, port, *more, timeout=120):
    argv = [shutil.which("chromium"), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-features=HttpsUpgrades,OptimizationHints,MediaRouter,NetworkTimeServiceQuerying", f"--user-data-dir={profile}",
            f"--host-resolver-rules=MAP * 127.0.0.1:{port}", *more]
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, env=dict(os.environ, HOME=profile))


def pages_of(folder):
    return {os.path.basename(p)[:-5] + ".html": html_of(p) for p in sorted(glob.glob(f"{folder}/*.smtp"))
            if ".short-" not in p}


def judge(tap, folder):
    pages = pages_of(folder)
    pages["evil.html"] = EVIL
    names = sorted(pages)
    pages[""] = HARNESS.replace("NAMES", json.dumps(names)).encode()
    server = Server(pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    p = chromium(os.path.join(folder, "profile"), server.server_port, "--dump-dom", "--virtual-time-budget=60000",
                 "http://judge.test/")
    server.shutdown()
    m = re.search(r'<pre id="out">(.*?)</pre>', p.stdout, re.S)
    if not tap.check(m, "the browser judged the pages", p.stderr[-2000:] + p.stdout[-500:]):
        return
    text = m[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    all_ = json.loads(text)
    evil = all_.pop("evil.html")
    # The browser's maker is asked for the time and the like by the browser itself.
    foreign = [a for a in server.asked if a[0] != "judge.test" and not re.search(r"(google|gvt1|googleapis)\.com$", a[0])]
    tap.check(evil["ran"] and evil["links"] and len(evil["found"]) >= 4 and evil["wide"] > evil["room"] and
              {a[0] for a in foreign} >= {"evil.example"}, "the judges see a page that does all of it",
              f"{evil}\n{foreign}")
    tap.check(len(all_) > 25, "every sample was shown", sorted(all_))
    tap.equal({n: r["found"] for n, r in all_.items() if r["found"]}, {}, "no element or attribute that does anything")
    tap.equal([n for n, r in all_.items() if r["ran"] or r["links"]], [], "nothing ran, nothing can be clicked")
    tap.equal(sorted({a for a in foreign if a[1] not in ("i.png", "b.png")}), [], "nobody else was asked for anything")
    tap.equal([n for n, r in all_.items() if r["wide"] > r["room"]], [], "none is wider than a phone")
    shown = all_["hostile-00.html"]["text"]
    tap.check("<script>" in shown and "onerror" in shown, "what he wrote is shown as it is", shown[:600])
    tap.check("hxxp[:]//evil[.]example" in all_["hostile-03.html"]["text"], "his links are shown, but are none")


def picture(folder, path):
    server = Server(pages_of(folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    p = chromium(os.path.join(folder, "profile"), server.server_port, f"--screenshot={path}", "--window-size=390,1130",
                 "--hide-scrollbars", "--virtual-time-budget=5000", "http://judge.test/login.html")
    server.shutdown()
    print(p.stderr[-300:] if p.returncode else path)


def main(tap, to=None):
    if shutil.which("chromium") is None:
        raise taplib.Skip("chromium is not installed")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([SAMPLES, folder], check=True, timeout=60)
        if to:
            picture(folder, os.path.abspath(to))
        else:
            judge(tap, folder)


if len(sys.argv) == 3 and sys.argv[1] == "--picture":
    main(None, sys.argv[2])
else:
    taplib.run(main)
