"""The listening socket: its port, its limits, and how it stops."""

import asyncio

import pytest

from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.web.app import build
from nexhealth_exporter.web.server import serving
from tests.web.conftest import Site


async def test_a_port_in_use_is_said_in_one_sentence() -> None:
    async with serving(build(Site().view(), Page(OwnMetrics("1.0"))), "127.0.0.1", 0) as port:
        with pytest.raises(ConfigError) as error:
            async with serving(build(Site().view(), Page(OwnMetrics("1.0"))), "127.0.0.1", port):
                pass

    assert f"cannot listen on 127.0.0.1:{port}: the port is in use; change LISTEN_ADDRESS." == str(
        error.value
    )


async def test_the_port_is_free_again_at_once() -> None:
    async with serving(build(Site().view(), Page(OwnMetrics("1.0"))), "127.0.0.1", 0) as port:
        pass
    async with serving(build(Site().view(), Page(OwnMetrics("1.0"))), "127.0.0.1", port) as again:
        assert port == again


async def test_an_address_that_is_not_here_is_said() -> None:
    with pytest.raises(ConfigError, match=r"^cannot listen on 192\.0\.2\.1:1234: "):
        async with serving(build(Site().view(), Page(OwnMetrics("1.0"))), "192.0.2.1", 1234):
            pass


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    return answer


async def test_requests_larger_than_any_real_one_are_refused() -> None:
    async with serving(build(Site().view(), Page(OwnMetrics("1.0"))), "127.0.0.1", 0) as port:
        long_path = await ask(port, b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n")
        long_header = await ask(
            port, b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"
        )
        many = b"".join(b"X-%d: y\r\n" % n for n in range(5000))
        many_headers = await ask(port, b"GET / HTTP/1.1\r\nHost: h\r\n" + many + b"\r\n")

    for answer in (long_path, long_header, many_headers):
        assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))


async def test_a_client_that_never_ends_its_request_is_cut_off() -> None:
    site = Site()
    async with serving(
        build(site.view(), Page(OwnMetrics("1.0"))), "127.0.0.1", 0, keepalive=0.5
    ) as port:
        answers = await asyncio.gather(
            ask(port, b""),
            ask(port, b"GET /metrics HTTP/1.1\r\nHost:"),
            ask(port, b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\nGET /met"),
        )

    assert list(answers[:2]) == [b"", b""]
    assert answers[2].startswith(b"HTTP/1.1 200")


async def test_it_stops_in_time_though_clients_keep_their_connections() -> None:
    async with serving(build(Site().view(), Page(OwnMetrics("1.0"))), "127.0.0.1", 0) as port:
        pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        for _, writer in pairs[:10]:
            writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: here\r\n\r\n")
        await asyncio.gather(*(reader.readuntil(b"healthy.") for reader, _ in pairs[:10]))

    for reader, writer in pairs:
        await reader.read()
        assert reader.at_eof()
        writer.close()
