#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: asan
"""deliver and courier against servers in every mood: what arrives, what becomes of what does not, and that
nobody waits for anybody. In a network and mount namespace of its own, with names of its own."""
import hashlib
import hmac
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
import receivers as r  # noqa
import tap  # noqa

BUILD = os.environ.get("SKEP_BUILD", os.path.join(ROOT, "build"))
SKEP = os.path.abspath(os.environ.get("SKEP", os.path.join(BUILD, "src/cmd/skep")))
DRIVE = os.path.join(BUILD, "tests/lib/deliver_drive")
ONLY = os.environ.get("SKEP_ONLY", "").split()  # parts, for who works on one
OK, LATER, NEVER = 0, 1, 2
UID = "64123"
BODY = b"From: a@example.test\r\nSubject: one\r\n\r\nhello\r\n.\r\n..two dots\r\nend\r\n"


class Bench:
    """One deliver_drive. to: lists of lines of each destination."""

    def __init__(self, folder, to, courier=False, timeouts=None):
        self.folder, self.n, self.results = folder, 0, {}
        self.order = []
        fd, conf = tempfile.mkstemp(dir=folder)
        with os.fdopen(fd, "w") as f:
            if timeouts:
                f.write("timeouts %d %d\n" % timeouts)
            for lines in to:
                f.write("\n".join(lines) + "\n")
        args = [DRIVE, conf] + (["courier", SKEP, UID] if courier else [])
        self.p = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.line().get("ready"), "deliver_drive does not start"

    def line(self):
        b = self.p.stdout.readline()
        return json.loads(b) if b else {"eof": self.p.wait()}

    def say(self, text):
        self.p.stdin.write(text.encode() + b"\n")
        self.p.stdin.flush()

    def send(self, to, number, body=BODY):
        path = os.path.join(self.folder, f"body-{id(self)}-{self.n}")
        self.n += 1
        with open(path, "wb") as f:
            f.write(body)
        self.say(f"send {to} {number} {path}")

    def next(self):
        x = self.line()
        if "number" not in x:
            raise RuntimeError(f"the driver says {x}")
        self.results[x["number"]] = x
        self.order.append(x["number"])
        return x

    def result(self, number):
        while number not in self.results:
            self.next()
        return self.results.pop(number)

    def deliver(self, to, number, body=BODY):
        self.send(to, number, body)
        return self.result(number)

    def end(self):
        self.p.stdin.close()
        return self.p.wait(30)


def brief(x):
    return (x["outcome"], x["code"])


def mail(url, *more, to=("b@example.test",)):
    return ["new smtp", f"url {url}", "from a@example.test"] + [f"to {x}" for x in to] + list(more)


# ---- mail -------------------------------------------------------------------------------------------------

def mail_taken(t, d, cert, secret, courier):
    """Every way in, by IPv4 and IPv6."""
    tls, users = cert.context(), {"user": "pass word"}
    a = r.Mail(starttls=tls, users=users)
    b = r.Mail("::1", tls=tls, users=users)
    c = r.Mail("192.0.2.1", starttls=tls, users=users)
    e = r.Mail()
    f = r.Mail("2001:db8::1", starttls=cert.context("own"))
    log = ["user user", f"secret {secret}", f"ca {cert.ca}"]
    bench = Bench(d, [mail(a.at("smtp"), *log), mail(b.at("smtps"), *log, "auth login"),
                      mail(c.at("smtp", name="mail.example.test"), *log, "auth plain"),
                      mail(e.at("smtp"), "insecure yes"),
                      mail(f.at("smtp"), "insecure yes")], courier)
    ways = [("STARTTLS", a, ("PLAIN", True)), ("TLS, IPv6, LOGIN", b, ("LOGIN", True)),
            ("by name, PLAIN", c, ("PLAIN", True)), ("in the clear", e, None),
            ("in the clear by leave, where TLS is offered by nobody known", f, None)]
    for i in range(len(ways)):
        bench.send(i, 100 + i)
    for i, (what, server, login) in enumerate(ways):
        t.equal(brief(bench.result(100 + i)), (OK, 250), f"{what}: taken")
        t.check(len(server.got) == 1 and server.got[0]["data"] == BODY and
                server.got[0]["to"] == ["b@example.test"], f"{what}: arrives byte for byte, once", server.got)
        if login:
            t.equal(server.logins, [(login[0], "user", "pass word", login[1])], f"{what}: logged in, encrypted")
    t.check(f.got[0]["encrypted"], "what is offered is used even where it need not be")
    t.check(all(h.replace("-", "").replace(".", "").isalnum() and "." in h for h in a.hello),
            "says hello with a name", a.hello)
    t.check(r.until(lambda: all("QUIT" in x.said for x in (a, b, c, e))), "and good-bye")
    bench.deliver(0, 120, b"Subject: x\nA: b\r\rbare\r\n")
    t.equal(a.got[1]["data"], b"Subject: x\r\nA: b\r\n\r\nbare\r\n", "bare line ends become whole ones")
    t.equal(bench.end(), 0, "ends well")


