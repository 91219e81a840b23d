"""The edges of judging, as they stand on the page that Prometheus reads."""

import pytest
from msgspec.structs import replace as altered
from prometheus_client.parser import text_string_to_metric_families

from nexhealth_exporter.expectation.schedule import HOUR, MINUTE
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.model import Location
from tests.expectation.conftest import at
from tests.fleet.conftest import CLOUD, DAY, SERVER, World, marked, office, world

__all__ = ["world"]


class Samples:
    """The samples of a page: `one` gives the value of the only one with these labels."""

    def __init__(self, page: str) -> None:
        families = text_string_to_metric_families(page)
        self._samples = [sample for family in families for sample in family.samples]

    def labels(self, name: str) -> list[dict[str, str]]:
        return [s.labels for s in self._samples if s.name == f"nexhealth_{name}"]

    def one(self, name: str, **labels: str) -> float | None:
        found = [
            s.value
            for s in self._samples
            if s.name == f"nexhealth_{name}" and labels.items() <= s.labels.items()
        ]
        assert len(found) <= 1, found
        return found[0] if found else None


async def drawn(world: World, now: float) -> Samples:
    page = Page(OwnMetrics("test"))
    chunks = await page.write(world.fleet, now, openmetrics=False, names=frozenset(), gzip=False)
    return Samples(b"".join(chunks).decode())


async def test_an_office_that_is_closed_has_lag_and_no_unexpected_lag(world: World) -> None:
    closing = at("2026-03-13 17:00")
    world.poll(closing, marked(SERVER, closing))

    page = await drawn(world, at("2026-03-15 12:00"))

    assert page.one("sync_read_lag_seconds") == 43 * HOUR
    assert page.one("sync_read_unexpected_lag_seconds") == 0
    assert page.one("sync_expected_up") == 0
    assert page.one("sync_expected_downtime", reason="weekend") == 1

    page = await drawn(world, at("2026-03-16 08:10"))

    assert page.one("sync_read_lag_seconds") == 63 * HOUR + 10 * MINUTE
    assert page.one("sync_read_unexpected_lag_seconds") == 10 * MINUTE
    assert page.one("sync_expected_up") == 1
    assert page.labels("sync_expected_downtime") == []


@pytest.mark.parametrize(
    ("closing", "opening", "lag_hours"),
    [
        ("2026-03-06 17:00", "2026-03-09 08:30", 62.5),  # an hour is skipped
        ("2026-10-30 17:00", "2026-11-02 08:30", 64.5),  # an hour is repeated
    ],
)
async def test_a_change_of_clocks_within_the_weekend_leaves_opening_at_eight(
    world: World, closing: str, opening: str, lag_hours: float
) -> None:
    world.poll(at(closing), marked(SERVER, at(closing)))

    page = await drawn(world, at(opening))

    assert page.one("sync_write_lag_seconds") == lag_hours * HOUR
    assert page.one("sync_write_unexpected_lag_seconds") == 30 * MINUTE
    deadline = page.one("sync_write_deadline_timestamp_seconds", severity="warning")
    assert deadline == at(opening) + 3.5 * HOUR


async def test_at_night_an_always_on_sync_counts_the_hours_that_exist(world: World) -> None:
    world.configure(
        "schedules: {always: {hours: {mon-sun: '00:00-24:00'}, holidays: none}}\n"
        "institutions: [{match: {}, schedule: always}]\n"
    )
    midnight = at("2026-03-08 00:00")
    world.poll(midnight, marked(SERVER, midnight))

    page = await drawn(world, at("2026-03-08 04:00"))

    assert page.one("sync_read_unexpected_lag_seconds") == 3 * HOUR


async def test_new_year_is_a_holiday_and_the_year_after_goes_on(world: World) -> None:
    closing = at("2026-12-31 17:00")
    world.poll(closing, marked(CLOUD, closing))

    page = await drawn(world, at("2027-01-01 10:00"))
    assert page.one("sync_expected_downtime", reason="holiday") == 1
    assert page.one("sync_read_unexpected_lag_seconds") == 0

    page = await drawn(world, at("2027-01-04 09:00"))
    assert page.one("sync_read_unexpected_lag_seconds") == HOUR


async def test_an_office_of_unknown_zone_is_judged_in_the_default_zone_and_counted(
    world: World,
) -> None:
    world.watch(office("smiles", "Mars/Olympus"), office("molars"))
    now = at("2026-03-04 10:00")
    for name in ("smiles", "molars"):
        world.poll(now, marked(SERVER, now), institution=name)

    page = await drawn(world, now)

    assert page.one("timezone_fallback_institutions") == 1
    assert page.one("sync_info", institution="smiles", timezone="America/New_York") == 1
    assert page.one("sync_expected_up", institution="smiles") == 1


