#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A bad path between two links: frames are lost, swapped with the next one, or doubled, by a seeded draw.

    lossy.py NEAR FAR DROP SWAP DOUBLE SEED      shares from 0 to 1; prints `ready`

ARP and ICMPv6 pass untouched, so that neighbours find each other.
"""
import random
import select
import socket
import sys

ETH_P_ALL, PACKET_OUTGOING = 3, 4


def opened(ifname):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.bind((ifname, ETH_P_ALL))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    s.setblocking(False)
    return s


def main():
    near, far = opened(sys.argv[1]), opened(sys.argv[2])
    drop, swap, double = (float(a) for a in sys.argv[3:6])
    draw = random.Random(int(sys.argv[6]))
    other = {near: far, far: near}
    held = {near: None, far: None}
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([near, far], [], [], 0.005)
        if not ready:                   # nobody waits for ever
            for s in held:
                if held[s] is not None:
                    other[s].send(held[s])
                    held[s] = None
        for s in ready:
            for _ in range(64):
                try:
                    frame, address = s.recvfrom(65600)
                except BlockingIOError:
                    break
                if address[2] == PACKET_OUTGOING:
                    continue
                try:
                    pass_on(s, other[s], frame, draw, drop, swap, double, held)
                except OSError:
                    pass                # too long, queue full: lost as on a wire


def pass_on(s, out, frame, draw, drop, swap, double, held):
    kind = frame[12:14]
    if kind == b"\x08\x06" or (kind == b"\x86\xdd" and frame[20] == 58):
        out.send(frame)
        return
    x = draw.random()
    if x < drop:
        return
    if x < drop + swap and held[s] is None:
        held[s] = frame
        return
    out.send(frame)
    if x > 1 - double:
        out.send(frame)
    if held[s] is not None:
        out.send(held[s])
        held[s] = None


if __name__ == "__main__":
    main()
