#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# tags: namespaces asan
"""Done-when 5, captures: capinfos and tshark read every capture; tshark's community id equals ours;
every frame that reached an endpoint is in the capture as it was delivered; `skep pcap` extracts
exactly one flow; dropped packets carry the verdict as a comment."""
import collections
import glob
import os
import subprocess
import sys
import time

import common  # noqa
import frames as f
import tap
from honeynet import GATEWAY_MAC, WEB, WEB6, Honeynet, guest, need, wait_for


def tshark(path, *args):
    p = subprocess.run(["tshark", "-n", "-r", path, *args], capture_output=True, text=True,
                       timeout=60, env=dict(os.environ, HOME="/tmp"))
    return p.returncode, p.stdout, p.stderr


def traffic(net):
    """Both families, TCP with data, UDP, ICMP, lateral; some of it refused."""
    web = net.start_in(net.lab, sys.executable, "-c",
                       "import socket,threading,time\n"
                       "def serve(fam,ip):\n"
                       " s=socket.socket(fam);s.setsockopt(1,2,1);s.bind((ip,8088));s.listen(8)\n"
                       " while 1:\n"
                       "  c,_=s.accept();c.recv(100);c.sendall(b'W'*200000);c.close()\n"
                       f"for a in ((socket.AF_INET,'{WEB}'),(socket.AF_INET6,'{WEB6}')):\n"
                       " threading.Thread(target=serve,args=a,daemon=True).start()\n"
                       "time.sleep(60)")
    time.sleep(0.8)
    get = ("import socket\nfor fam,ip in ((socket.AF_INET,'%s'),(socket.AF_INET6,'%s')):\n"
           " s=socket.socket(fam);s.settimeout(5);s.connect((ip,8088));s.sendall(b'GET')\n"
           " n=0\n while 1:\n  d=s.recv(65536)\n  n+=len(d)\n  if not d: break\n print(n)\n"
           % (WEB, WEB6))
    p = net.run_in(net.guest_ns("alice"), sys.executable, "-c", get)
    net.run_in(net.guest_ns("alice"), "ping", "-c", "2", "-i", "0.2", "-W", "1", WEB)
    net.run_in(net.guest_ns("alice"), "ping", "-c", "1", "-W", "1", WEB6)
    net.run_in(net.guest_ns("alice"), "ping", "-c", "1", "-W", "1", "10.99.0.31")
    net.run_lab("ping", "-c", "2", "-i", "0.2", "-W", "1", "203.0.113.30")
    net.run_lab("ping", "-c", "1", "-W", "1", "2001:db8:113::31")
    big = ("import socket\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
           f"s.sendto(b'F'*4000,('{WEB}',4999))\n"  # fragments
           f"s.sendto(b'q'*30,('{WEB}',4998))\n")
    net.run_in(net.guest_ns("alice"), sys.executable, "-c", big)
    alice = net.port_of("alice")
    for dst in ("10.1.2.3", "192.168.7.7"):
        alice.send(f.eth(GATEWAY_MAC, net.guests[0]["mac"], 0x0800, f.ipv4(
            "10.99.0.30", dst, 17, f.udp("10.99.0.30", dst, 4444, 9, b"forbidden"))))
    alice.send(f.eth(GATEWAY_MAC, "02:66:66:66:66:66", 0x0800, f.ipv4(
        "10.99.0.30", WEB, 17, f.udp("10.99.0.30", WEB, 4444, 9, b"spoofed"))))
    web.kill()
    return p.stdout


def complete(raw, partial):
    """A frame whose checksum the sender left to the card, as the card would have sent it."""
    if not partial:
        return raw
    s = f.Seen(raw)
    at = 34 if s.kind == 0x0800 else 54
    off = {6: 16, 17: 6}.get(s.proto)
    if off is None:
        return raw
    end = 14 + int.from_bytes(raw[16:18], "big") if s.kind == 0x0800 else 54 + int.from_bytes(
        raw[18:20], "big")
    body = raw[at:end]
    body = body[:off] + b"\0\0" + body[off + 2:]
    c = f.csum(f._pseudo(s.src, s.dst, s.proto, len(body)) + body)
    return raw[:at + off] + (c or 0xFFFF).to_bytes(2, "big") + raw[at + off + 2:]


def read_packets(path):
    """(interface, direction flag, bytes, comments) of every packet, by a reader of our own."""
    out, names = [], []
    with open(path, "rb") as h:
        data = h.read()
    at = 0
    while at + 12 <= len(data):
        kind, size = (int.from_bytes(data[at + i:at + i + 4], "little") for i in (0, 4))
        body = data[at + 8:at + size - 4]
        if kind == 0x0A0D0D0A:
            names = []
        elif kind == 1:
            names.append(option(body[8:], 2).decode())
        elif kind == 6:
            n = int.from_bytes(body[12:16], "little")
            opts = body[20 + (n + 3 & ~3):]
            flags = int.from_bytes(option(opts, 2) or b"\0", "little")
            out.append((names[int.from_bytes(body[:4], "little")], flags & 3, body[20:20 + n],
                        option(opts, 1).decode(errors="replace")))
        at += size
    return out