def mail_refused(t, d, cert, secret, courier):
    tls, users = cert.context(), {"user": "other"}
    log = ["user user", f"secret {secret}", f"ca {cert.ca}"]
    grey, partly = {"n": 0}, {"n": 0}

    def refuse_one(v, verb, arg, n):
        return "550 5.1.1 no such user" if verb == "RCPT" and "<no@" in arg else None

    def greylist(v, verb, arg, n):
        if verb == "RCPT":
            grey["n"] += 1
            return "451 4.7.1 greylisted" if grey["n"] == 1 else None

    def greylist_one(v, verb, arg, n):
        if verb == "RCPT" and "<c@" in arg:
            partly["n"] += 1
            return "450 4.2.0 come again" if partly["n"] == 1 else None

    wrong = r.Mail(starttls=tls, users=users)
    none, some = r.Mail(mood=refuse_one), r.Mail("::1", mood=refuse_one)
    later, other = r.Mail(mood=greylist), r.Mail(mood=greylist_one)
    plain = r.Mail(users={"user": "pass word"})
    message = r.Mail(mood=lambda v, verb, a, n: "554 5.7.1 spam" if verb == "message" else None)
    sender = r.Mail(mood=lambda v, verb, a, n: "530 5.7.0 STARTTLS first" if verb == "MAIL" else None)
    bench = Bench(d, [mail(wrong.at("smtp"), *log), mail(none.at("smtp"), "insecure yes", to=["no@example.test"]),
                      mail(some.at("smtp"), "insecure yes", to=["b@example.test", "no@example.test"]),
                      mail(later.at("smtp"), "insecure yes"),
                      mail(other.at("smtp"), "insecure yes", to=["b@example.test", "c@example.test"]),
                      mail(plain.at("smtp"), "user user", f"secret {secret}"),
                      mail(message.at("smtp"), "insecure yes"), mail(sender.at("smtp"), "insecure yes")], courier)
    x = bench.deliver(0, 200)
    t.check(brief(x) == (LATER, 535) and x["after"] >= 600 and "wrong password" in x["text"],
            "a wrong password waits long, and loses nothing", x)
    x = bench.deliver(1, 201)
    t.check(brief(x) == (NEVER, 550) and "no such user" in x["text"], "no such user: never", x)
    x = bench.deliver(2, 202)
    t.check(x["outcome"] == OK and "1 of 2" in x["text"] and "no such user" in x["text"] and
            some.got[0]["to"] == ["b@example.test"], "one of two takes it: delivered, and says who not", x)
    x = bench.deliver(3, 203)
    t.check(brief(x) == (LATER, 451) and "greylisted" in x["text"], "greylisted: later", x)
    t.check(brief(bench.deliver(3, 203)) == (OK, 250) and len(later.got) == 1, "and then taken")
    x = bench.deliver(4, 204)
    t.check(x["outcome"] == LATER and "come again" in x["text"], "one of two wants it later: later", x)
    t.equal(bench.deliver(4, 204)["outcome"], OK, "then it is done")
    t.equal([m["to"] for m in other.got], [["b@example.test"], ["c@example.test"]], "nobody has it twice")
    t.equal(bench.deliver(4, 205)["outcome"], OK, "the next message")
    t.equal(other.got[-1]["to"], ["b@example.test", "c@example.test"], "goes to both")
    x = bench.deliver(5, 206)
    t.check(x["outcome"] == LATER and x["after"] >= 600 and not plain.logins and not plain.got,
            "no STARTTLS, no password and no message", x)
    t.equal(brief(bench.deliver(6, 207)), (NEVER, 554), "a message that is refused: never")
    x = bench.deliver(7, 208)
    t.check(brief(x) == (LATER, 530) and x["after"] >= 600, "a server that wants TLS of us is no fault of the message", x)
    t.equal(bench.end(), 0, "ends well")


