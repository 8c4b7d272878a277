#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: asan
"""Keywords of rules for TLS, SSH and DNS: of each, rules that match, rules that must not, and rules one off
from matching, over self-made conversations. The values come from Python's ssl, from openssl and from a
second computation of JA3, JA4 and HASSH here; nothing is taken from skep."""
import calendar
import hashlib
import json
import os
import re
import shutil
import ssl
import struct
import subprocess
import sys
import tempfile
import time
from collections import defaultdict

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
from tap import Skip, Tap  # noqa
from talk import Talk  # noqa

SKEP = os.environ.get("SKEP", os.path.join(ROOT, "build/src/cmd/skep"))
KEYWORDS = """tls.sni tls_sni tls.subject tls.cert_subject tls_cert_subject tls.issuerdn tls.cert_issuer
tls_cert_issuer tls.cert_serial tls_cert_serial tls.cert_fingerprint tls.fingerprint tls_cert_fingerprint
tls.certs tls.subjectaltname tls.random tls.random_bytes tls.random_time tls.alpn tls.version
tls.cert_chain_len tls_cert_notbefore tls_cert_notafter tls.store ssl_state ssl_version ja3.hash ja3_hash
ja3.string ja3_string ja3s.hash ja3s_hash ja3s.string ja3s_string ja4.hash ja4_hash ssh.hassh
ssh.hassh.string ssh.hassh.server ssh.hassh.server.string dns.answer.name dns.answers.rrname
dns.authorities.rrname dns.additionals.rrname dns.response.rrname dns.rcode app-layer-event""".split()

# Where skep is known to differ from what Suricata means: text of the rule, and why. Noted, not failed.
KNOWN_FAULTS = {}

# The conversations by the port of the server; a rule is expected to speak in some of them.
FULL, PLAIN, NEW, HALF, BAD_RECORD = 4431, 4432, 4433, 4434, 4435
SSH_1, SSH_2, SSH_NO_DASH, SSH_LONG = 2201, 2202, 2203, 2204
HTTP_1, HTTP_2 = 8001, 8002
DNS_UDP, DNS_SHORT, DNS_NX, DNS_FLAG, DNS_OP7, DNS_OP6 = 53, 5301, 5302, 5303, 5304, 5305
TLS_CLEAR = {FULL, PLAIN, HALF}
NAME, SUBJECT, ISSUER = "www.example.org", "C=DE, O=Example Works, CN=www.example.org", "C=DE, CN=Example Root"
OTHER_NAME = "host.example.net"
AT_ONCE = 100


# ---- TLS by Python and openssl --------------------------------------------------------------------------------

def openssl(folder, *args):
    p = subprocess.run(["openssl", *args], cwd=folder, capture_output=True, text=True, timeout=60)
    if p.returncode != 0:
        raise RuntimeError(f"openssl {args}: {p.stderr}")


def certificates(folder):
    """own.pem: a leaf of an own root, both in one file; self.pem: signed by itself."""
    key = ("-newkey", "rsa:2048", "-nodes")
    openssl(folder, "req", "-x509", *key, "-keyout", "root.key", "-out", "root.pem", "-days", "30",
            "-subj", "/C=DE/CN=Example Root")
    openssl(folder, "req", *key, "-keyout", "own.key", "-out", "own.csr",
            "-subj", "/C=DE/O=Example Works/CN=www.example.org")
    with open(f"{folder}/ext", "w", encoding="utf-8") as h:
        h.write(f"subjectAltName=DNS:{NAME},DNS:alt.example.org\n")
    openssl(folder, "x509", "-req", "-in", "own.csr", "-CA", "root.pem", "-CAkey", "root.key",
            "-set_serial", "0x0A1B2C3D4E", "-days", "20", "-extfile", "ext", "-out", "leaf.pem")
    openssl(folder, "req", "-x509", *key, "-keyout", "self.key", "-out", "self.pem", "-days", "10",
            "-set_serial", "0x8A01", "-subj", "/CN=lonely")
    with open(f"{folder}/own.pem", "w", encoding="utf-8") as out:
        for name in ("leaf.pem", "root.pem"):
            with open(f"{folder}/{name}", encoding="utf-8") as h:
                out.write(h.read())


