"""Service names for Python programs in pods of the embedded cluster.

A host process cannot have a resolv.conf of its own, so Python finds this module first on its path
and the functions of `socket` that look names up ask the cluster's DNS first, by the rules of
a pod's resolv.conf (search NAMESPACE.svc.cluster.local …, ndots:5). What the cluster does not know
goes to the host's resolver as before. Programs that look names up in C (uvloop) are not reached.

It is imported by every Python program of a pod: it imports nothing of Pawl, and it must not fail.
"""

import os
import socket
import struct
from collections.abc import Callable
from typing import Any

NDOTS = 5
ZONE = "cluster.local"
_LIMIT = 2.0  # seconds; the server is on this machine
_A, _IN = 1, 1


def query(name: str, server: tuple[str, int]) -> list[str]:
    """IPv4 addresses of an absolute name; none when it does not exist. OSError: no answer."""
    number = os.urandom(2)
    labels = b"".join(bytes([len(part)]) + part for part in name.encode("idna").split(b"."))
    question = labels + b"\0" + struct.pack("!HH", _A, _IN)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:  # answers may be long
        sock.settimeout(_LIMIT)
        sock.connect(server)
        message = number + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + question
        sock.sendall(struct.pack("!H", len(message)) + message)
        with sock.makefile("rb") as stream:
            (size,) = struct.unpack("!H", stream.read(2))
            answer = stream.read(size)
    (count,) = struct.unpack("!H", answer[6:8])
    return addresses(answer, 12 + len(question), count)


def addresses(answer: bytes, position: int, count: int) -> list[str]:
    """The A records among `count` records that begin at `position`."""
    found = []
    for _ in range(count):
        while answer[position] and answer[position] < 0xC0:
            position += 1 + answer[position]
        position += 2 if answer[position] else 1  # a pointer, or the root
        kind, _, _, size = struct.unpack("!HHIH", answer[position : position + 10])
        position += 10
        if kind == _A:
            found.append(socket.inet_ntoa(answer[position : position + size]))
        position += size
    return found


def candidates(name: str, search: list[str]) -> list[str]:
    """The absolute names to try in the cluster's zone, as a resolver with `search` tries them."""
    if name.endswith("."):
        tried = [name]
    elif name.count(".") >= NDOTS:
        tried = [name, *(f"{name}.{domain}" for domain in search)]
    else:
        tried = [*(f"{name}.{domain}" for domain in search), name]
    return [each.rstrip(".") for each in tried if each.rstrip(".").endswith("." + ZONE)]


def lookup(host: Any, server: tuple[str, int], search: list[str]) -> list[str]:
    """Addresses that the cluster knows for `host`; none for numbers and for names of others."""
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str) or not host or host == "localhost" or ":" in host:
        return []
    if host.replace(".", "").isdigit():
        return []
    try:
        for name in candidates(host, search):
            if found := query(name, server):
                return found
    except (OSError, ValueError, struct.error, IndexError):
        return []
    return []


def install(server: tuple[str, int], search: list[str]) -> None:
    """Replace the functions of `socket` that look names up."""
    original: Callable[..., list[Any]] = socket.getaddrinfo
    by_name, by_name_ex = socket.gethostbyname, socket.gethostbyname_ex

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        family = kwargs.get("family", args[0] if args else 0)
        found = lookup(host, server, search) if family != socket.AF_INET6 else []
        if not found:
            return original(host, port, *args, **kwargs)
        return [entry for each in found for entry in original(each, port, *args, **kwargs)]

    def gethostbyname(host: str) -> str:
        found = lookup(host, server, search)
        return found[0] if found else by_name(host)

    def gethostbyname_ex(host: str) -> tuple[str, list[str], list[str]]:
        found = lookup(host, server, search)
        return (host, [], found) if found else by_name_ex(host)

    socket.getaddrinfo = getaddrinfo
    socket.gethostbyname = gethostbyname
    socket.gethostbyname_ex = gethostbyname_ex


if "PAWL_LOCAL_DNS" in os.environ:
    _host, _, _port = os.environ["PAWL_LOCAL_DNS"].rpartition(":")
    install((_host, int(_port)), os.environ.get("PAWL_LOCAL_SEARCH", "").split())
