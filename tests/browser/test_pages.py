"""The pages in a real browser: what is seen, clicked and typed."""

from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace as altered
from playwright.async_api import Browser, expect

from nexhealth_exporter.fleet import Round
from nexhealth_exporter.model import Institution, Location
from tests.browser.conftest import HOSTILE, HOUR, MINUTE, opened
from tests.fleet.conftest import CLOUD, SERVER, marked
from tests.web.conftest import NOON, Site

AUDIT = (Path(__file__).parent / "audit.js").read_text()
STICKS_OUT = """[...document.querySelectorAll("article *")].filter((one) => {
    const place = one.closest(".columns > *, article");
    return one.getBoundingClientRect().right > place.getBoundingClientRect().right + 1;
}).map((one) => one.outerHTML)"""
TOO_WIDE = """[...document.querySelectorAll("main > *, table")].filter((one) =>
    one.getBoundingClientRect().right > document.querySelector("main").getBoundingClientRect().right
).map((one) => one.outerHTML)"""
PATHS = ("/", "/institutions/canyon", "/institutions/quiet", "/institutions/office-001")


@pytest.mark.parametrize(
    ("scheme", "width"),
    [("light", 360), ("light", 820), ("light", 1100), ("light", 1440), ("dark", 1440)],
)
async def test_every_page_can_be_read_by_everybody(
    browser: Browser, site: Site, scheme: Literal["light", "dark"], width: int
) -> None:
    for path in PATHS:
        async with opened(browser, site, path, scheme=scheme, width=width) as page:
            assert await page.evaluate(AUDIT) == [], path


@pytest.mark.parametrize("width", [360, 390, 820, 1000, 1100, 1440])
async def test_nothing_sticks_out_of_its_place(browser: Browser, site: Site, width: int) -> None:
    """Where it is another day in UTC than at the office, instants are longest."""
    honolulu = Institution("far", 900, "Far", "US", (Location(900, "Pacific/Honolulu"),))
    site.world.watch(honolulu)
    site.world.poll(NOON, marked(SERVER, NOON - 84 * HOUR), institution="far")
    async with opened(browser, site, "/institutions/far", width=width) as page:
        assert "Sat 04:00:00 UTC" in await page.locator(".facts").first.inner_text()
        assert await page.evaluate(STICKS_OUT) == []


@pytest.mark.parametrize("width", [360, 1000, 1024, 1100, 1220, 1280, 1350, 1440])
async def test_the_list_fits_the_window(browser: Browser, site: Site, width: int) -> None:
    """With durations of two units in every column, and a name without a place to break it."""
    long = Institution("x" * 63, 900, "Zahnärzte" * 20, "US", (Location(900, "America/New_York"),))
    site.world.watch(long)
    mark = marked(CLOUD, NOON - 20 * HOUR - 39 * MINUTE)
    site.world.poll(NOON, altered(mark, name="W" * 200), institution=long.subdomain)
    for path in ("/", f"/institutions/{long.subdomain}"):
        async with opened(browser, site, path, width=width) as page:
            assert await page.evaluate("document.documentElement.scrollWidth") == width, path
            assert await page.evaluate(TOO_WIDE) == [], path


async def test_dark_is_dark_and_light_is_light(browser: Browser, site: Site) -> None:
    grounds = {}
    for scheme in ("light", "dark"):
        async with opened(browser, site, "/", scheme=scheme) as page:
            grounds[scheme] = await page.evaluate(
                "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
            )

    assert min(grounds["light"]) > 200
    assert max(grounds["dark"]) < 50


async def test_the_first_screen_answers_how_many_which_why_and_what_next(
    browser: Browser, site: Site
) -> None:
    async with opened(browser, site, "/") as page:
        for text in (
            "2 syncs are overdue",
            "Canyon Smiles",
            "did not come back at opening on Monday",
            "Ask whether the office is closed.",
            "NexHealth API answers",
            "1 lunch break",
        ):
            await expect(page.get_by_text(text).first).to_be_in_viewport()