def der_of(path):
    with open(path, encoding="utf-8") as h:
        return ssl.PEM_cert_to_DER_cert(h.read())


def dates_of(path):
    """notBefore and notAfter in seconds, as Python's ssl reads the file."""
    d = ssl._ssl._test_decode_cert(path)  # the only way of the library without a connection
    return ssl.cert_time_to_seconds(d["notBefore"]), ssl.cert_time_to_seconds(d["notAfter"])


def tls_turns(folder, cert, newest, name=None, alpn=()):
    """What both ends say until the handshake is over, and one request."""
    client, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.maximum_version = newest
    server.load_cert_chain(f"{folder}/{cert}.pem", f"{folder}/{cert}.key")
    if alpn:
        client.set_alpn_protocols(list(alpn))
        server.set_alpn_protocols(["h2"])
    pipes = {side: (ssl.MemoryBIO(), ssl.MemoryBIO()) for side in "cs"}
    ends = {"c": client.wrap_bio(*pipes["c"], server_hostname=name),
            "s": server.wrap_bio(*pipes["s"], server_side=True)}
    turns, over = [], set()
    for _ in range(6):
        for side, other in ("cs", "sc"):
            if side not in over:
                try:
                    ends[side].do_handshake()
                    over.add(side)
                except ssl.SSLWantReadError:
                    pass
            data = pipes[side][1].read()
            if data:
                turns.append((side, data))
                pipes[other][0].write(data)
    assert over == {"c", "s"}
    ends["c"].write(b"GET / HTTP/1.0\r\n\r\n")
    turns.append(("c", pipes["c"][1].read()))
    return turns


class Hello:
    """A client's or server's hello, read from the first record."""

    def __init__(self, record):
        assert record[0] == 22
        d = record[9:9 + int.from_bytes(record[6:9], "big")]
        self.server = record[5] == 2
        self.version, self.random = struct.unpack("!H", d[:2])[0], d[2:34]
        at = 35 + d[34]
        if self.server:
            self.ciphers = [struct.unpack("!H", d[at:at + 2])[0]]
            at += 3
        else:
            n = struct.unpack("!H", d[at:at + 2])[0]
            self.ciphers = self.numbers(d[at + 2:at + 2 + n])
            at += 2 + n
            at += 1 + d[at]
        self.ext, at = [], at + 2
        while at < len(d):
            kind, n = struct.unpack("!HH", d[at:at + 4])
            self.ext.append((kind, d[at + 4:at + 4 + n]))
            at += 4 + n

    @staticmethod
    def numbers(d):
        return list(struct.unpack(f"!{len(d) // 2}H", d))

    def ja3(self):
        dash = lambda v: "-".join(str(x) for x in v)  # noqa
        parts = [str(self.version), dash(self.ciphers), dash([k for k, _ in self.ext])]
        if not self.server:
            e = dict(self.ext)
            parts += [dash(self.numbers(e.get(10, b"")[2:])), dash(e.get(11, b"")[1:])]
        return ",".join(parts)

    def ja4(self):
        e = dict(self.ext)
        newest = max(self.numbers(e[43][1:])) if 43 in e else self.version
        short = lambda text: hashlib.sha256(text.encode()).hexdigest()[:12]  # noqa
        hexes = lambda v: ",".join(f"{x:04x}" for x in v)  # noqa
        first = e[16][3:3 + e[16][2]].decode() if 16 in e else "00"
        return (f"t{ {0x304: '13', 0x303: '12'}[newest]}{'d' if 0 in e else 'i'}{len(self.ciphers):02}"
                f"{len(self.ext):02}{first[0]}{first[-1]}_{short(hexes(sorted(self.ciphers)))}_"
                + short(hexes(sorted(k for k in e if k not in (0, 16))) + "_"
                        + hexes(self.numbers(e[13][2:]))))


# ---- SSH and DNS by hand ------------------------------------------------------------------------------------

