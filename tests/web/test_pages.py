"""The pages for people, read as a browser reads them."""

import asyncio
import re
from urllib.parse import urljoin

import pytest
from msgspec.structs import replace as altered

from nexhealth_exporter.fleet import Fleet, Round
from nexhealth_exporter.model import Institution, IntegrationType, Location
from tests.expectation.conftest import at
from tests.fleet.conftest import CLOUD, DAY, SERVER, marked, office
from tests.web.conftest import NOON, Site, named
from tests.web.document import Element, table

HOSTILE = '<script>alert("x")</script>&amp;\'"`{{7*7}}\u202e'
MINUTE, HOUR = 60.0, 3600.0
LINKS = {"href", "action", "src"}


def mixed(site: Site) -> None:
    """A fleet with a sync in most states, at noon on a Tuesday."""
    site.world.poll(NOON, marked(SERVER, NOON - 4 * MINUTE), institution="bright")
    site.world.poll(NOON, marked(SERVER, NOON - 58 * MINUTE), institution="broken")
    site.world.poll(NOON, marked(CLOUD, NOON - 30 * MINUTE), institution="cloudy")
    site.world.poll(NOON, marked(SERVER, NOON - 90 * DAY), institution="left")
    site.world.poll(NOON, institution="empty")
    site.world.watch(
        *(s.institution for s in site.world.fleet), office("tokyo", "Asia/Tokyo"), office("new")
    )
    site.world.poll(NOON, marked(SERVER, NOON - 7 * HOUR), institution="tokyo")
    site.world.poll(NOON, marked(SERVER, NOON - 7 * HOUR), institution="waiting")
    site.world.fleet = altered(site.world.fleet, round=Round(NOON - 30, 2.0, is_up=True))


def links(page: Element) -> set[str]:
    return {v for e in page.walk() for k, v in e.attributes.items() if k in LINKS and v is not None}


def hours_of(page: Element) -> dict[str, str]:
    """What stands under Hours."""
    terms, told = page.one("dl").all("dt"), page.one("dl").all("dd")
    return {term.text: text.text for term, text in zip(terms, told, strict=True)}


def offices(page: Element) -> list[str]:
    return [row.one("a").text for body in page.all("tbody") for row in body.all("tr")]


async def test_the_first_line_says_how_many_are_overdue_which_is_worst_and_what_is_next(
    site: Site,
) -> None:
    mixed(site)
    site.world.configure(
        "institutions:\n  - {match: {subdomain: waiting}, allowance: {server: {warning: 2h}}}\n"
    )
    site.world.poll(NOON, marked(SERVER, NOON - 7 * HOUR), institution="waiting")
    page = await site.page("/")

    hero = page.one("section", class_="hero")
    assert hero.one("h1").text == "1 sync is overdue"
    assert "./institutions/waiting" in links(hero)
    assert "Overdue since 10:00" in hero.text
    assert "Ask whether the office is closed." in hero.text
    assert "./institutions/waiting#do-1" in links(hero)
    assert "./institutions/tokyo" in links(hero)
    assert "Outside its hours, since Tue 17:00, back at 08:00 Times are those of Asia/Tokyo" in (
        hero.text
    )
    assert "NexHealth API answers" in hero.text
    assert "Last round 30 s ago" in hero.text


async def test_the_tiles_count_every_state(site: Site) -> None:
    mixed(site)
    page = await site.page("/")

    tiles = {tile.one("span").text: tile.one("strong").text for tile in page.all(class_="tile")}
    others = [other.text for other in page.one(class_="others").all("li")]

    assert tiles == {
        "Overdue, critical": "0",
        "Overdue, warning": "0",
        "Late": "3",
        "Fresh": "1",
        "Resting": "1",
    }
    assert others == [
        "1 Unknown: not known when they last moved",
        "1 No sync: nothing is installed there yet",
        "1 Abandoned: silent for so long that they are not evaluated",
    ]
    assert "1 outside its hours" in page.one("li", class_="is-resting").text
    assert [t.text for t in page.one(class_="types").all("h3")] == [
        "Server-based 5",
        "Cloud-based 1",
    ]


