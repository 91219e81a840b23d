"""The real server on a free port of this machine, over a fleet that a test has polled."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest

from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.model import IntegrationType, Sync
from nexhealth_exporter.web.app import build
from nexhealth_exporter.web.server import serving
from nexhealth_exporter.web.view import Access, View
from tests.expectation.conftest import at
from tests.fleet.conftest import World, marked
from tests.web.document import Element, parsed

NOON = at("2026-03-03 11:00")
"""A Tuesday in New York, three hours after opening."""

IDENTITY = ("Accept-Encoding",)
"""Not sent unless a test asks for an encoding."""


@dataclass
class Site:
    """A running exporter's web side; what it shows is what the test sets."""

    world: World = field(default_factory=World)
    now: float = NOON
    unhealthy: str | None = None
    unready: str | None = None
    configuration: str = ""
    external_url: str = ""
    access: Access = field(default_factory=Access)
    url: str = ""
    session: aiohttp.ClientSession | None = None

    def view(self) -> View:
        return View(
            fleet=lambda: self.world.fleet,
            now=lambda: self.now,
            unhealthy=lambda: self.unhealthy,
            unready=lambda: self.unready,
            configuration=lambda: self.configuration,
            external_url=self.external_url,
            access=lambda: self.access,
        )

    @asynccontextmanager
    async def get(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        assert self.session is not None
        async with self.session.request(method, self.url + path, headers=headers) as response:
            yield response

    async def text(self, path: str, status: int = 200) -> str:
        async with self.get(path) as response:
            assert status == response.status, await response.text()
            return await response.text()

    async def page(self, path: str, status: int = 200) -> Element:
        return parsed(await self.text(path, status))

    async def json(self, path: str, status: int = 200) -> dict[str, object]:
        async with self.get(path) as response:
            assert status == response.status
            assert response.content_type == "application/json"
            found: dict[str, object] = await response.json()
            return found


@pytest.fixture
def world() -> World:
    return World()


@asynccontextmanager
async def running(made: Site) -> AsyncIterator[Site]:
    app = build(made.view(), Page(OwnMetrics("1.0")))
    async with (
        serving(app, "127.0.0.1", 0) as port,
        aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=IDENTITY) as session,
    ):
        made.url, made.session = f"http://127.0.0.1:{port}", session
        yield made


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with running(Site()) as made:
        yield made


def named(
    name: str,
    kind: IntegrationType | None,
    read_at: float | None,
    write_at: float | None = None,
    emr: str = "Dentrix",
) -> Sync:
    return marked(Sync(name, kind, emr), read_at, write_at)