def kexinit(lists):
    payload = b"\x14" + bytes(range(16))
    for text in [*lists, "", ""]:
        payload += struct.pack("!I", len(text)) + text.encode()
    payload += b"\0" * 5
    pad = 4 + -(len(payload) + 9) % 8
    return struct.pack("!IB", 1 + len(payload) + pad, pad) + payload + b"\0" * pad


SSH_CLIENT = ["curve25519-sha256,kex-c", "ssh-ed25519", "aes128-ctr,cts", "aes256-ctr,stc", "hmac-cts",
              "hmac-stc", "none,zlib", "none"]
SSH_SERVER = ["curve25519-sha256,kex-s", "rsa-sha2-512", "chacha,cts", "aes256-gcm,stc", "umac-cts",
              "umac-stc", "none", "zlib,none"]
HASSH = ";".join(SSH_CLIENT[i] for i in (0, 2, 4, 6))
HASSH_SERVER = ";".join(SSH_SERVER[i] for i in (0, 3, 5, 7))


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def label(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"


def rr(name, kind, data, ttl=60):
    return label(name) + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def dns(question, answers=(), authority=(), additional=(), flags=0x8180, more=0):
    head = struct.pack("!6H", 0x1234, flags, 1, len(answers) + more, len(authority), len(additional))
    return head + label(question) + struct.pack("!HH", 1, 1) + b"".join([*answers, *authority, *additional])


ADDRESS = bytes((192, 0, 2, 7))
ANSWERS = [rr(NAME, 5, label(OTHER_NAME)), rr(OTHER_NAME, 1, ADDRESS)]
SOA = label("primary.example.org") + label("root.example.org") + struct.pack("!5I", 1, 2, 3, 4, 5)


def conversations(folder):
    talk, v12, v13 = Talk(start_ns=int(time.time()) * 10**9), ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    tls = {FULL: tls_turns(folder, "own", v12, NAME, ("h2", "http/1.1")),
           PLAIN: tls_turns(folder, "self", v12), NEW: tls_turns(folder, "own", v13, OTHER_NAME)}
    tls[HALF] = tls_turns(folder, "self", v12)[:2]
    tls[BAD_RECORD] = tls[PLAIN][:1] + [("s", b"\x63\x03\x03\x00\x04abcd")]
    for port, turns in tls.items():
        talk.tcp(turns, dport=port)
    newkeys = struct.pack("!IBB", 12, 10, 21) + b"\0" * 10
    banners = {"c": b"SSH-2.0-me_1\r\n", "s": b"SSH-2.0-you_2\r\n"}
    talk.tcp([("s", banners["s"]), ("c", banners["c"]), ("c", kexinit(SSH_CLIENT)), ("s", kexinit(SSH_SERVER)),
              ("c", newkeys), ("s", newkeys)], dport=SSH_1)
    talk.tcp([("s", banners["s"]), ("c", banners["c"]), ("c", kexinit(SSH_SERVER)), ("s", kexinit(SSH_CLIENT)),
              ("c", newkeys), ("s", newkeys)], dport=SSH_2)
    talk.tcp([("c", b"SSH-2.0\r\n"), ("s", banners["s"])], dport=SSH_NO_DASH)
    talk.tcp([("c", b"SSH-2.0-" + b"m" * 300 + b"\r\n"), ("s", banners["s"])], dport=SSH_LONG)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    talk.tcp([("c", b"GET / HTTP/1.1\r\nHost: a.example.org\r\n\r\n"), ("s", answer)], dport=HTTP_1)
    talk.tcp([("c", b"GET / HTTP/1.1\r\nHosts: a.example.org\r\n\r\n"), ("s", answer)], dport=HTTP_2)
    ask = lambda name, flags=0x0100: ("c", dns(name, flags=flags))  # noqa
    talk.udp([ask(NAME), ("s", dns(NAME, ANSWERS, [rr("example.net", 2, label("ns1.example.net"))],
                                   [rr("ns1.example.net", 1, ADDRESS)]))], dport=DNS_UDP)
    talk.udp([ask(NAME), ("s", dns(NAME, ANSWERS, more=1))], dport=DNS_SHORT)
    talk.udp([ask("missing.example.org"), ("s", dns("missing.example.org", (), [rr("example.org", 6, SOA)],
                                                    flags=0x8183))], dport=DNS_NX)
    talk.udp([ask(NAME), ("s", dns(NAME, [rr("zone.example.com", 1, ADDRESS)], flags=0x81C0))], dport=DNS_FLAG)
    talk.udp([ask(NAME), ("s", dns(NAME, flags=0x81A0 | 7 << 11))], dport=DNS_OP7)
    talk.udp([ask(NAME), ("s", dns(NAME, flags=0x81A0 | 6 << 11))], dport=DNS_OP6)
    return talk, tls


# ---- rules --------------------------------------------------------------------------------------------------

def text(keywords, value, ports, rules, proto="tls", caseless=False, fixed=False):
    """A buffer that holds exactly value in these conversations. fixed: a hash, whose contents must be whole;
    caseless: the keyword itself brings letters into the case of the value."""
    other = value[:-1] + ("0" if value[-1] != "0" else "1")
    swapped = value.upper() if value.upper() != value else value.lower()
    for k in keywords:
        add = lambda body, want: rules.append((proto, f"{k}; {body}", set(want)))  # noqa
        add(f'content:"{value}"; bsize:{len(value)};', ports)
        add(f'content:"{value}"; startswith; endswith;', ports)
        add(f'content:"{other}";', ())
        add(f'content:"{value}"; bsize:>{len(value)};', ())
        add(f'content:"{value}"; bsize:>{len(value) - 1};', ports)
        begin = re.escape(value[:len(value) - 1])
        add(f'pcre:"/^{begin}/"; bsize:<{len(value)};', ())
        add(f'content:"{value}"; bsize:<{len(value) + 1};', ports)
        add(f'content:"{value}"; offset:1;', ())
        add(f'content:"{swapped}";', ports if caseless or swapped == value else ())
        add(f'content:"{swapped}"; nocase;', ports)
        add(f'pcre:"/^{re.escape(value)}$/";', ports)
        if fixed:
            continue
        add(f'content:"{value[1:]}"; startswith;', ())
        add(f'content:"{value[:-1]}"; endswith;', ())
        add(f'content:"{value[:-1]}"; startswith;', ports)
        add(f'content:"{value[1:]}"; endswith;', ports)
        add(f'content:"{value[1:]}"; offset:1; depth:{len(value) - 1};', ports)
        add(f'content:"{value[2:]}"; offset:1; depth:{len(value) - 2};', ())


def pipes(data):
    return "|" + " ".join(f"{x:02x}" for x in data) + "|"


def raw(keyword, sides, rules, size):
    """Bytes of the hellos: sides is (flow, data, ports)."""
    for flow, data, ports in sides:
        add = lambda body, want: rules.append(("tls", f"flow:{flow}; {keyword}; {body}", set(want)))  # noqa
        add(f'content:"{pipes(data)}"; bsize:{size};', ports)
        add(f'content:"{pipes(data[:-1])}"; bsize:<{size};', ())
        add(f'content:"{pipes(data)}"; bsize:<{size + 1};', ports)
        add(f'content:"{pipes(data[:-1] + bytes([data[-1] ^ 1]))}";', ())
        add(f'content:"{pipes(data[1:])}"; offset:1; depth:{size - 1};', ports)
        add(f'content:"{pipes(data[1:])}"; startswith;', ())
        add(f'content:"{pipes(data[:-1])}"; endswith;', ())


def rules_of_certificates(folder, rules):
    leaf, root, lone = (der_of(f"{folder}/{n}.pem") for n in ("leaf", "root", "self"))
    colons = lambda d, f="{:02x}": ":".join(f.format(x) for x in d)  # noqa
    print_of = colons(hashlib.sha1(leaf).digest())
    text(("tls.cert_subject", "tls_cert_subject", "tls.subject"), SUBJECT, {FULL}, rules)
    text(("tls.cert_subject", "tls.cert_issuer"), "CN=lonely", {PLAIN, HALF}, rules)
    text(("tls.cert_issuer", "tls_cert_issuer", "tls.issuerdn"), ISSUER, {FULL}, rules)
    text(("tls.cert_serial", "tls_cert_serial"), "0A:1B:2C:3D:4E", {FULL}, rules, caseless=True, fixed=True)
    text(("tls.cert_serial",), "00:8A:01", {PLAIN, HALF}, rules, caseless=True, fixed=True)
    text(("tls.cert_fingerprint", "tls_cert_fingerprint"), print_of, {FULL}, rules, caseless=True, fixed=True)
    add = lambda body, want: rules.append(("tls", body, set(want)))  # noqa
    add(f'tls.subject:"{SUBJECT}";', {FULL})
    add('tls.subject:"O=Example Works";', {FULL})
    add('tls.subject:"O=Example works";', ())
    add('tls.subject:"O=Example Works,CN";', ())
    add('tls.issuerdn:"CN=Example Root";', {FULL})
    add('tls.issuerdn:"CN=Example Roots";', ())
    add('tls.issuerdn:"CN=lonely";', {PLAIN, HALF})
    add('flow:to_client; tls.issuerdn:!"Example Root";', {PLAIN, HALF})
    add(f'tls.fingerprint:"{print_of}";', {FULL})
    add(f'tls.fingerprint:"{colons(hashlib.sha1(root).digest())}";', ())
    add(f'tls.fingerprint:"{colons(hashlib.sha1(lone).digest())}";', {PLAIN, HALF})
    add(f'tls.fingerprint:!"{print_of}"; tls.cert_subject; content:"CN="; tls.cert_issuer; content:"CN=";',
        {PLAIN, HALF})
    add(f'tls.certs; content:"{pipes(leaf[-20:])}"; endswith; bsize:{len(leaf)};', {FULL})
    add(f'tls.certs; content:"{pipes(root[-20:])}"; endswith; bsize:{len(root)};', {FULL})
    add(f'tls.certs; content:"{pipes(lone[:20])}"; startswith; bsize:{len(lone)};', {PLAIN, HALF})
    add(f'tls.certs; content:"{pipes(root[-20:])}"; endswith; bsize:>{len(root)};', ())
    add(f'tls.certs; content:"{pipes(root[-20:])}"; endswith; bsize:<{len(root)};', ())
    add(f'tls.certs; content:"{pipes(root[-20:-1])}"; endswith;', ())
    add(f'tls.certs; content:"{pipes(leaf[1:20])}"; startswith;', ())
    for name in (NAME, "alt.example.org"):
        text(("tls.subjectaltname",), name, {FULL}, rules)
    add('tls.subjectaltname; content:"lonely";', ())
    for body, want in (("2", {FULL}), ("1", {PLAIN, HALF}), ("3", ()), (">0", TLS_CLEAR), (">1", {FULL}),
                       (">2", ()), ("<2", {PLAIN, HALF}), ("<3", TLS_CLEAR), ("<1", ()), ("0<>2", {PLAIN, HALF}),
                       ("1<>3", {FULL}), ("2<>4", ()), (">=2", {FULL}), ("<=1", {PLAIN, HALF})):
        add(f"tls.cert_chain_len:{body};", want)
    before, after = dates_of(f"{folder}/leaf.pem")
    for k, at in (("tls_cert_notbefore", before), ("tls_cert_notafter", after)):
        day = lambda s: time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(s))  # noqa
        far = calendar.timegm((2040, 1, 1, 0, 0, 0))
        only = 'tls.cert_issuer; content:"Example Root";'
        for body, want in ((day(at), 1), (day(at + 1), 0), (day(at - 1), 0), (f"<{day(at + 1)}", 1),
                           (f"<{day(at)}", 1), (f"<{day(at - 1)}", 0), (f">{day(at - 1)}", 1),
                           (f">{day(at)}", 1), (f">{day(at + 1)}", 0), (f"{day(at)}<>{day(far)}", 1),
                           (f"{day(at + 1)}<>{day(far)}", 0), (f"{day(at - 9)}<>{day(at)}", 1),
                           (f"{day(at - 9)}<>{day(at - 1)}", 0), ("<1999-12-31", 0), (">1999", 1),
                           ("<2040-01", 1), (">2040-01-01T00:00:00", 0)):
            add(f"{k}:{body}; {only}", {FULL} if want else ())


