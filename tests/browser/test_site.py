"""The documentation as a site, as `make site` has built it, in a real browser."""

import functools
import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Request

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "build/site"
PAGES = ("", "docs/concepts/", "docs/architecture/", "docs/settings/", "alerts/", "404.html")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    assert BUILT.is_dir(), "run: make site"
    handler = functools.partial(Quiet, directory=str(BUILT))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


async def test_it_loads_nothing_from_elsewhere_and_search_finds(
    browser: Browser, address: str
) -> None:
    foreign: list[str] = []
    errors: list[str] = []

    def seen(request: Request) -> None:
        if not request.url.startswith((address, "data:", "blob:")):
            foreign.append(request.url)

    page = await browser.new_page(color_scheme="dark")
    page.on("request", seen)
    page.on("pageerror", lambda error: errors.append(str(error)))
    for path in PAGES:
        answer = await page.goto(address + path, wait_until="networkidle")
        assert answer is not None
        assert answer.ok, path
    await page.goto(address, wait_until="networkidle")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("unexpected lag")
    found = page.locator("a[href*='concepts']", has_text="Concepts").last
    await found.wait_for(state="visible")

    assert (foreign, errors) == ([], [])


async def test_drawings_are_seen(browser: Browser, address: str) -> None:
    page = await browser.new_page()
    await page.goto(f"{address}docs/concepts/", wait_until="networkidle")
    widths = await page.eval_on_selector_all(
        "article img", "images => images.map(image => image.naturalWidth)"
    )

    assert len(widths) == 2
    assert min(widths) > 500


async def test_the_links_of_alerts_lead_to_their_runbooks(browser: Browser, address: str) -> None:
    """With `docs/runbooks` of the site as the place where runbooks are published."""
    published = "https://runbooks.example/nexhealth-exporter/"
    rules = "".join(path.read_text("utf-8") for path in (ROOT / "alerts").glob("*.yaml"))
    names = set(re.findall(rf"runbook_url: {published}(\w+)\.md", rules))
    page = await browser.new_page()

    assert len(names) == len(list((ROOT / "docs/runbooks").glob("NexHealth*.md")))
    for name in names:
        answer = await page.goto(f"{address}docs/runbooks/{name}.md")
        assert answer is not None
        assert answer.ok, name
        assert name in await page.locator("h1").inner_text()
