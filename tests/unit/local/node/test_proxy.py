import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from pawl.local.node import network
from pawl.local.node import proxy as proxy_module
from pawl.local.node.proxy import Address, Proxy

WAIT = 10
Start = Callable[[bytes], Awaitable[Address]]


class Backend:
    """Greets with its name, then echoes; after the client's end it says bye and closes."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.server: asyncio.Server | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(self.name + b"\n")
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.write(b"bye")
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()
            await asyncio.wait({asyncio.ensure_future(writer.wait_closed())})

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.serve(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def stop(self) -> None:
        """Every connection has ended: the proxy does not keep one open behind our back."""
        assert self.server is not None
        self.server.close()
        async with asyncio.timeout(WAIT):
            while self.tasks:
                await asyncio.wait(self.tasks)

    async def start(self, host: str) -> Address:
        self.server = await asyncio.start_server(self.accept, host, 0)
        return host, self.server.sockets[0].getsockname()[1]


@pytest.fixture
async def listen() -> AsyncIterator[Address]:
    net = network.claim()
    yield f"127.{net.n}.1.1", 18080
    net.close()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    proxy = Proxy()
    yield proxy
    await proxy.close()


@pytest.fixture
async def backend() -> AsyncIterator[Start]:
    started: list[Backend] = []

    async def start(name: bytes) -> Address:
        started.append(Backend(name))
        return await started[-1].start("127.0.0.1")

    yield start
    for each in started:
        await each.stop()


async def greeting(address: Address) -> bytes:
    async with asyncio.timeout(WAIT):
        reader, writer = await asyncio.open_connection(*address)
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return line.strip()


async def test_endpoints_take_turns(listen: Address, proxy: Proxy, backend: Start) -> None:
    endpoints = [await backend(b"a"), await backend(b"b")]
    assert await proxy.apply({listen: endpoints}) == {}
    assert sorted([await greeting(listen) for _ in range(4)]) == [b"a", b"a", b"b", b"b"]


async def test_no_endpoint_refuses_the_connection(
    listen: Address, proxy: Proxy, backend: Start
) -> None:
    endpoint = await backend(b"a")
    await proxy.apply({listen: [endpoint]})
    assert await greeting(listen) == b"a"
    await proxy.apply({listen: []})
    with pytest.raises(ConnectionRefusedError):
        await greeting(listen)
    await proxy.apply({listen: [endpoint]})
    assert await greeting(listen) == b"a"


async def test_a_dead_endpoint_resets_the_connection(
    listen: Address, proxy: Proxy, unused_tcp_port: int
) -> None:
    await proxy.apply({listen: [("127.0.0.1", unused_tcp_port)]})
    with pytest.raises(ConnectionResetError):
        await greeting(listen)


async def test_open_connections_survive_a_change_of_endpoints(
    listen: Address, proxy: Proxy, backend: Start
) -> None:
    old, new = await backend(b"old"), await backend(b"new")
    await proxy.apply({listen: [old]})
    async with asyncio.timeout(WAIT):
        reader, writer = await asyncio.open_connection(*listen)
        assert await reader.readline() == b"old\n"
        await proxy.apply({listen: [new]})
        assert await greeting(listen) == b"new"
        await proxy.apply({})
        writer.write(b"still here\n")
        assert await reader.readline() == b"still here\n"
        writer.close()
        await writer.wait_closed()


async def test_half_closed_connections_get_their_answer(
    listen: Address, proxy: Proxy, backend: Start
) -> None:
    await proxy.apply({listen: [await backend(b"a")]})
    async with asyncio.timeout(WAIT):
        reader, writer = await asyncio.open_connection(*listen)
        writer.write(b"x")
        writer.write_eof()
        assert await reader.read() == b"a\nxbye"
        writer.close()
        await writer.wait_closed()


async def test_bytes_arrive_complete_and_in_order_past_a_slow_reader(
    listen: Address, proxy: Proxy, backend: Start
) -> None:
    await proxy.apply({listen: [await backend(b"a")]})
    payload = bytes(range(256)) * 40_000
    async with asyncio.timeout(WAIT):
        reader, writer = await asyncio.open_connection(*listen)
        assert await reader.readline() == b"a\n"

        async def send() -> None:
            writer.write(payload)
            await writer.drain()
            writer.write_eof()

        sending = asyncio.create_task(send())
        received = bytearray()
        while data := await reader.read(4096):
            received += data
            await asyncio.sleep(0)
        await sending
        writer.close()
        await writer.wait_closed()
    assert received == payload + b"bye"


async def test_an_address_that_cannot_be_had_is_reported(proxy: Proxy, backend: Start) -> None:
    endpoint = await backend(b"a")
    failed = await proxy.apply({("127.0.0.1", endpoint[1]): [endpoint]})
    assert set(failed) == {("127.0.0.1", endpoint[1])}


async def test_bytes_that_come_before_the_other_end_is_there_are_not_lost() -> None:
    """As asyncio of Python 3.11.2 delivers them, in spite of pause_reading()."""

    class Wire:
        def __init__(self) -> None:
            self.written: list[bytes] = []
            self.paused = False

        def get_extra_info(self, name: str) -> None:
            return None

        def write(self, data: bytes) -> None:
            self.written.append(data)

        def pause_reading(self) -> None:
            self.paused = True

        def resume_reading(self) -> None:
            self.paused = False

        def close(self) -> None:
            pass

        def abort(self) -> None:
            pass

    front, back = Wire(), Wire()
    client = proxy_module._Client(set(), None)
    client.transport = front  # type: ignore[assignment]
    client.data_received(b"early ")
    client.data_received(b"bytes")
    assert front.paused
    end = proxy_module._End(set())
    end.transport = back  # type: ignore[assignment]
    client.join(end)
    client.data_received(b" and late ones")
    assert b"".join(back.written) == b"early bytes and late ones"
    assert not front.paused