def rules_of_hellos(tls, rules):
    hello = {p: (Hello(t[0][1]), Hello(t[1][1])) for p, t in tls.items() if p != BAD_RECORD}
    client, server = hello[FULL]
    text(("tls.sni", "tls_sni"), NAME, {FULL}, rules)
    text(("tls.sni",), OTHER_NAME, {NEW}, rules)
    for k, lo, hi in (("tls.random", 0, 32), ("tls.random_time", 0, 4), ("tls.random_bytes", 4, 32)):
        raw(k, (("to_server", client.random[lo:hi], {FULL}), ("to_client", server.random[lo:hi], {FULL})), rules,
            hi - lo)
    add = lambda body, want: rules.append(("tls", body, set(want)))  # noqa
    for body, want in (('content:"h2"; bsize:2;', {FULL}), ('content:"http/1.1"; bsize:8;', {FULL}),
                       ('content:"h2"; bsize:3;', ()), ('content:"http/1."; bsize:<8;', ()),
                       ('content:"H2";', ()), ('content:"http/1.0";', ()), ('content:"|02|h2";', ()),
                       ('content:"ttp/1.1"; startswith;', ()), ('content:"http/1."; endswith;', ())):
        add(f"tls.alpn; {body}", want)
    add('flow:to_client; tls.alpn; content:"h2"; bsize:2;', {FULL})
    add('flow:to_client; tls.alpn; content:"http";', ())
    for body, want in (("1.2", {FULL, PLAIN, HALF}), ("1.3", {NEW}), ("1.1", ()), ("1.0", ()), ("0x0303", TLS_CLEAR),
                       ("0x0304", {NEW}), ("0x0305", ()), ("0x0302", ())):
        add(f"flow:to_client; tls.version:{body};", want)
    add(f'tls.store; tls.sni; content:"{NAME}";', {FULL})
    add(f'tls.store; tls.sni; content:"{NAME}"; bsize:{len(NAME) + 1};', ())
    add('tls.store; tls.cert_chain_len:2;', {FULL})
    for body, want in (("tls1.2", TLS_CLEAR), ("tls1.1", ()), ("tls1.0", ()), ("sslv3", ()), ("sslv2", ()),
                       ("tls1.1,tls1.2", TLS_CLEAR), ("sslv3,tls1.0,tls1.1", ()), ("tls1.3", {NEW})):
        add(f"flow:to_client; ssl_version:{body};", want)
    add("ssl_state:client_hello;", set(hello) | {BAD_RECORD})
    add("ssl_state:server_hello;", set(hello))
    add("ssl_state:server_keyx;", TLS_CLEAR)
    add("ssl_state:client_keyx;", {FULL, PLAIN})
    add("ssl_state:client_keyx|server_keyx;", TLS_CLEAR)
    add("ssl_state:unknown;", ())
    add("flow:to_server; ssl_state:client_hello; tls.sni; content:\"%s\";" % NAME, {FULL})
    for port in (FULL, PLAIN, NEW):
        # the library says the same to everybody whom it is told the same
        same = lambda f, side: {p for p in hello if f(hello[p][side]) == f(hello[port][side])}  # noqa
        c, s = hello[port]
        also = {BAD_RECORD} if PLAIN in same(Hello.ja3, 0) else set()
        text(("ja3.string", "ja3_string"), c.ja3(), same(Hello.ja3, 0) | also, rules)
        text(("ja3.hash", "ja3_hash"), md5(c.ja3()), same(Hello.ja3, 0) | also, rules, caseless=True, fixed=True)
        text(("ja4.hash", "ja4_hash"), c.ja4(), same(Hello.ja4, 0) | also, rules)
        text(("ja3s.string", "ja3s_string"), s.ja3(), same(Hello.ja3, 1), rules)
        text(("ja3s.hash", "ja3s_hash"), md5(s.ja3()), same(Hello.ja3, 1), rules, caseless=True, fixed=True)


