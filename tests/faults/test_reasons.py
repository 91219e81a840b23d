"""Each fault of the line has its reason, is told apart from the others, and passes with it."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import trustme

from nexhealth_exporter.errors import PollError
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.model import Institution
from nexhealth_exporter.nexhealth import NexHealth, Pacer
from nexhealth_exporter.simulator import Simulator, plain_offices
from tests.faults import proxy as p
from tests.faults.proxy import Proxy

OFFICE = Institution("office-1", id=1)
TIMEOUT = 0.4

LINE: dict[p.Fault, str | None] = {
    p.Late(0.01): None,
    p.Late(2.0): "timeout",
    p.Trickle(400, 0.01): None,
    p.Trickle(1, 0.05): "timeout",
    p.Truncated(0): "connection",
    p.Truncated(40): "connection",
    p.Truncated(350): "connection",
    p.Cut(0): "connection",
    p.Cut(40): "connection",
    p.Cut(350): "connection",
    p.HalfClosed(0): "connection",
    p.HalfClosed(350): "connection",
    p.Unsent(): "connection",
    p.Silent(): "timeout",
    p.Babble(): "malformed",
}

Connect = Callable[[str], AbstractAsyncContextManager[NexHealth]]


@pytest.fixture
def connect() -> Connect:
    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[NexHealth]:
        async with NexHealth(
            url,
            lambda: "simulated-key",
            version="v3.0.0",
            timeout=TIMEOUT,
            max_concurrency=5,
            pacer=Pacer(1000, 60_000),
            meter=OwnMetrics("test"),
        ) as nexhealth:
            yield nexhealth

    return opened


async def reason(asking: Awaitable[object]) -> str | None:
    """Why it failed; None when it did not."""
    try:
        await asking
    except PollError as error:
        return error.reason
    return None


@pytest.mark.parametrize(("fault", "expected"), LINE.items(), ids=map(repr, LINE))
async def test_a_fault_of_the_line_has_its_reason_and_passes(
    fault: p.Fault, expected: str | None, connect: Connect
) -> None:
    async with (
        Simulator(plain_offices(1)) as simulator,
        Proxy(simulator.port) as proxy,
        connect(proxy.url) as nexhealth,
    ):
        assert await reason(nexhealth.syncs(OFFICE)) is None
        proxy.fault = fault
        assert await reason(nexhealth.syncs(OFFICE)) == expected
        assert proxy.spoilt
        proxy.fault = None
        assert await reason(nexhealth.syncs(OFFICE)) is None


async def test_nobody_at_the_address_is_a_failed_connection(connect: Connect) -> None:
    async with (
        Simulator(plain_offices(1)) as simulator,
        Proxy(simulator.port) as proxy,
        connect(proxy.url) as nexhealth,
    ):
        await proxy.go_away()
        assert await reason(nexhealth.syncs(OFFICE)) == "connection"


async def test_a_name_that_does_not_resolve_is_a_failed_connection(connect: Connect) -> None:
    async with connect("http://nexhealth.invalid") as nexhealth:
        assert await reason(nexhealth.syncs(OFFICE)) in {"connection", "timeout"}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (None, "tls"),  # nobody vouches for its certificate
        (p.Babble(), "tls"),
        (p.Babble(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), "tls"),
        (p.Truncated(0), "connection"),
        (p.Truncated(100), "connection"),
        (p.Cut(100), "connection"),
        (p.Silent(), "timeout"),
    ],
    ids=repr,
)
async def test_faults_of_the_tls_handshake_have_their_reason(
    fault: p.Fault | None, expected: str, connect: Connect
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    async with (
        Simulator(plain_offices(1), ssl_context=tls) as simulator,
        Proxy(simulator.port, scheme="https") as proxy,
        connect(proxy.url) as nexhealth,
    ):
        proxy.fault = fault
        assert await reason(nexhealth.syncs(OFFICE)) == expected
        assert simulator.traffic.count() == 0
