"""The cluster's DNS server, UDP and TCP, on the cluster's own DNS address.

It answers for cluster.local from the registry (TTL 5 s, as CoreDNS) and asks the host's resolver
for everything else, so it can be somebody's only resolver. The port is 53 where the process may
have it, else an unprivileged one: who uses it has to be told the port (Envoy is, see `envoy`).

A host process cannot have a resolv.conf of its own. So in other pods service names resolve only
for programs that are told this server; `$NAME_SERVICE_HOST` is there for everybody.
"""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

from dnslib import AAAA, CNAME, QTYPE, RCODE, RR, SOA, SRV, A, DNSError, DNSRecord

from pawl.local.api.errors import ApiError
from pawl.local.node import zone
from pawl.local.node.host import Registry
from pawl.local.node.network import NoNetworkError

Obj = dict[str, Any]

TTL = 5
_MAX_UDP = 512  # without EDNS
_PORTS = (53, 10053, *range(10054, 10100))
_IDLE = 30.0  # seconds that a TCP client may be silent


class RegistryCatalog:
    """zone.Catalog over the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def namespace(self, name: str) -> bool:
        return self._get("namespaces", None, name) is not None

    def service(self, namespace: str, name: str) -> Obj | None:
        return self._get("services", namespace, name)

    def slices(self, namespace: str, service: str) -> Sequence[Obj]:
        return self._registry.list(
            "discovery.k8s.io/endpointslices",
            namespace,
            labels=f"kubernetes.io/service-name={service}",
        )

    def _get(self, resource: str, namespace: str | None, name: str) -> Obj | None:
        try:
            return self._registry.get(resource, namespace, name)
        except ApiError as error:
            if error.code == 404:
                return None
            raise


class DnsServer:
    """Bound by `open()`, which returns (address, port); serves until `close()`."""

    def __init__(self, catalog: zone.Catalog) -> None:
        self._catalog = catalog
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, address: str) -> tuple[str, int]:
        loop = asyncio.get_running_loop()
        udp, tcp = _bind(address)
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), sock=udp)
        self._server = await asyncio.start_server(self._serve_tcp, sock=tcp)
        return address, int(tcp.getsockname()[1])

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()

    async def answer(self, query: bytes, limit: int | None) -> bytes | None:
        """The reply to one message; None when it is no question. `limit`: bytes of a datagram."""
        try:
            request = DNSRecord.parse(query)
        except DNSError:
            return None
        if request.header.qr or not request.questions:
            return None
        reply = request.reply(ra=1, aa=0)
        name, kind = str(request.q.qname), QTYPE[request.q.qtype]
        if zone.in_zone(name):
            self._answer_cluster(reply, name, kind)
        else:
            await _answer_host(reply, name, kind)
        packed = bytes(reply.pack())
        if limit is not None and len(packed) > max(limit, _edns_size(request)):
            packed = bytes(reply.truncate().pack())
        return packed

    def datagram(self, query: bytes, client: Any) -> None:
        task = asyncio.create_task(self._reply_datagram(query, client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply_datagram(self, query: bytes, client: Any) -> None:
        reply = await self.answer(query, _MAX_UDP)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, client)

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                async with asyncio.timeout(_IDLE):
                    size = int.from_bytes(await reader.readexactly(2), "big")
                    reply = await self.answer(await reader.readexactly(size), None)
                if reply is None:
                    break
                writer.write(len(reply).to_bytes(2, "big") + reply)
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer_cluster(self, reply: DNSRecord, name: str, kind: str) -> None:
        reply.header.aa = 1
        asked = kind if kind in ("A", "AAAA", "SRV") else "other"
        answer = zone.resolve(name, asked, self._catalog)  # type: ignore[arg-type]
        if answer.alias:
            reply.add_answer(RR(name, QTYPE.CNAME, rdata=CNAME(answer.alias), ttl=TTL))
        for address in answer.addresses:
            reply.add_answer(RR(name, QTYPE.A, rdata=A(address), ttl=TTL))
        for host, port, address in answer.targets:
            reply.add_answer(RR(name, QTYPE.SRV, rdata=SRV(0, 100, port, host), ttl=TTL))
            reply.add_ar(RR(host, QTYPE.A, rdata=A(address), ttl=TTL))
        if not reply.rr:
            if not answer.exists:
                reply.header.rcode = RCODE.NXDOMAIN
            start = SOA(
                f"ns.dns.{zone.ZONE}", f"hostmaster.{zone.ZONE}", (1, 7200, 1800, 86400, TTL)
            )
            reply.add_auth(RR(zone.ZONE, QTYPE.SOA, rdata=start, ttl=TTL))


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._server.datagram(data, addr)


async def _answer_host(reply: DNSRecord, name: str, kind: str) -> None:
    families = {"A": (socket.AF_INET, A), "AAAA": (socket.AF_INET6, AAAA)}
    if kind not in families:
        reply.header.rcode = RCODE.NOTIMP
        return
    family, record = families[kind]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            name.rstrip("."), None, family=family, type=socket.SOCK_STREAM
        )
    except socket.gaierror as error:
        nodata = error.errno == getattr(socket, "EAI_NODATA", None)
        again = error.errno == socket.EAI_AGAIN
        reply.header.rcode = (
            RCODE.NOERROR if nodata else RCODE.SERVFAIL if again else RCODE.NXDOMAIN
        )
        return
    for address in dict.fromkeys(entry[4][0] for entry in found):
        reply.add_answer(RR(name, getattr(QTYPE, kind), rdata=record(address), ttl=30))


def _edns_size(request: DNSRecord) -> int:
    return max(
        (int(record.rclass) for record in request.ar if record.rtype == QTYPE.OPT), default=0
    )


def _bind(address: str) -> tuple[socket.socket, socket.socket]:
    """UDP and TCP sockets on the same port."""
    for port in _PORTS:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            udp.bind((address, port))
            tcp.bind((address, port))
        except OSError:
            udp.close()
            tcp.close()
            continue
        udp.setblocking(False)
        tcp.setblocking(False)
        return udp, tcp
    raise NoNetworkError(f"no port for DNS to be had on {address}")
