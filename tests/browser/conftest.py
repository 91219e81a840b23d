"""A real Chromium that fails the test for whatever it complains about."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace as altered
from playwright.async_api import Browser, Page, async_playwright

from nexhealth_exporter.fleet import Round
from nexhealth_exporter.model import Institution, Location
from tests.fleet.conftest import CLOUD, DAY, SERVER, marked
from tests.web.conftest import NOON, Site, running

MINUTE, HOUR = 60.0, 3600.0
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")
HOSTILE = '<img src=x onerror="alert(1)"> </title>\u202e'
CONFIGURATION = """
schedules:
  standard: {hours: {mon-fri: "08:00-17:00"}, lunch: "11:00-12:00", holidays: [US]}
institutions:
  - {match: {}, schedule: standard}
"""


def chromium() -> str:
    """The browser: that of `.tools`, else of the system; its absence is a failure."""
    own = Path(__file__).parents[2] / ".tools/chromium/chromium"
    found = str(own) if own.exists() else shutil.which("chromium")
    assert found, "Chromium is missing: python3 tools/fetch.py chromium"
    return found


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield started
        await started.close()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A fleet with something in every state, at eleven on a Tuesday in New York."""
    made = Site(now=NOON + 10 * MINUTE)
    world = made.world
    world.configure(CONFIGURATION)
    names = {
        "bright": "Bright Valley",
        "canyon": "Canyon Smiles",
        "quiet": "Quiet Pond",
        "hostile": HOSTILE,
    }
    places = {
        subdomain: Institution(subdomain, n, name, "US", (Location(n, "America/New_York"),))
        for n, (subdomain, name) in enumerate(names.items())
    }
    world.watch(*places.values(), *(Institution(f"office-{n:03}", n) for n in range(70)))
    world.poll(NOON, marked(SERVER, NOON - 3 * MINUTE), institution="bright")
    world.poll(NOON, marked(SERVER, NOON - 66 * HOUR), institution="canyon")
    world.poll(NOON, marked(CLOUD, NOON - 15 * MINUTE), institution="quiet")
    world.poll(NOON, marked(SERVER, NOON - 58 * MINUTE), institution="hostile")
    world.poll(NOON, institution="office-001")
    world.poll(NOON, marked(SERVER, NOON - 90 * DAY), institution="office-002")
    world.poll(NOON, marked(SERVER, NOON - 25 * MINUTE), institution="office-003")
    world.fleet = altered(world.fleet, round=Round(NOON + 9 * MINUTE, 2.0, is_up=True))
    async with running(made) as there:
        made.url, made.session = there.url, there.session
        yield made


@asynccontextmanager
async def opened(
    browser: Browser,
    site: Site,
    path: str,
    *,
    scheme: Literal["light", "dark"] = "light",
    width: int = 1440,
    javascript: bool = True,
) -> AsyncIterator[Page]:
    """The page in a fresh window; errors and requests elsewhere fail the test at the end."""
    context = await browser.new_context(
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
        java_script_enabled=javascript,
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
    page.on("requestfailed", lambda request: complaints.append(f"failed {request.url}"))
    page.on("request", lambda r: None if r.url.startswith(site.url) else complaints.append(r.url))
    await page.goto(site.url + path)
    yield page
    await context.close()
    assert complaints == []