def rules_of_ssh(rules):
    more = dict(proto="ssh", rules=rules)
    for own, ports, lists in (("", {SSH_1}, HASSH), (".server", {SSH_1}, HASSH_SERVER)):
        text((f"ssh.hassh{own}",), md5(lists), ports, caseless=True, fixed=True, **more)
        quoted = lists.replace(";", "|3b|")
        add = lambda body, want: rules.append(("ssh", f"ssh.hassh{own}.string; {body}", set(want)))  # noqa
        n = len(lists)
        add(f'content:"{quoted}"; bsize:{n};', ports)
        add(f'content:"{quoted[:-1]}"; bsize:<{n};', ())
        add(f'content:"{quoted}"; bsize:<{n + 1};', ports)
        add(f'content:"{quoted}"; bsize:>{n};', ())
        add(f'content:"{quoted}"; startswith; endswith;', ports)
        add(f'content:"{quoted[1:]}"; startswith;', ())
        add(f'content:"{quoted[:-1]}"; endswith;', ())
        add(f'content:"{quoted.upper()}";', ())
        add(f'content:"{quoted.upper()}"; nocase;', ports)
    # the other way round: each side has its own direction's lists
    rules.append(("ssh", 'ssh.hassh.string; content:"chacha,cts|3b|umac-cts|3b|none"; endswith;', {SSH_2}))
    rules.append(("ssh", 'ssh.hassh.server.string; content:"aes256-ctr,stc|3b|hmac-stc|3b|none"; endswith;', {SSH_2}))
    rules.append(("ssh", 'ssh.hassh.server.string; content:"cts";', set()))