async def test_the_list_counts_offices_without_a_sync_apart(site: Site) -> None:
    mixed(site)
    page = await site.page("/")

    assert "8 offices with 6 syncs" in page.one("section", class_="hero").text
    assert page.one(class_="found").text == "1 to 8 of 8: 6 syncs and 2 offices without one"


async def test_the_list_says_for_how_long_a_sync_is_overdue_and_when_critical(site: Site) -> None:
    for age in (30, 60, 300):
        office = f"silent-{age}"
        site.world.configure(
            "schedules: {s: {hours: {mon-sun: '00:00-24:00'}}}\n"
            "institutions: [{match: {}, schedule: s}]\n"
        )
        site.world.poll(NOON, marked(SERVER, NOON - age * MINUTE), institution=office)
    site.world.poll(NOON, marked(SERVER, NOON), institution="well")
    page = await site.page("/")

    assert [cell.text for cell in page.all("td", **{"data-name": "Overdue"})] == [
        "for 4 h 15 min critical for 1 h",
        "for 15 min critical in 3 h",
        "in 15 min",
        "no",
    ]


async def test_an_office_page_tells_how_the_others_are(site: Site) -> None:
    mixed(site)
    crumbs = (await site.page("/institutions/bright")).one(class_="crumbs").text
    site.world.poll(NOON, marked(SERVER, NOON - 3 * DAY), institution="waiting")
    page = await site.page("/institutions/bright")

    assert crumbs == "Fleet: nothing overdue"
    assert page.one(class_="crumbs").text == "Fleet: 1 overdue, worst Smiles"
    assert "../institutions/waiting" in links(page.one(class_="crumbs"))


async def test_learned_hours_stand_beside_those_in_force(site: Site) -> None:
    start = NOON - 21 * DAY
    for poll in range(int(start), int(NOON), 1200):
        site.world.poll(poll, marked(SERVER, poll))
    learned = hours_of(await site.page("/institutions/smiles"))
    site.world.configure(
        "schedules: {s: {hours: {mon-fri: '08:00-17:00'}}}\n"
        "institutions: [{match: {}, schedule: s}]\n"
    )
    beside = hours_of(await site.page("/institutions/smiles"))

    known = r"Learned from 3 weeks: runs around the clock; \d\d % sure, known since 13 Feb 2026\."
    assert learned["Hours from"] == "its own past weeks, as learned"
    assert re.fullmatch(known, learned["Learned"])
    assert beside["Hours from"] == "configuration, schedule s"
    assert re.fullmatch(f"{known} The configured hours are used instead.", beside["Learned"])


async def test_before_anything_is_known_the_page_says_so(site: Site) -> None:
    page = await site.page("/")

    assert page.one("h1").text == "No institutions yet"
    assert "The first round of polls has not ended." in page.text
    assert "NexHealth not called yet" in page.text


async def test_before_everybody_was_asked_no_good_news_is_told(site: Site) -> None:
    site.world.poll(NOON, marked(SERVER, NOON - 4 * MINUTE), institution="bright")
    early = (await site.page("/")).one("section", class_="hero")
    site.world.fleet = altered(site.world.fleet, round=Round(NOON - 30, 2.0, is_up=True))
    later = (await site.page("/")).one("section", class_="hero")

    assert early.one("h1").text == "Not all polled yet"
    assert "So far 1 fresh, 0 resting as expected." in early.text
    assert later.one("h1").text == "Nothing is overdue"


async def test_an_api_that_does_not_answer_is_seen(site: Site) -> None:
    mixed(site)
    site.world.fail(NOON, "bright")
    site.world.fleet = altered(site.world.fleet, round=Round(NOON - 7200, 2.0, is_up=False))

    pulse = (await site.page("/")).one(class_="pulse").text

    assert "NexHealth API cannot be used" in pulse
    assert "Last round 2 h ago" in pulse
    assert "1 could not be polled: NexHealth did not answer in time (1)" in pulse


async def test_who_cannot_see_says_so_first_and_tells_no_good_news(site: Site) -> None:
    site.world.poll(NOON, marked(SERVER, NOON - 4 * MINUTE), institution="bright")
    site.world.fail(NOON + 60, "bright")
    site.world.fleet = altered(site.world.fleet, round=Round(NOON + 60, 2.0, is_up=False))

    page = await site.page("/")

    assert page.one(role="alert").text == (
        "No call to NexHealth succeeds. This is the last known state. Until calls succeed "
        "again, nothing becomes overdue, and nothing that is overdue recovers. "
        "The exporter's log names the reason, as does nexhealth-exporter check."
    )
    assert page.one("h1").text == "Nothing was overdue when last seen"


