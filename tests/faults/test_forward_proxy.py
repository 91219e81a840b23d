"""Networks from which only a proxy leads outside: named as for all programs."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest
import trustme

from nexhealth_exporter.simulator import Simulator, plain_offices
from tests.e2e.processes import PROGRAM, free_port, running

pytestmark = pytest.mark.e2e

HOST = "nexhealth.test"
"""A name that only the proxy can resolve."""

PASSWORD = "s3cret-of-the-proxy"


class ForwardProxy:
    """Lets CONNECT through to one port of this machine, with this password if one is given."""

    def __init__(self, port: int, credentials: str = "") -> None:
        self.asked: list[str] = []
        self.port = 0
        self._to = port
        self._wanted = base64.b64encode(credentials.encode()).decode()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["ForwardProxy"]:
        server = await asyncio.start_server(self._converse, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        yield self
        server.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(head.splitlines()[0])
            if self._wanted and f"Proxy-Authorization: Basic {self._wanted}" not in head:
                refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
                writer.write(refusal)
            else:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                there, back = await asyncio.open_connection("127.0.0.1", self._to)
                await asyncio.gather(_pour(reader, back), _pour(there, writer))


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with closing(writer), suppress(OSError):
        while some := await reader.read(65536):
            writer.write(some)


@asynccontextmanager
async def closed_network(tmp_path: Path) -> AsyncIterator[tuple[Simulator, dict[str, str]]]:
    """An API that nobody reaches directly, and what its client has to be told."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert(HOST).configure_cert(tls)
    async with Simulator(plain_offices(2), ssl_context=tls) as simulator:
        yield (
            simulator,
            {
                "NEXHEALTH_EXPORTER_API_URL": f"https://{HOST}:{simulator.port}",
                "NEXHEALTH_EXPORTER_API_KEY": simulator.api_key,
                "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
            },
        )


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize("credentials", ["", f"me:{PASSWORD}"])
async def test_calls_go_through_the_proxy_of_the_environment(
    variable: str, credentials: str, tmp_path: Path
) -> None:
    async with (
        closed_network(tmp_path) as (simulator, env),
        ForwardProxy(simulator.port, credentials).open() as proxy,
    ):
        address = f"http://{credentials}{'@' if credentials else ''}localhost:{proxy.port}"
        async with running(*PROGRAM, "check", env={**env, variable: address}) as check:
            code = await check.ended(60)

    assert code == 0, check.said
    assert "the key sees 2 institutions" in check.said
    assert f"Proxy: http://localhost:{proxy.port}." in check.said
    assert PASSWORD not in check.said
    assert set(proxy.asked) == {f"CONNECT {HOST}:{simulator.port} HTTP/1.1"}


async def test_a_proxy_that_refuses_or_is_down_is_told_apart_from_the_api(tmp_path: Path) -> None:
    async with (
        closed_network(tmp_path) as (simulator, env),
        ForwardProxy(simulator.port, f"me:{PASSWORD}").open() as proxy,
    ):
        env["HTTPS_PROXY"] = f"http://me:wrong-word@127.0.0.1:{proxy.port}"
        async with running(*PROGRAM, "status", env=env) as refused:
            assert await refused.ended(60) == 1
        env["HTTPS_PROXY"] = f"http://me:wrong-word@localhost:{free_port()}"
        async with running(*PROGRAM, "status", env=env) as down:
            assert await down.ended(60) == 1
    said = refused.said + down.said

    assert f"The proxy refused to connect to {HOST}: HTTP 407." in refused.said
    assert "No connection to localhost: " in down.said
    assert "wrong-word" not in said
    assert "Traceback" not in said
    assert simulator.traffic.count() == 0
