import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from pawl.local.node import network
from pawl.local.node.dns import TTL, DnsServer
from pawl.local.node.inpod import sitecustomize

Obj = dict[str, Any]


class Catalog:
    """Service `web` with a cluster IP, headless `many` with a hundred endpoints."""

    def namespace(self, name: str) -> bool:
        return name == "ns"

    def service(self, namespace: str, name: str) -> Obj | None:
        address = {("ns", "web"): "127.20.1.1", ("ns", "many"): "None"}.get((namespace, name))
        return {"spec": {"clusterIP": address, "ports": [{"port": 80}]}} if address else None

    def slices(self, namespace: str, service: str) -> list[Obj]:
        endpoints = [{"addresses": [f"127.20.64.{n}"]} for n in range(1, 101)]
        return [{"ports": [{"port": 80}], "endpoints": endpoints}]


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, int]]:
    net = network.claim()
    dns = DnsServer(Catalog())
    yield await dns.open(net.dns_ip)
    await dns.close()
    net.close()


async def ask(server: tuple[str, int], name: str, kind: str = "A", tcp: bool = False) -> DNSRecord:
    query = DNSRecord.question(name, kind)
    reply = await asyncio.to_thread(query.send, *server, tcp=tcp, timeout=5)
    return DNSRecord.parse(reply)


def addresses(record: DNSRecord) -> list[str]:
    return [str(rr.rdata) for rr in record.rr if rr.rtype == QTYPE.A]


@pytest.mark.parametrize("tcp", [False, True])
async def test_it_answers_with_authority_and_a_short_life(
    server: tuple[str, int], tcp: bool
) -> None:
    reply = await ask(server, "web.ns.svc.cluster.local", tcp=tcp)
    assert addresses(reply) == ["127.20.1.1"]
    assert reply.header.aa
    assert reply.rr[0].ttl == TTL


async def test_a_name_that_is_not_there_and_a_type_that_is_not_there(
    server: tuple[str, int],
) -> None:
    missing = await ask(server, "no.ns.svc.cluster.local")
    empty = await ask(server, "web.ns.svc.cluster.local", "AAAA")
    assert (missing.header.rcode, empty.header.rcode) == (RCODE.NXDOMAIN, RCODE.NOERROR)
    assert [rr.rtype for rr in missing.auth] == [rr.rtype for rr in empty.auth] == [QTYPE.SOA]


async def test_an_answer_too_large_for_a_datagram_is_cut_and_whole_by_tcp(
    server: tuple[str, int],
) -> None:
    cut = await ask(server, "many.ns.svc.cluster.local")
    whole = await ask(server, "many.ns.svc.cluster.local", tcp=True)
    assert cut.header.tc
    assert len(addresses(whole)) == 100


async def test_srv_comes_with_its_addresses(server: tuple[str, int]) -> None:
    reply = await ask(server, "web.ns.svc.cluster.local", "SRV")
    assert str(reply.rr[0].rdata) == "0 100 80 web.ns.svc.cluster.local."
    assert [str(rr.rdata) for rr in reply.ar] == ["127.20.1.1"]


async def test_other_names_are_the_hosts_business(server: tuple[str, int]) -> None:
    reply = await ask(server, "localhost")
    assert addresses(reply) == ["127.0.0.1"]


async def test_rubbish_is_not_answered_and_does_no_harm(server: tuple[str, int]) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=server)
    transport.sendto(b"\x00rubbish")
    assert addresses(await ask(server, "web.ns.svc.cluster.local")) == ["127.20.1.1"]
    transport.close()


SEARCH = ["ns.svc.cluster.local", "svc.cluster.local", "cluster.local"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web", ["127.20.1.1"]),
        ("web.ns", ["127.20.1.1"]),
        ("web.ns.svc", ["127.20.1.1"]),
        ("web.ns.svc.cluster.local.", ["127.20.1.1"]),
        ("web.other", []),
        ("localhost", []),
        ("127.0.0.1", []),
        ("::1", []),
        (None, []),
    ],
)
async def test_python_programs_find_services_by_name(
    server: tuple[str, int], name: str | None, expected: list[str]
) -> None:
    assert await asyncio.to_thread(sitecustomize.lookup, name, server, SEARCH) == expected


async def test_python_programs_get_all_endpoints(server: tuple[str, int]) -> None:
    found = await asyncio.to_thread(sitecustomize.lookup, "many", server, SEARCH)
    assert len(found) == 100


def test_without_a_server_the_host_decides(unused_tcp_port: int) -> None:
    assert sitecustomize.lookup("web", ("127.0.0.1", unused_tcp_port), SEARCH) == []


def test_search_follows_ndots() -> None:
    assert sitecustomize.candidates("a.b", ["ns.svc.cluster.local"]) == ["a.b.ns.svc.cluster.local"]
    deep = "a.b.ns.svc.cluster.local"
    assert sitecustomize.candidates(deep, ["x.cluster.local"])[0] == deep
    assert sitecustomize.candidates("example.com.", SEARCH) == []