async def test_a_list_that_could_not_be_read_is_not_taken_for_an_empty_one(site: Site) -> None:
    site.world.fleet = altered(Fleet(), round=Round(NOON, 0.0, is_up=False))
    unread = (await site.page("/")).one("section", class_="hero").text
    site.world.fleet = altered(Fleet(), round=Round(NOON, 0.0, is_up=True))
    empty = (await site.page("/")).one("section", class_="hero").text

    assert "The list of institutions could not be read yet." in unread
    assert "The key sees no institution to watch." in empty


async def test_a_fleet_incident_is_told_above_all_states(site: Site) -> None:
    mixed(site)
    incident = {IntegrationType.SERVER: NOON - 20 * MINUTE}
    site.world.fleet = altered(site.world.fleet, incidents=incident)

    notice = (await site.page("/")).one(role="alert").text

    assert notice == "Fleet incident: many server-based syncs stopped together, since 15:40 UTC."


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("text=BRIGHT", ["bright"]),
        ("text=dentrix+tokyo", ["tokyo"]),
        ("text=nobody", []),
        ("integration_type=cloud", ["cloudy"]),
        ("state=late&integration_type=server", ["broken", "waiting"]),
        ("state=resting", ["tokyo"]),
        ("reason=closed", ["tokyo"]),
        ("reason=lunch", []),
        ("state=abandoned", ["left"]),
        ("state=no_sync", ["empty"]),
        ("state=unknown", ["new"]),
        ("state=overdue", []),
        ("text=&integration_type=&state=&reason=&page=1", None),
    ],
)
async def test_filters(site: Site, query: str, found: list[str] | None) -> None:
    mixed(site)
    site.world.watch(
        *(altered(s.institution, name=s.institution.subdomain) for s in site.world.fleet)
    )

    page = await site.page(f"/?{query}")

    if found is None:
        assert len(table(page)) == 8
    else:
        assert sorted(offices(page)) == sorted(found)
    api = await site.json(f"/api/v1/syncs?{query}")
    assert api["total"] == len(table(page))


async def test_the_form_keeps_what_was_asked_for(site: Site) -> None:
    mixed(site)
    page = await site.page("/?text=%22%3E%3Cb%3E&integration_type=cloud&state=overdue&reason=lunch")
    form = page.one("form")

    assert form.one("input", name="text").attributes["value"] == '"><b>'
    chosen = {e.attributes["value"] for e in form.all("option") if "selected" in e.attributes}
    assert chosen == {"cloud", "overdue", "lunch"}
    assert not page.all("b")


@pytest.mark.parametrize("query", ["state=gone", "integration_type=onprem", "page=0", "page=x"])
async def test_what_cannot_be_asked_for_is_refused_with_a_sentence(site: Site, query: str) -> None:
    name = query.partition("=")[0]

    assert (await site.page(f"/?{query}", 400)).one("h1").text.startswith(f"{name} must be ")
    error = (await site.json(f"/api/v1/syncs?{query}", 400))["error"]
    assert str(error).startswith(f"{name} must be ")


async def test_pages_of_the_list(site: Site) -> None:
    for number in range(120):
        site.world.poll(NOON, marked(SERVER, NOON - number), institution=f"office-{number:03}")

    second = await site.page("/?page=2&text=office")
    last = await site.page("/?page=99")

    assert len(table(second)) == 50
    assert "51 to 100 of 120" in second.one(class_="found").text
    nav = second.one("nav", class_="pages")
    assert nav.one("a", rel="prev").attributes["href"] == "./?text=office#syncs"
    assert nav.one("a", rel="next").attributes["href"] == "./?text=office&page=3#syncs"
    assert len(table(last)) == 20
    assert not last.all("a", rel="next")