def rules_of_dns(rules):
    more = dict(proto="dns", rules=rules)
    text(("dns.answer.name", "dns.answers.rrname"), OTHER_NAME, {DNS_UDP}, **more)
    text(("dns.answer.name", "dns.answers.rrname", "dns.response.rrname"), "zone.example.com", {DNS_FLAG}, **more)
    text(("dns.authorities.rrname",), "example.net", {DNS_UDP}, **more)
    text(("dns.authorities.rrname",), "example.org", {DNS_NX}, **more)
    text(("dns.additionals.rrname",), "ns1.example.net", {DNS_UDP}, **more)
    add = lambda body, want: rules.append(("dns", body, set(want)))  # noqa
    for name, want in (("example.net", {DNS_UDP}), (NAME, {DNS_UDP}), ("ns1.example.net", {DNS_UDP}),
                       ("missing.example.org", ()), ("example.org", {DNS_NX}), ("primary.example.org", {DNS_NX})):
        add(f'dns.response.rrname; content:"{name}"; startswith; endswith;', want)
    for k, other in (("dns.answer.name", "example.net"), ("dns.answers.rrname", "ns1.example.net"),
                     ("dns.authorities.rrname", "ns1.example.net"), ("dns.additionals.rrname", "example.net"),
                     ("dns.additionals.rrname", OTHER_NAME), ("dns.answers.rrname", "missing.example.org")):
        add(f'{k}; content:"{other}"; startswith; endswith;', ())
    fine = {DNS_UDP, DNS_FLAG, DNS_OP7, DNS_OP6}
    for body, want in (("3", {DNS_NX}), ("2", ()), ("4", ()), ("0", fine), ("!3", fine), ("!0", {DNS_NX}),
                       (">2", {DNS_NX}), (">3", ()), ("<4", fine | {DNS_NX}), ("<3", fine), (">=3", {DNS_NX}),
                       (">=4", ()), ("<=3", fine | {DNS_NX}), ("<=2", fine), ("2-4", {DNS_NX}), ("3-5", ()),
                       ("1-3", ()), ("NXDOMAIN", {DNS_NX}), ("SERVFAIL", ()), ("REFUSED", ())):
        add(f"flow:to_client; dns.rcode:{body};", want)