async def test_typing_filters_the_list_without_a_reload(browser: Browser, site: Site) -> None:
    async with opened(browser, site, "/") as page:
        await page.evaluate("window.sameDocument = true")
        await page.get_by_label("Find").fill("pond")

        rows = page.locator("tbody tr")
        await expect(rows).to_have_count(1)
        await expect(rows).to_contain_text("Lunch break, since 11:00, back at 12:00")
        await expect(page.get_by_role("status")).to_contain_text("1 to 1 of 1")
        await page.get_by_label("Find").fill("")
        await page.locator("select[name=state]").select_option("overdue")
        await expect(rows).to_have_count(2)

        assert page.url == f"{site.url}/?state=overdue"
        assert await page.evaluate("window.sameDocument")
        await page.reload()
        await expect(rows).to_have_count(2)


async def test_everything_works_without_javascript(browser: Browser, site: Site) -> None:
    async with opened(browser, site, "/", javascript=False) as page:
        await page.get_by_label("Find").fill("canyon")
        await page.get_by_role("button", name="Show").click()
        await expect(page.locator("tbody tr")).to_have_count(1)
        await page.get_by_role("link", name="Canyon Smiles").last.click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Canyon Smiles")
        await page.get_by_role("link", name="Fleet").first.click()
        await page.get_by_role("link", name="Next").click()
        await expect(page.get_by_text("Page 2 of 2")).to_be_visible()


async def test_the_page_keeps_itself_fresh_until_told_not_to(browser: Browser, site: Site) -> None:
    async with opened(browser, site, "/") as page:
        await expect(page.get_by_role("heading", level=1)).to_have_text("2 syncs are overdue")
        site.world.poll(NOON + 600, marked(SERVER, NOON + 590), institution="canyon")

        heading = page.get_by_role("heading", level=1)
        await expect(heading).to_have_text("1 sync is overdue", timeout=40_000)
        assert await page.title() == "1 overdue · NexHealth syncs"
        await page.get_by_label("Keep this page fresh").uncheck()
        await page.reload()
        await expect(page.get_by_label("Keep this page fresh")).not_to_be_checked()


async def test_what_was_said_is_not_announced_again_at_every_refresh(
    browser: Browser, site: Site
) -> None:
    site.world.fleet = altered(site.world.fleet, round=Round(NOON, 2.0, is_up=False))
    async with opened(browser, site, "/") as page:
        notice = page.get_by_text("No call to NexHealth succeeds.")
        await expect(page.get_by_role("alert")).to_have_count(1)
        for _ in range(2):
            await page.evaluate("window.old = document.querySelector('[data-live=summary]')")
            await page.evaluate("swap(location.href)")
            assert not await page.evaluate("window.old.isConnected"), "it has been refreshed"
            await expect(notice).to_be_visible()
            await expect(page.get_by_role("alert")).to_have_count(0)
            await expect(page.get_by_role("status")).to_have_count(0)

        site.world.fleet = altered(site.world.fleet, round=Round(NOON, 2.0, is_up=True))
        await page.evaluate("swap(location.href)")
        site.world.fleet = altered(site.world.fleet, round=Round(NOON, 2.0, is_up=False))
        await page.evaluate("swap(location.href)")
        await expect(page.get_by_role("alert")).to_have_count(1)


async def test_an_office_says_why_and_has_the_lines_to_paste(browser: Browser, site: Site) -> None:
    async with opened(browser, site, "/institutions/canyon") as page:
        verdict = page.locator(".verdict")
        await expect(verdict).to_contain_text("did not come back at opening on Monday")
        await expect(verdict).to_be_in_viewport()
        picture = page.get_by_role("img", name="Expected hours of seven days")
        await expect(picture).to_be_in_viewport()
        await page.get_by_role("button", name="Copy").first.click()

        await expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert await page.evaluate("navigator.clipboard.readText()") == (
            '- {match: {subdomain: "canyon"}, days: ["2026-03-02..2026-03-03"]}'
        )


async def test_the_keyboard_reaches_the_content_first(browser: Browser, site: Site) -> None:
    async with opened(browser, site, "/") as page:
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_be_focused()
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Canyon Smiles").first).to_be_focused()


async def test_hostile_names_do_nothing(browser: Browser, site: Site) -> None:
    async with opened(browser, site, "/?text=onerror") as page:
        await page.get_by_role("link", name="<img").last.click()
        heading = page.get_by_role("heading", level=1)
        assert await heading.text_content() == HOSTILE
        assert await page.locator("img").count() == 0