def another_hand(t, d, cert, secret, courier):
    """The same against a server that others wrote, by asyncio."""
    try:
        from aiosmtpd.controller import Controller
        from aiosmtpd.smtp import AuthResult
    except ImportError:
        t.skip("aiosmtpd", "python3-aiosmtpd is not installed")
        return

    class Box:
        def __init__(self):
            self.got, self.times = [], 0

        async def handle_RCPT(self, server, session, envelope, address, options):  # noqa
            self.times += address.startswith("grey@")
            if address.startswith("no@") or address.startswith("grey@") and self.times == 1:
                return "550 5.1.1 no such user" if address.startswith("no@") else "451 4.7.1 greylisted"
            envelope.rcpt_tos.append(address)
            return "250 OK"

        async def handle_DATA(self, server, session, envelope):  # noqa
            self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.content, session.ssl is not None,
                             session.authenticated))
            return "250 OK"

    def login(server, session, envelope, mechanism, data):
        return AuthResult(success=(data.login, data.password) == (b"user", b"pass word"),
                          handled=False)

    logging.getLogger("mail").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    box = Box()
    servers = [Controller(box, hostname=h, port=p, ready_timeout=30, tls_context=cert.context(), require_starttls=True,
                          auth_required=True, authenticator=login) for h, p in (("127.0.0.1", 20587), ("::1", 20588))]
    servers.append(Controller(box, hostname="127.0.0.1", port=20465, ssl_context=cert.context(), auth_required=True,
                              auth_require_tls=False, authenticator=login))
    for x in servers:
        x.start()
    wrong = f"{d}/wrong"
    with open(wrong, "w", encoding="utf-8") as f:
        f.write("other\n")
    log = ["user user", f"ca {cert.ca}"]
    good = log + [f"secret {secret}"]
    try:
        bench = Bench(d, [mail("smtp://127.0.0.1:20587", *good), mail("smtp://[::1]:20588", *good, "auth login"),
                          mail("smtps://127.0.0.1:20465", *good), mail("smtp://127.0.0.1:20587", *log, f"secret {wrong}"),
                          mail("smtp://127.0.0.1:20587", *good, to=["no@example.test"]),
                          mail("smtp://[::1]:20588", *good, to=["grey@example.test"])], courier)
        for i in range(3):
            x = bench.deliver(i, 900 + i)
            t.check(x["outcome"] == OK and box.got[-1][2:] == (BODY, i < 2, True), "aiosmtpd: " +
                    ("STARTTLS", "STARTTLS, IPv6, LOGIN", "TLS")[i], x)
        x = bench.deliver(3, 903)
        t.check(brief(x) == (LATER, 535) and x["after"] >= 600, "aiosmtpd: a wrong password", x)
        x = bench.deliver(4, 904)
        t.check(brief(x) == (NEVER, 550), "aiosmtpd: no such user", x)
        x = bench.deliver(5, 905)
        t.check(brief(x) == (LATER, 451) and bench.deliver(5, 905)["outcome"] == OK and len(box.got) == 4,
                "aiosmtpd: greylisted, then taken", x)
        t.equal(bench.end(), 0, "ends well")
    finally:
        for x in servers:
            x.stop()


def mail_broken(t, d, cert, secret):
    """Those who never answer are still under way when the others are done."""
    quick, tarpit = r.Mail(), r.Silent()
    closing = r.Mail(mood=lambda v, verb, a, n: "" if verb == "greeting" else None)
    busy = r.Mail(mood=lambda v, verb, a, n: "421 4.3.2 too busy" if verb == "greeting" else None)
    dropping = r.Mail(mood=lambda v, verb, a, n: "" if verb == "line" and b"hello" in a else None)
    stuck = r.Mail(mood=lambda v, verb, a, n: False if verb == "QUIT" else None)
    rude = r.Mail(mood=lambda v, verb, a, n: {"QUIT": False, "RCPT": "550 no"}.get(verb))
    with socket.create_server(("127.0.0.1", 0)) as s:
        nobody = s.getsockname()[1]
    bench = Bench(d, [mail(x.at("smtp"), "insecure yes") for x in
                      (tarpit, quick, closing, busy, dropping, stuck, rude)] +
                  [mail(f"smtp://127.0.0.1:{nobody}", "insecure yes")], timeouts=(15000, 4000))
    for i in range(8):
        bench.send(i, 300 + i)
    want = [(LATER, 0), (OK, 250), (LATER, 0), (LATER, 421), (LATER, 0), (OK, 250), (NEVER, 550), (LATER, 0)]
    what = ["a tarpit", "a quick one", "one that closes at once", "one that is busy", "one that drops in the middle",
            "one that never answers QUIT", "one that refuses and never answers QUIT", "nobody"]
    got = [bench.result(300 + i) for i in range(8)]
    for i in range(8):
        t.check(brief(got[i]) == want[i], f"{what[i]}: {want[i]}", got[i])
    t.equal(bench.order[-1], 300, "the tarpit is the last: nobody waited for it")
    t.check("imed out" in got[0]["text"], "and says why", got[0])
    t.check("efused" in got[7]["text"] or "connect" in got[7]["text"], "nobody listens: says so", got[7])
    t.check(not dropping.got, "half a message is none")
    bench.send(0, 310)
    bench.say("send 0 311 /dev/null")
    t.equal(bench.next()["outcome"], 99, "one at a time to each destination")
    bench.end()