async def test_hostile_names_are_text_and_nothing_else(site: Site) -> None:
    subdomain = HOSTILE + "/?#%"
    site.world.watch(Institution(subdomain, 1, HOSTILE, "US", (Location(1, "America/New_York"),)))
    site.world.poll(NOON, named(HOSTILE, None, NOON - HOUR, emr=HOSTILE), institution=subdomain)

    fleet = await site.page("/")
    link = fleet.one("tbody").one("a").attributes["href"]
    assert link is not None
    one = await site.page("/" + link.removeprefix("./"))

    for page in (fleet, one):
        assert all(e.attributes.get("src") for e in page.all("script"))
        assert not [k for e in page.walk() for k in e.attributes if k.startswith("on")]
        assert " ".join(HOSTILE.split()) in page.text
    assert one.one("h1").text == HOSTILE
    api = one.one("main").one("a", href=f"../api/v1/{link.removeprefix('./')}")
    assert api.text == "JSON"
    assert (await site.json("/api/v1/" + link.removeprefix("./")))["institution"] == subdomain


async def test_a_lone_surrogate_does_not_cost_the_page(site: Site) -> None:
    site.world.watch(Institution("odd", 1, "bad \ud800 name", "US"))

    assert "bad" in (await site.page("/institutions/odd")).one("h1").text


async def test_every_link_is_relative_and_leads_somewhere(site: Site) -> None:
    mixed(site)
    for path in ("/", "/institutions/broken", "/nothing/here"):
        page = await site.page(path, 404 if path.startswith("/nothing") else 200)
        base = site.url + path
        for link in links(page):
            if link.startswith("#"):
                continue
            assert "://" not in link
            assert not link.startswith("/")
            assert site.session is not None
            async with site.session.get(urljoin(base, link)) as response:
                assert response.status == 200, link


async def test_nothing_comes_from_elsewhere_and_nothing_stands_in_line(site: Site) -> None:
    mixed(site)
    for path in ("/", "/institutions/broken"):
        page = await site.page(path)
        assert not page.all("style")
        assert not [e for e in page.walk() if "style" in e.attributes]
        assert all(e.attributes.get("src") and not e.text for e in page.all("script"))


async def test_an_unknown_institution_is_not_found(site: Site) -> None:
    page = await site.page("/institutions/no%2Fsuch%3Cb%3E", 404)

    assert page.one("h1").text == "No institution “no/such<b>” is watched here."
    assert "../" in links(page)


async def test_why_an_office_is_overdue(site: Site) -> None:
    stopped = marked(SERVER, NOON - 70 * MINUTE)
    site.world.configure(
        "schedules: {s: {hours: {mon-fri: '08:00-17:00'}}}\n"
        "institutions: [{match: {}, schedule: s, group: east}]\n"
    )
    site.world.poll(NOON, stopped, institution="broken")
    page = await site.page("/institutions/broken")

    verdict = page.one(class_="verdict")
    assert "is-overdue_warning" in (verdict.attributes["class"] or "")
    assert verdict.one(class_="sentence").text == (
        "Overdue since 10:35: reading and writing stopped at 09:50, in the middle of open hours; "
        "critical at 13:50 if it stays so."
    )
    assert "services are still installed" in verdict.one(class_="next").text
    assert "#do-1" in links(verdict)
    assert page.one("details").attributes["id"] == "do-1"
    assert verdict.one(class_="clock").text == (
        "Times are the office's own: America/New_York, where it is Tue 11:00"
    )
    facts = {
        row.one("th").text: [cell.text for cell in row.all("td")]
        for row in page.one("table", class_="facts").one("tbody").all("tr")
    }
    assert facts["Last moved"] == ["Tue 3 Mar 09:50:00 14:50:00 UTC"] * 2
    assert facts["Lag"] == facts["Unexpected lag"] == ["1 h 10 min"] * 2
    assert facts["Allowance, warning"] == ["45 min"] * 2
    assert facts["Deadline, warning"] == ["Tue 3 Mar 10:35:00 15:35:00 UTC missed"] * 2
    assert facts["Deadline, critical"] == ["Tue 3 Mar 13:50:00 18:50:00 UTC"] * 2
    assert facts["NexHealth's own colour by age alone"] == ["green"] * 2
    hours = hours_of(page)
    assert hours["Expected now"] == "Yes, it should refresh"
    assert hours["Next change"] == "Tue 3 Mar 17:00:00 22:00:00 UTC"
    assert hours["Hours from"] == "configuration, schedule s"
    assert hours["Learned"] == "Nothing yet: learning takes some days."
    assert hours["Time zone"] == "America/New_York, now Tue 11:00"
    assert "Group: east" in page.text
    assert "Server-based: the usual causes" in page.text
    assert "amtool silence add" in page.text
    assert 'days: ["2026-03-03"]' in page.text