async def test_unknown_marks_have_no_samples_and_still_a_deadline(world: World) -> None:
    first_seen = at("2026-03-04 10:00")
    nameless = altered(SERVER, read_up=None, write_up=None)
    world.poll(first_seen, marked(nameless, None, write_at=first_seen))

    page = await drawn(world, first_seen + HOUR)

    for absent in ("last_read_timestamp_seconds", "read_lag_seconds", "read_up"):
        assert page.one(f"sync_{absent}") is None
    assert page.one("sync_read_unexpected_lag_seconds") is None
    deadline = page.one("sync_read_deadline_timestamp_seconds", severity="warning")
    assert deadline == first_seen + 4 * HOUR
    assert page.one("sync_write_lag_seconds") == HOUR


async def test_an_abandoned_sync_is_listed_with_its_marks_and_without_a_deadline(
    world: World,
) -> None:
    now = at("2026-03-04 10:00")
    world.poll(now, marked(SERVER, now - 31 * DAY))

    page = await drawn(world, now)

    assert page.one("sync_info", state="abandoned") == 1
    assert page.one("sync_read_lag_seconds") == 31 * DAY
    assert page.labels("sync_read_deadline_timestamp_seconds") == []
    assert page.labels("sync_write_deadline_timestamp_seconds") == []


async def test_a_sync_at_inactive_locations_has_no_deadline(world: World) -> None:
    now = at("2026-03-04 10:00")
    idle = altered(SERVER, locations=(Location(1, inactive=True),))
    world.poll(now, marked(idle, now))

    page = await drawn(world, now)

    assert page.one("sync_info", state="inactive") == 1
    assert page.labels("sync_read_deadline_timestamp_seconds") == []


async def test_lag_grows_between_scrapes_without_a_poll_and_deadlines_stand(
    world: World,
) -> None:
    ten = at("2026-03-04 10:00")
    world.poll(ten, marked(SERVER, ten))

    pages = [await drawn(world, ten + hours * HOUR) for hours in (0, 3, 6)]

    assert [page.one("sync_read_lag_seconds") for page in pages] == [0, 3 * HOUR, 6 * HOUR]
    deadlines = {
        page.one("sync_read_deadline_timestamp_seconds", severity="warning") for page in pages
    }
    assert deadlines == {ten + 4 * HOUR}


async def test_while_blind_for_hours_the_page_says_neither_overdue_nor_resolved(
    world: World,
) -> None:
    ten = at("2026-03-04 10:00")
    world.poll(ten, marked(SERVER, ten))
    world.poll(ten, marked(SERVER, ten - 20 * HOUR), institution="molars")

    def overdue(page: Samples, institution: str) -> bool:
        name = "sync_read_deadline_timestamp_seconds"
        deadline = page.one(name, institution=institution, severity="warning")
        polled = page.one("institution_last_poll_timestamp_seconds", institution=institution)
        assert deadline is not None
        assert polled is not None
        return deadline <= polled

    world.poll(ten + 60, marked(SERVER, ten - 20 * HOUR), institution="molars")
    for hours in (1, 5, 9):
        world.fail(ten + hours * HOUR)
        world.fail(ten + hours * HOUR, institution="molars")
        page = await drawn(world, ten + hours * HOUR)
        assert not overdue(page, "smiles")
        assert overdue(page, "molars")
        assert page.one("institution_poll_success", institution="smiles") == 0

    world.poll(ten + 9.1 * HOUR, marked(SERVER, ten))
    assert overdue(await drawn(world, ten + 9.1 * HOUR), "smiles")


async def test_every_label_of_the_info_metrics_is_there(world: World) -> None:
    now = at("2026-03-04 10:00")
    world.poll(now, marked(SERVER, now))

    page = await drawn(world, now)

    assert page.labels("sync_info") == [
        {
            "institution": "smiles",
            "sync": "Main",
            "integration_type": "server",
            "institution_id": "7",
            "emr": "Dentrix",
            "timezone": "America/New_York",
            "expectation": "default",
            "schedule": "",
            "state": "active",
            "locations": "1",
        }
    ]
    assert page.labels("institution_info") == [
        {"institution": "smiles", "institution_id": "7", "institution_name": "Smiles", "group": ""}
    ]