def rules_of_events(rules):
    for proto, name, want in (
            ("dns", "malformed_data", {DNS_SHORT}), ("dns", "z_flag_set", {DNS_FLAG}),
            ("dns", "invalid_opcode", {DNS_OP7}), ("dns", "not_request", ()), ("dns", "infinite_loop", ()),
            ("tls", "invalid_record_type", {BAD_RECORD}), ("tls", "invalid_record_version", ()),
            ("tls", "invalid_certificate", ()), ("tls", "handshake_invalid_length", ()),
            ("http", "missing_host_header", {HTTP_2}), ("http", "host_header_ambiguous", ()),
            ("ssh", "invalid_banner", {SSH_NO_DASH}), ("ssh", "long_banner", {SSH_LONG}),
            ("ssh", "long_kex_record", ())):
        rules.append((proto, f"app-layer-event:{proto}.{name};", set(want)))
    rules.append(("http", 'app-layer-event:http.missing_host_header; http.uri; content:"/"; bsize:1;', {HTTP_2}))
    rules.append(("http", 'app-layer-event:http.missing_host_header; http.uri; content:"/"; bsize:2;', set()))


# ---- the run ------------------------------------------------------------------------------------------------

def inspect(folder, rules, first):
    """Some of the rules, from number first on: not so many that events of one packet would not fit."""
    with open(f"{folder}/x.rules", "w", encoding="utf-8") as h:
        for sid, (proto, body, _) in enumerate(rules, first):
            h.write(f'alert {proto} any any -> any any (msg:"{sid}"; {body} sid:{sid};)\n')
    p = subprocess.run([SKEP, "inspect", "-r", f"{folder}/in.pcap", "-S", f"{folder}/x.rules", "-o", folder],
                       capture_output=True, text=True, timeout=120)
    got = defaultdict(set)
    if p.returncode != 0:
        return p, got
    with open(f"{folder}/eve.json", encoding="utf-8") as h:
        for line in h:
            e = json.loads(line)
            if e["event_type"] == "alert":
                got[e["alert"]["signature_id"]].add(min(e["src_port"], e["dest_port"]))
    return p, got


