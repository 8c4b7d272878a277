# SPDX-License-Identifier: BSD-2-Clause
"""A small database in MaxMind's format: where networks are, as a test wants it.

    write(path, {"198.51.100.0/24": {"country": {"iso_code": "NZ"}, "autonomous_system_number": 64500}})
"""
import ipaddress

STRING, U16, U32, MAP, U64, ARRAY, BOOLEAN = 2, 5, 6, 7, 9, 11, 14


def head(kind, size):
    first = (0 if kind > 7 else kind) << 5
    return bytes([first | min(size, 29)] + ([kind - 7] if kind > 7 else []) + ([size - 29] if size >= 29 else []))


def encode(value, kind=U32):
    if isinstance(value, bool):
        return head(BOOLEAN, int(value))
    if isinstance(value, str):
        return head(STRING, len(value.encode())) + value.encode()
    if isinstance(value, int):
        data = value.to_bytes(8, "big").lstrip(b"\0")
        return head(kind, len(data)) + data
    if isinstance(value, list):
        return head(ARRAY, len(value)) + b"".join(map(encode, value))
    return head(MAP, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())


def grow(nodes, net, offset):
    """IPv4 lies in the first 2^32 addresses of IPv6."""
    length = net.prefixlen + (96 if net.version == 4 else 0)
    bits = f"{int(net.network_address):0128b}"[:length]
    at = 0
    for b in bits[:-1]:
        if nodes[at][int(b)] is None:
            nodes.append([None, None])
            nodes[at][int(b)] = len(nodes) - 1
        at = nodes[at][int(b)]
    nodes[at][int(bits[-1])] = ("data", offset)


def write(path, networks, made=1700000000):
    data, nodes = b"", [[None, None]]
    for net, facts in networks.items():
        grow(nodes, ipaddress.ip_network(net), len(data))
        data += encode(facts)
    n, tree = len(nodes), b""
    for to in (to for node in nodes for to in node):
        tree += (n if to is None else to if isinstance(to, int) else n + 16 + to[1]).to_bytes(3, "big")
    meta = {"node_count": (n, U32), "record_size": (24, U16), "ip_version": (6, U16), "database_type": "Test",
            "languages": [], "description": {}, "binary_format_major_version": (2, U16),
            "binary_format_minor_version": (0, U16), "build_epoch": (made, U64)}
    with open(path, "wb") as f:
        f.write(tree + b"\0" * 16 + data + b"\xab\xcd\xefMaxMind.com" + head(MAP, len(meta)))
        for k, v in meta.items():
            f.write(encode(k) + (encode(*v) if isinstance(v, tuple) else encode(v)))