def certificates(t, d, cert, secret, courier):
    lines = ["user user", f"secret {secret}", f"ca {cert.ca}"]
    users = {"user": "pass word"}
    servers = [r.Mail(starttls=cert.context(x), users=users) for x in ("own", "expired", "misnamed")]
    servers += [r.Mail("192.0.2.1", users=users), r.Mail(users=users), r.Mail(starttls=cert.context(), users=users)]
    bench = Bench(d, [mail(x.at("smtp"), *lines) for x in servers[:3]] +
                  [mail(servers[3].at("smtp"), *lines, "insecure yes"),
                   mail(servers[4].at("smtp"), *lines, "insecure yes"),
                   mail(servers[5].at("smtp"), *lines[:2]),
                   mail("smtp://user:pw@127.0.0.1:25", *lines),
                   mail("https://127.0.0.1/", *lines)], courier)
    for i, name in enumerate(("nobody's", "an expired", "another's")):
        x = bench.deliver(i, 400 + i)
        t.check(x["outcome"] == LATER and x["after"] >= 600 and "certificate" in x["text"].lower() and
                not servers[i].got and not servers[i].logins, f"{name} certificate: no password, no message", x)
    x = bench.deliver(3, 403)
    t.check(x["outcome"] == LATER and not servers[3].logins, "no password over the network in the clear, even by leave", x)
    t.check(bench.deliver(4, 404)["outcome"] == OK and servers[4].logins, "to this very host it may go, by leave")
    x = bench.deliver(5, 405)
    t.check(x["outcome"] == LATER and not servers[5].got, "one destination's trust is not another's", x)
    for i in (6, 7):
        x = bench.deliver(i, 400 + i)
        t.check(x["outcome"] == (NEVER if courier else 99), "a URL that makes no sense goes nowhere", x)
    bench.end()


def oauth(t, d, cert, secret, courier):
    token = {"n": 0}
    valid = set()

    def answer(q):
        token["n"] += 1
        if b"client_id=bad" in q["body"]:
            return 400, {}, b'{"error": "invalid_grant"}'
        valid.add(f"token{token['n']}")
        return 200, {}, json.dumps({"access_token": f"token{token['n']}", "expires_in": 3600}).encode()

    tokens = r.Web(answer, tls=cert.context())
    server = r.Mail(starttls=cert.context(), tokens=valid)
    more = ["user user", f"secret {secret}", f"ca {cert.ca}", "auth xoauth2", f"oauth_url {tokens.at('https', '/token')}"]
    still = mail(server.at("smtp"), "user user", f"secret {secret}", f"ca {cert.ca}", "auth xoauth2")
    bench = Bench(d, [mail(server.at("smtp"), *more, "oauth_client me", f"oauth_secret {secret}"),
                      mail(server.at("smtp"), *more, "oauth_client bad"), still], courier)
    t.equal(brief(bench.deliver(0, 500)), (OK, 250), "XOAUTH2 with a fresh token: taken")
    t.equal(server.logins[-1], ("XOAUTH2", "user", "token1", True), "the token is the fresh one")
    t.equal(tokens.got[0]["body"], b"grant_type=refresh_token&refresh_token=pass%20word&client_id=me"
            b"&client_secret=pass%20word", "asked for as RFC 6749 says")
    bench.deliver(0, 501)
    t.check(len(tokens.got) == 1 and len(server.got) == 2, "and used again while it is good")
    valid.clear()
    x = bench.deliver(0, 502)
    t.check(brief(x) == (LATER, 535), "a token that was withdrawn: later", x)
    t.check(brief(bench.deliver(0, 502)) == (OK, 250) and len(tokens.got) == 2, "with a new one")
    x = bench.deliver(1, 503)
    t.check(x["outcome"] == LATER and x["after"] >= 600 and "invalid_grant" in x["text"], "no token is given: says why", x)
    valid.add("pass word")
    x = bench.deliver(2, 504)
    t.check(brief(x) == (OK, 250) and server.logins[-1][2] == "pass word", "a token that the operator brings himself", x)
    bench.end()