def option(data, want):
    at = 0
    while at + 4 <= len(data):
        code, n = (int.from_bytes(data[at + i:at + i + 2], "little") for i in (0, 2))
        if code == 0:
            break
        if code == want:
            return data[at + 4:at + 4 + n]
        at += 4 + (n + 3 & ~3)
    return b""


def check_delivered(t, packets, where, interface, sniffer, least):
    """Every frame the endpoint received is in the capture of that port, as sent by the wall."""
    have = collections.Counter(d for name, flag, d, _ in packets if name == interface and flag == 2)
    missing = []
    total = 0
    for _, out, raw, partial in sniffer.frames:
        if out:
            continue
        total += 1
        for form in (raw, complete(raw, partial)):
            if have[form] > 0:
                have[form] -= 1
                break
        else:
            missing.append(f.Seen(raw))
    t.check(total >= least and not missing,
            f"{total} frames that reached {where} are in the capture byte for byte",
            [f"{len(missing)} missing of {total}"] + missing[:10])


def check_files(t, files):
    for path in files:
        p = subprocess.run(["capinfos", "-M", path], capture_output=True, text=True)
        name = os.path.basename(path)
        t.check(p.returncode == 0 and "nanosecond" in p.stdout, f"capinfos reads {name}",
                p.stdout + p.stderr)
        rc, out, err = tshark(path)
        t.check(rc == 0 and out and "cut short" not in err, f"tshark reads {name}", err)
        rc, out, _ = tshark(path, "-T", "fields", "-e", "frame.interface_name")
        t.check({"outside"} <= set(out.split()), "interfaces are named like the ports",
                set(out.split()))


def check_community(t, net, path):
    rc, out, err = tshark(path, "--enable-protocol",
                          "communityid", "-Y", 'frame.interface_name == "outside"', "-T", "fields",
                          "-e", "communityid")
    theirs = set(out.split())
    ours = {e["connection"].get("community_id"): e for e in net.connections(verdict="forward")
            if e["direction"] != "LATERAL"}
    t.check(ours and theirs, f"tshark names {len(theirs)} ids, our events {len(ours)}", err)
    t.equal([k for k in ours if k not in theirs], [], "every id of ours is one of tshark's")


def check_extract(t, net):
    es = net.connections(direction="OUTBOUND", dest_port=8088, dest_ip=WEB)
    if not t.check(es, "the flow has an event"):
        return
    e, out = es[0], f"{net.dir}/one.pcapng"
    p = net.skep("pcap", "--flow", str(e["flow_id"]), "-o", out)
    if not t.check(p.returncode == 0, "skep pcap --flow", p.stdout + p.stderr):
        return
    rc, text, _ = tshark(out, "-T", "fields", "-e", "ip.addr", "-e", "tcp.port")
    rows = [line.split("\t") for line in text.splitlines()]
    t.check(len(rows) > 10 and all(
        "8088" in r[1].split(",") and WEB in r[0].split(",") for r in rows),
        f"... gives that flow only ({len(rows)} packets)", text[:600])
    sides = {x[0] for x in read_packets(out)}
    t.equal(len(sides), 2, "... on both ports it passed")
    want = e["connection"]["community_id"]
    p = net.skep("pcap", "--community", want, "-o", f"{net.dir}/two.pcapng")
    if p.returncode == 2:
        p = net.skep("pcap", "--community-id", want, "-o", f"{net.dir}/two.pcapng")
    t.check(p.returncode == 0 and os.path.getsize(f"{net.dir}/two.pcapng") > 1000,
            "skep pcap by community id", p.stdout + p.stderr)


def main(t):
    need("tshark", "capinfos", "ping")
    with Honeynet([guest("alice", "none", 30), guest("bob", "none", 31)]) as net:
        net.up()
        outside = net.sniff_outside()
        at_alice = net.sniff(net.guest_ns("alice"), "eth0")
        at_bob = net.sniff(net.guest_ns("bob"), "eth0")
        time.sleep(0.3)
        t.equal(traffic(net), "200000\n200000\n", "two pages were fetched through the wall")
        time.sleep(1)
        for s in (outside, at_alice, at_bob):
            s.stop()
        wait_for(lambda: net.connections(direction="OUTBOUND", dest_port=8088), 5)
        p = net.skep("pcap", "-o", f"{net.dir}/live.pcapng")
        t.check(p.returncode == 0, "skep pcap reads while the recorder writes", p.stderr)
        check_extract(t, net)
        net.down()
        files = glob.glob(f"{net.dir}/state/captures/*.pcapng")
        t.check(files and not glob.glob(f"{net.dir}/state/captures/*.part"),
                "captures are closed in good order", os.listdir(f"{net.dir}/state/captures"))
        check_files(t, files)
        packets = [x for path in files for x in read_packets(path)]
        names = {x[0] for x in packets}
        check_delivered(t, packets, "the outside", "outside", outside, 20)
        for g, s, least in (("alice", at_alice, 20), ("bob", at_bob, 4)):
            port = g if g in names else f"tap{net.guest_index(g)}"
            check_delivered(t, packets, g, port, s, least)
        for word, comment in ((b"forbidden", "off-limits"), (b"spoofed", "spoofed-mac")):
            got = [c for _, _, d, c in packets if word in d]
            t.check(got and all(comment in c for c in got),
                    f"a dropped packet carries its reason ({comment})", got)
        for path in files:
            check_community(t, net, path)


tap.run(main)