async def test_the_picture_names_its_clock_and_whose_deadlines_are_drawn(site: Site) -> None:
    site.world.watch(office("broken", "America/Denver"))
    site.world.configure(
        "schedules: {s: {hours: {mon-fri: '08:00-17:00'}}}\n"
        "institutions: [{match: {}, schedule: s}]\n"
    )
    silent = marked(SERVER, NOON - 4 * MINUTE, NOON - 60 * MINUTE)
    site.world.poll(NOON, silent, institution="broken")
    week = (await site.page("/institutions/broken")).one("section", **{"aria-label": "The week"})

    assert week.one("h3").text == "The week, in office time (America/Denver)"
    legend = [entry.text for entry in week.one(class_="legend").all("li")]
    assert legend[-3:] == ["Warning deadline of writing", "Critical deadline of writing", "Now"]


async def test_where_one_direction_works_the_causes_are_not_those_of_a_dead_office(
    site: Site,
) -> None:
    silent = marked(SERVER, NOON - 4 * MINUTE, NOON - 9 * HOUR)
    site.world.configure(
        "schedules: {s: {hours: {mon-sun: '00:00-24:00'}}}\n"
        "institutions: [{match: {}, schedule: s}]\n"
    )
    site.world.poll(NOON, silent, institution="broken")
    causes = (await site.page("/institutions/broken")).one("details").text

    assert "Only writing has stopped" in causes
    assert "Reading works, so the server is on and NexHealth's services run." in causes
    assert "The server is off." not in causes
    assert "Closed?" not in causes
    assert "'--comment=NexHealth was asked'" in causes


async def test_why_an_office_rests(site: Site) -> None:
    site.now = at("2026-03-07 10:00")
    site.world.poll(site.now, marked(CLOUD, at("2026-03-06 16:50")), institution="quiet")
    page = await site.page("/institutions/quiet")

    assert page.one(class_="sentence").text == (
        "Resting as expected: weekend, since Fri 17:00, back on Mon 08:00."
    )
    assert "Next Nothing to do." in page.text
    assert "Cloud-based: the usual causes" in page.text
    assert "open" not in page.one("details").attributes


async def test_an_office_that_we_cannot_see(site: Site) -> None:
    site.world.poll(NOON - 3 * HOUR, marked(SERVER, NOON - 3 * HOUR))
    site.world.fail(NOON)
    page = await site.page("/institutions/smiles")

    assert (
        "This was the state 3 h ago. Until a poll succeeds, nothing becomes overdue." in page.text
    )


async def test_an_office_without_a_zone_of_its_own_says_so(site: Site) -> None:
    site.world.watch(office("lost", None))
    site.world.poll(NOON, marked(SERVER, NOON), institution="lost")

    assert "the office has none of its own" in (await site.page("/institutions/lost")).text


@pytest.mark.parametrize(
    "mark", [-62135647200.0, -62135596800.0, -1.0, 253402300799.0, 253402343999.0]
)
async def test_a_mark_from_any_year_is_shown_without_failing(site: Site, mark: float) -> None:
    site.world.poll(NOON, marked(SERVER, mark, write_at=NOON))

    for path in ("/", "/institutions/smiles", "/api/v1/syncs", "/api/v1/institutions/smiles"):
        async with asyncio.timeout(10):
            assert "smiles" in await site.text(path)


async def test_a_clock_that_is_not_known_to_be_the_offices_is_not_called_so(site: Site) -> None:
    site.world.watch(office("nowhere", None))
    site.world.poll(NOON, marked(SERVER, NOON - 2 * HOUR), institution="nowhere")
    page = await site.page("/institutions/nowhere")

    assert page.one(class_="verdict").one(class_="clock").text == (
        "Times are those of the default zone, since the office's is not known: "
        "America/New_York, where it is Tue 11:00"
    )
