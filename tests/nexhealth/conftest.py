"""A meter that remembers, and a client of the simulated NexHealth."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from nexhealth_exporter.errors import PollError
from nexhealth_exporter.nexhealth import NexHealth, Pacer
from nexhealth_exporter.simulator import Simulator, plain_offices


class Recorder:
    """The meter of a test: keeps what it is told."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.durations: list[float] = []
        self.throttled_seconds = 0.0
        self.rejected_entries = 0
        self.expiries: list[float] = []

    def called(self, endpoint: str, code: str, seconds: float) -> None:
        self.calls[endpoint, code] += 1
        self.durations.append(seconds)

    def throttled(self, seconds: float) -> None:
        self.throttled_seconds += seconds

    def rejected(self, entries: int) -> None:
        self.rejected_entries += entries

    def token_expires(self, at: float) -> None:
        self.expiries.append(at)


class Client(Protocol):
    """Makes a client of a URL; what is not said has plain defaults."""

    def __call__(self, url: str, **options: Any) -> AbstractAsyncContextManager[NexHealth]: ...


class Server:
    """A server that answers everything with `answer`; gives its URL."""

    def __init__(self, answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        self._server = TestServer(app, host="127.0.0.1")

    async def __aenter__(self) -> str:
        await self._server.start_server()
        return str(self._server.make_url("")).rstrip("/")

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()


def plain_answer(request: web.Request) -> web.Response:
    """A good answer of one institution without syncs."""
    data: object = []
    if request.path.endswith("/authenticates"):
        data = {"token": "token-1"}
    if request.path.endswith(("/institutions", "/locations")):
        data = [{"id": 1, "subdomain": "office-1"}]
    return web.json_response({"code": True, "data": data})


async def failure(asking: Awaitable[object]) -> PollError:
    """What it raises."""
    with pytest.raises(PollError) as caught:
        await asking
    return caught.value


@pytest.fixture
def meter() -> Recorder:
    return Recorder()


@pytest.fixture
def client(meter: Recorder) -> Client:
    @asynccontextmanager
    async def make(url: str, **options: Any) -> AsyncIterator[NexHealth]:
        settings: dict[str, Any] = {
            "version": "v3.0.0",
            "timeout": 5.0,
            "max_concurrency": 50,
            "pacer": Pacer(1000, 60_000),
            "meter": meter,
            **options,
        }
        key = settings.pop("api_key", lambda: "simulated-key")
        async with NexHealth(url, key, **settings) as nexhealth:
            yield nexhealth

    return make


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(plain_offices(4), per_second=None, per_minute=None) as simulator:
        yield simulator


@pytest.fixture
async def nexhealth(sim: Simulator, client: Client) -> AsyncIterator[NexHealth]:
    async with client(sim.url) as made:
        yield made