def by_name(t, d, cert, secret, courier):
    """A name server that does not answer holds up nobody, nor the end; an address that does not, no other."""
    a = r.Mail("192.0.2.1")
    bench = Bench(d, [mail(a.at("smtp", name="silent.example.test"), "insecure yes"),
                      mail(a.at("smtp", name="both.example.test"), "insecure yes"),
                      mail(a.at("smtp", name="unknown.example.test"), "insecure yes")], courier, (15000, 2500))
    bench.send(0, 950)
    x = bench.deliver(1, 951)
    t.check(x["outcome"] == OK and len(a.got) == 1, "the other address is tried, and nobody waits for a name", x)
    x = bench.deliver(2, 952)
    t.check(x["outcome"] == LATER and "resolve" in x["text"].lower(), "a name that nobody knows: later", x)
    if not courier:
        x = bench.result(950)
        t.check(brief(x) == (LATER, 0), "a name server that does not answer: later", x)
    t.equal(bench.end(), 0, "ends well, whoever is still asked for")


# ---- web --------------------------------------------------------------------------------------------------

def web(t, d, cert, secret, courier):
    """One answer after another by the path."""
    answers = {
        "/ok": (200, {}, b"ok"), "/none": (204, {}, b""), "/wait": (429, {"Retry-After": "7"}, b"slow down"),
        "/discord": (429, {}, b'{"message": "limited", "retry_after": 2.5, "global": false}'),
        "/date": (503, {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}, b""), "/gone": (404, {}, b"no_\x01team\0"),
        "/moved": (302, {"Location": "/ok"}, b""), "/broken": (500, {}, b""), "/token": (401, {}, b"bad token"),
        "/big": (200, {}, b"x" * 1000000), "/headers": (200, {f"X-{i}": "y" * 900 for i in range(90)}, b""),
        "/close": None,
    }
    s = r.Web(lambda q: answers.get(q["path"], (200, {}, b"")), tls=cert.context())
    six = r.Web(lambda q: (200, {}, b""), "::1")
    slow = r.Silent()

    def one(kind, url, *more):
        return [f"new {kind}", f"url {url}", f"ca {cert.ca}"] + list(more)

    paths = list(answers)
    bench = None
    want = {"/ok": (OK, 200, 0), "/none": (OK, 204, 0), "/wait": (LATER, 429, 7), "/discord": (LATER, 429, 3),
            "/date": (LATER, 503, 86400), "/gone": (NEVER, 404, 0), "/moved": (LATER, 302, 900),
            "/broken": (LATER, 500, 0), "/token": (LATER, 401, 900), "/big": (OK, 200, 0), "/headers": (OK, 200, 0),
            "/close": (LATER, 0, 0)}
    for k in range(0, len(paths), 6):
        bench = Bench(d, [one("slack", s.at("https", p)) for p in paths[k:k + 6]], courier)
        for i, p in enumerate(paths[k:k + 6]):
            x = bench.deliver(i, 600 + k + i, b'{"text": "hi"}')
            t.check((x["outcome"], x["code"], x["after"]) == want[p], f"{p}: {want[p]}", x)
            if p == "/gone":
                t.check("404" in x["text"] and "team" in x["text"], "and what it said", x)
        t.equal(bench.end(), 0, "ends well")
    t.equal([q["path"] for q in s.got], paths, "each was asked once, and no redirect followed")
    t.check(all(q["body"] == b'{"text": "hi"}' and q["headers"]["Content-Type"] == "application/json"
                for q in s.got), "the body is what was given")
    bench = Bench(d, [one("webhook", s.at("https", "/ok"), f"secret {secret}"),
                      one("ntfy", s.at("https", "/ok/topic?x=1"), f"secret {secret}"), one("webhook", six.at("http", "/x?y=1")),
                      one("webhook", "http://192.0.2.1:9/"), one("slack", slow.at("http")),
                      one("webhook", six.at("http", "/x"))],
                  courier, timeouts=(15000, 3000))
    if not courier:
        bench.send(4, 654)
    bench.deliver(0, 650, b'{"a": 1}')
    q = s.got[-1]
    stamp, mac = [x.split("=")[1] for x in q["headers"]["X-Skep-Signature"].split(",")]
    good = hmac.new(b"pass word", f"{stamp}.".encode() + q["body"], hashlib.sha256).hexdigest()
    t.check(mac == good and abs(int(stamp) - time.time()) < 600, "a generic webhook is signed", q["headers"])
    t.equal(q["headers"]["X-Skep-Delivery"], "650", "and numbered")
    bench.deliver(1, 651, b"{}")
    t.check(s.got[-1]["headers"]["Authorization"] == "Bearer pass word" and
            "X-Skep-Signature" not in s.got[-1]["headers"] and s.got[-1]["path"] == "/ok/",
            "ntfy's token, and JSON goes to its root, not to the topic", s.got[-1])
    t.check(bench.deliver(2, 652, b"{}")["outcome"] == OK and six.got[-1]["path"] == "/x?y=1",
            "IPv6, and http to this very host")
    x = bench.deliver(3, 653, b"{}")
    t.check(x["outcome"] == (NEVER if courier else 99), "but not to others without leave", x)
    if not courier:
        x = bench.result(654)
        t.check(brief(x) == (LATER, 0) and bench.order[-1] == 654, "a slow one: later, and nobody waited for it", x)
    bench.end()