def main(t):
    if shutil.which("openssl") is None:
        raise Skip("no openssl program")
    with tempfile.TemporaryDirectory() as folder:
        certificates(folder)
        talk, tls = conversations(folder)
        rules = []
        rules_of_certificates(folder, rules)
        rules_of_hellos(tls, rules)
        rules_of_ssh(rules)
        rules_of_dns(rules)
        rules_of_events(rules)
        talk.write(f"{folder}/in.pcap")
        got, bad = defaultdict(set), ""
        for at in range(0, len(rules), AT_ONCE):
            p, some = inspect(folder, rules[at:at + AT_ONCE], at + 1)
            got.update(some)
            said = p.stdout + p.stderr
            if p.returncode != 0 or " 0 refused" not in said or "did not fit" in said:
                bad += f"exit code {p.returncode}\n{said}"
        t.check(not bad, f"{len(rules)} rules over {len(talk.packets)} packets: none is refused, no event lost", bad)
        for k in KEYWORDS:
            own = [(sid, r) for sid, r in enumerate(rules, 1)
                   if re.search(rf"(?<![\w.]){re.escape(k)}(?![\w.])", r[1])]
            yes, no = sum(bool(r[2]) for _, r in own), sum(not r[2] for _, r in own)
            odd = []
            for sid, (_, body, want) in own:
                if got[sid] == want:
                    continue
                if body in KNOWN_FAULTS:
                    t.note(f"known fault: {body} ({KNOWN_FAULTS[body]})")
                else:
                    odd.append(f"{body} got {sorted(got[sid])} want {sorted(want)}")
            t.check(yes and no and not odd, f"{k}: {yes} rules that match, {no} that don't", "\n".join(odd))


tap = Tap()
try:
    main(tap)
except Skip as why:
    tap.skip("the rest", why)
sys.exit(tap.done())
