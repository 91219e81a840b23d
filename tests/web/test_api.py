"""The JSON: every fact by its name, instants in RFC 3339, durations in seconds."""

import dataclasses
from pathlib import Path

from msgspec.structs import replace as altered

from nexhealth_exporter.fleet import Round
from nexhealth_exporter.model import IntegrationType
from nexhealth_exporter.report import Condition, Selection
from tests.fleet.conftest import CLOUD, SERVER, marked
from tests.web.conftest import NOON, Site, running

EVERY_FACT = {
    "institution": "smiles",
    "institution_id": 7,
    "institution_name": "Smiles",
    "group": "east",
    "last_poll": "2026-03-03T16:00:00Z",
    "last_successful_poll": "2026-03-03T16:00:00Z",
    "poll_failure": None,
    "sync": "Main",
    "integration_type": "server",
    "condition": "overdue_warning",
    "overdue": "warning",
    "overdue_since": "2026-03-03T15:35:00Z",
    "next_deadline": None,
    "held_back_by_fleet_incident": False,
    "looks_closed": False,
    "why": "Overdue since 10:35: reading stopped at 09:50, in the middle of open hours, "
    "while writing went on; critical at 13:50 if it stays so.",
    "emr": "Dentrix",
    "state": "active",
    "timezone": "America/New_York",
    "timezone_is_fallback": False,
    "locations": 1,
    "first_seen": "2026-03-03T16:00:00Z",
    "expectation": {
        "source": "configured",
        "schedule": "own",
        "learned": None,
        "value": 1.0,
        "expected_up": True,
        "reason": None,
        "since": "2026-03-03T13:00:00Z",
        "next_change": "2026-03-03T22:00:00Z",
    },
    "read": {
        "mark": "2026-03-03T14:50:00Z",
        "lag_seconds": 4200.0,
        "unexpected_lag_seconds": 4200.0,
        "allowance_seconds": {"warning": 2700.0, "critical": 14400.0},
        "deadline": {"warning": "2026-03-03T15:35:00Z", "critical": "2026-03-03T18:50:00Z"},
        "overdue": "warning",
        "api_up": True,
    },
    "write": {
        "mark": "2026-03-03T15:58:30Z",
        "lag_seconds": 90.0,
        "unexpected_lag_seconds": 90.0,
        "allowance_seconds": {"warning": 2700.0, "critical": 14400.0},
        "deadline": {"warning": "2026-03-03T16:43:30Z", "critical": "2026-03-03T19:58:30Z"},
        "overdue": None,
        "api_up": False,
    },
    "url": None,
}


def broken(site: Site) -> None:
    site.world.configure(
        "schedules: {own: {hours: {mon-fri: '08:00-17:00'}}}\n"
        "institutions: [{match: {}, schedule: own, group: east}]\n"
    )
    sync = altered(marked(SERVER, NOON - 4200, NOON - 90), write_up=False, read_up=True)
    site.world.poll(NOON, sync)


async def test_every_fact_of_a_sync(site: Site) -> None:
    broken(site)

    found = await site.json("/api/v1/institutions/smiles")

    assert found["syncs"] == [EVERY_FACT]
    assert found["now"] == "2026-03-03T16:00:00Z"
    assert found["institution_name"] == "Smiles"


async def test_the_fleet_in_figures_and_the_syncs_worst_first(site: Site) -> None:
    broken(site)
    site.world.poll(NOON, marked(CLOUD, NOON - 60), institution="cloudy")
    site.world.poll(NOON, institution="empty")
    site.world.fail(NOON, "empty")
    site.world.fleet = altered(
        site.world.fleet,
        round=Round(NOON - 5, 1.5, is_up=True),
        incidents={IntegrationType.CLOUD: NOON - 600},
    )

    found = await site.json("/api/v1/syncs?per_page=2")

    assert [s["institution"] for s in _syncs(found)] == ["smiles", "empty"]
    assert (found["total"], found["page"], found["pages"], found["per_page"]) == (3, 1, 2, 2)
    assert found["fleet"] == {
        "institutions": 3,
        "syncs": 2,
        "conditions": {"overdue_warning": 1, "no_sync": 1, "fresh": 1},
        "resting": {},
        "integration_types": {"server": {"overdue_warning": 1}, "cloud": {"fresh": 1}},
        "poll_failures": {"timeout": 1},
        "fleet_incidents": {"cloud": "2026-03-03T15:50:00Z"},
        "round": {"ended": "2026-03-03T15:59:55Z", "duration_seconds": 1.5, "api_up": True},
    }
    assert [
        s["institution"] for s in _syncs(await site.json("/api/v1/syncs?per_page=2&page=2"))
    ] == ["cloudy"]


async def test_what_is_not_known_is_null(site: Site) -> None:
    site.world.poll(NOON, marked(SERVER, None))

    sync = _syncs(await site.json("/api/v1/syncs"))[0]
    read = sync["read"]

    assert isinstance(read, dict)
    assert [read[name] for name in ("mark", "lag_seconds", "unexpected_lag_seconds")] == [None] * 3
    assert sync["next_deadline"] == "2026-03-03T20:00:00Z"
    assert sync["condition"] == "unknown"


async def test_links_lead_to_the_address_that_people_use(site: Site) -> None:
    broken(site)
    linked = dataclasses.replace(site, external_url="https://ops.example/nexhealth")
    async with running(linked) as other:
        sync = _syncs(await other.json("/api/v1/syncs"))[0]

    assert sync["url"] == "https://ops.example/nexhealth/institutions/smiles"


async def test_an_unknown_institution_is_not_found(site: Site) -> None:
    found = await site.json("/api/v1/institutions/nobody", 404)

    assert found == {"error": "no such institution is watched here"}


async def test_an_institution_without_a_sync_has_none(site: Site) -> None:
    site.world.poll(NOON, institution="empty")

    assert (await site.json("/api/v1/institutions/empty"))["syncs"] == []
    assert _syncs(await site.json("/api/v1/syncs"))[0]["sync"] is None


def _syncs(found: dict[str, object]) -> list[dict[str, object]]:
    syncs = found["syncs"]
    assert isinstance(syncs, list)
    return syncs


def test_the_documentation_names_every_field_condition_and_parameter() -> None:
    text = (Path(__file__).parents[2] / "docs/http-api.md").read_text()
    nested = [facts for facts in EVERY_FACT.values() if isinstance(facts, dict)]
    fields = {name for facts in (EVERY_FACT, *nested) for name in facts}
    parameters = {field.name for field in dataclasses.fields(Selection)}

    assert not {name for name in fields | parameters | set(Condition) if f"`{name}`" not in text}