# ---- syslog -----------------------------------------------------------------------------------------------

LINE = b"<113>1 2026-11-28T12:00:00Z s skep - alert - hello\n"


def syslog(t, d, cert, secret, courier):
    s = [r.Lines(tls=cert.context()), r.Lines("::1", tls=cert.context()), r.Lines(), r.Lines("2001:db8::1"),
         r.Lines(rude=True), r.Lines(tls=cert.context("own"))]
    udp, udp6 = r.Datagrams(), r.Datagrams("::1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as x:
        x.bind(("127.0.0.1", 0))
        nobody = x.getsockname()[1]
    schemes = ["tls", "tls", "tcp", "tcp", "tcp", "tls"]
    ca = f"ca {cert.ca}"
    bench = Bench(d, [["new syslog", f"url {x.at(y)}", ca] for x, y in zip(s, schemes)] +
                  [["new syslog", f"url {udp.at()}"], ["new syslog", f"url {udp6.at()}"]], courier)
    for i in range(8):
        bench.send(i, 700 + i, LINE)
    got = [bench.result(700 + i) for i in range(8)]
    for i, what in enumerate(("TLS", "TLS, IPv6", "TCP", "TCP, IPv6")):
        t.check(got[i]["outcome"] == OK, f"{what}: taken", got[i])
        t.check(r.until(lambda i=i: s[i].got == [LINE[:-1]]), f"{what}: arrives, framed", s[i].got)
    t.check(got[4]["outcome"] == LATER, "a connection that is reset: later", got[4])
    t.check(got[5]["outcome"] == LATER and not s[5].got and got[5]["after"] >= 600, "nobody's certificate: no line", got[5])
    t.check(got[6]["outcome"] == OK and udp.one() == LINE[:-1], "UDP", got[6])
    t.check(got[7]["outcome"] == OK and udp6.one() == LINE[:-1], "UDP, IPv6", got[7])
    big = LINE[:-1] + b"x" * 50000
    x = bench.deliver(0, 710, big)
    t.check(x["outcome"] == OK and r.until(lambda: s[0].got[-1] == big), "a long one arrives whole", x)
    bench.end()
    bench = Bench(d, [["new syslog", f"url udp://127.0.0.1:{nobody}"]], courier)
    x = bench.deliver(0, 720, LINE)
    t.check(x["outcome"] == LATER and "nobody" in x["text"], "UDP where nobody listens: later", x)
    bench.end()


# ---- courier's own ------------------------------------------------------------------------------------------

def remembers(t, d, cert, secret):
    once = {"n": 0}

    def first_busy(v, verb, a, n):
        if verb == "MAIL":
            once["n"] += 1
            return "451 later" if once["n"] == 1 else None

    a, b, silent = r.Mail(), r.Mail(mood=first_busy), r.Silent()
    refusing = r.Mail(mood=lambda v, verb, x, n: "550 no" if verb == "RCPT" else None)
    bench = Bench(d, [mail(x.at("smtp"), "insecure yes") for x in (a, b, refusing, silent)], True)
    bench.deliver(0, 800)
    t.check(brief(bench.deliver(0, 800)) == (OK, 250) and len(a.got) == 1, "a number that it knows is told, not sent")
    bench.deliver(2, 801)
    t.check(brief(bench.deliver(2, 801)) == (NEVER, 550) and refusing.connections == 2,
            "what was refused is sent again: somebody may have mended it")
    t.equal(bench.deliver(1, 802)["outcome"], LATER, "what was to be tried later")
    t.equal(bench.deliver(1, 802)["outcome"], OK, "is tried")
    unkept = str((1 << 63) + 5)
    bench.send(0, unkept)
    bench.result(int(unkept))
    bench.send(0, unkept)
    bench.result(int(unkept))
    t.equal(len(a.got), 3, "numbers of no importance are not remembered")
    for i in range(4):
        bench.send(0, 810 + i)
    for i in range(4):
        t.equal(bench.result(810 + i)["outcome"], OK, f"{i + 1} at once to one destination: one after another")
    t.check(len(a.got) == 7, "all arrive", len(a.got))
    x = bench.deliver(0, 820, b"x" * 70000)
    t.check(x["outcome"] == NEVER and len(a.got) == 7, "a body over 64 KiB is none", x)
    for i in range(260):
        bench.deliver(0, 1000 + i)
    bench.deliver(0, 1010)
    t.equal(len(a.got), 267, "the last 256 are remembered")
    bench.deliver(0, 1000)
    t.equal(len(a.got), 268, "what is older is not")
    confined(t, bench)
    bench.send(3, 830)
    t.check(r.until(lambda: silent.connections == 1), "while one is under way")
    t.equal(bench.end(), 0, "it ends at once when told to")


def confined(t, bench):
    bench.say("pid")
    pid = bench.line()["pid"]
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        s = dict(x.split(":", 1) for x in f.read().splitlines())
    t.check(s["Uid"].split() == [UID] * 4 and int(s["CapPrm"], 16) == 0 and s["Seccomp"].strip() == "2" and
            s["NoNewPrivs"].strip() == "1", "it has no rights left", s)


def own_world():
    """Its own loopback with two more addresses, names by a server of the test."""
    if os.environ.get("SKEP_OWN_WORLD"):
        return
    if os.geteuid() != 0:
        return
    os.execvpe("unshare", ["unshare", "-n", "-m", "--propagation", "private", sys.executable, *sys.argv],
               dict(os.environ, SKEP_OWN_WORLD="1"))


def main(t):
    if not os.path.exists(DRIVE):
        raise tap.Skip("this build has no deliver_drive")
    for c in ("link set lo up", "addr add 192.0.2.1/32 dev lo", "addr add 2001:db8::1/128 dev lo"):
        subprocess.run(["ip", *c.split()], check=True)
    d = tempfile.mkdtemp(prefix="skep-deliver-")
    try:
        with open(f"{d}/resolv.conf", "w") as f:
            f.write("nameserver 192.0.2.1\n")
        subprocess.run(["mount", "--bind", f"{d}/resolv.conf", os.path.realpath("/etc/resolv.conf")], check=True)
        names = r.Names({"mail.example.test": ["192.0.2.1"],
                         "both.example.test": ["2001:db8::1", "192.0.2.1"]})
        cert = r.Certificates(d)
        secret = f"{d}/secret"
        with open(secret, "w") as f:
            f.write("pass word\n")
        for courier in (False, True):
            t.note("by courier" if courier else "in this process")
            for part in (mail_taken, mail_refused, another_hand, by_name, certificates, oauth, web, syslog):
                if part.__name__ in ONLY or not ONLY:
                    part(t, d, cert, secret, courier)
        for part in (mail_broken, remembers):
            if part.__name__ in ONLY or not ONLY:
                part(t, d, cert, secret)
        t.check(ONLY or "mail.example.test" in names.asked, "names are asked for")
    finally:
        subprocess.run(["umount", os.path.realpath("/etc/resolv.conf")], check=False)
        shutil.rmtree(d, ignore_errors=True)


if __name__ == "__main__":
    own_world()
    tap.run(main)
