"""Syncs that move seldom, or are polled seldom."""

import random
import re
from datetime import date, datetime, timedelta

import pytest

from nexhealth_exporter import report
from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.exposition.own import OwnMetrics
from nexhealth_exporter.exposition.page import Page
from nexhealth_exporter.model import IntegrationType, Reason, Severity, Source
from nexhealth_exporter.report import Condition
from nexhealth_exporter.report.pattern import sentence, weekday_groups
from tests.exposition.reading import OF_FLEET, assert_same, families, reference, samples, text_of
from tests.learning.offices import (
    FIRST,
    STEP,
    ZONE,
    Hours,
    Office,
    always,
    at,
    lived,
    never,
    now_and_then,
    weekdays,
    weeks,
)


@pytest.mark.parametrize("moves", [3, 5, 8])
def test_who_moves_a_few_times_a_day_is_missed_within_three_days(moves: int) -> None:
    smiles = lived(42, now_and_then(moves), kind=IntegrationType.CLOUD, step=STEP)
    smiles.alerts.clear()
    smiles.live(weeks(6), 22, now_and_then(moves))
    assert smiles.alerts == []

    died = weeks(9) + timedelta(days=1)
    smiles.live(died, 3, never)

    assert [severity for severity, _ in smiles.alerts][:1] == [Severity.WARNING]
    windows = {g.first: len(g.windows) for g in weekday_groups(smiles.pattern)}
    assert {count for day, count in windows.items() if day < SATURDAY} == {1}


async def test_who_moves_a_few_times_a_day_has_hours_though_it_is_never_expected_up() -> None:
    smiles = lived(42, now_and_then(5), kind=IntegrationType.CLOUD, step=STEP)
    tuesday = weeks(6) + timedelta(days=1)
    smiles.live(weeks(6), 1, now_and_then(5))

    eleven = smiles.sync.expectation.piece(at(tuesday, 11))
    assert eleven.is_open
    assert 0 < eleven.value < 0.5
    assert smiles.sync.expectation.piece(at(tuesday, 22)).reason is Reason.CLOSED
    assert "moves now and then" in sentence(smiles.pattern)
    (row,) = report.rows(smiles.fleet, at(tuesday, 10))
    assert row.condition is Condition.FRESH
    for hour in (11, 22):
        now = at(tuesday, hour)
        shown = samples(
            families(await text_of(Page(OwnMetrics("1")), smiles.fleet, now, names=OF_FLEET))
        )
        assert_same(shown, reference(smiles.fleet, now))
        downtime = [s for s in shown if s[0] == "nexhealth_sync_expected_downtime"]
        assert len(downtime) == (hour == 22)

    smiles.live(tuesday, 3, never)
    (row,) = report.rows(smiles.fleet, at(tuesday, 71))
    assert re.search("in the middle of open hours|did not come back at opening", report.why(row))


@pytest.mark.parametrize("cadence", [42, 50, 60])
@pytest.mark.parametrize("apart", [0, 20])
def test_the_outage_of_a_server_that_moves_seldom_is_found(cadence: int, apart: int) -> None:
    """Marks come each `cadence` minutes, those of writes `apart` minutes after those of reads."""
    smiles = Office()
    now, stopped = at(FIRST), at(weeks(6) + timedelta(days=3), 9)
    while now < at(weeks(6) + timedelta(days=5)):
        until = min(now, stopped)
        smiles.read_at = until - until % (cadence * 60)
        smiles.write_at = max(smiles.read_at - (cadence - apart) * 60, smiles.write_at or 0)
        if until - smiles.read_at >= apart * 60:
            smiles.write_at = smiles.read_at + apart * 60
        smiles.look(now)
        now += 600

    assert smiles.sync.expectation.source is Source.LEARNED
    found = {severity: when for severity, when in smiles.alerts if when > stopped}
    assert set(found) == {"warning", "critical"}
    assert found["critical"] - stopped < 6 * 3600


def test_the_outage_of_a_server_that_is_polled_seldom_is_found() -> None:
    smiles = lived(45, weekdays(8, 17), step=43 * 60)
    smiles.live(weeks(6) + timedelta(days=3), 2, never, step=43 * 60)

    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


@pytest.mark.parametrize("minutes", [75, 90, 120])
def test_hours_at_which_a_server_moves_by_chance_are_not_learned(minutes: int) -> None:
    """It moves at any time of the day, now and then: by its slots it would always rest."""
    smiles, chance = Office(), random.Random(7)
    now, due = at(FIRST), at(FIRST, 8)
    stopped = at(weeks(6) + timedelta(days=3), 9)
    while now < at(weeks(6) + timedelta(days=5)):
        while due <= now:
            day = datetime.fromtimestamp(due, ZONE)
            if day.weekday() < 5 and 8 <= day.hour < 17 and due < stopped:
                smiles.read_at = smiles.write_at = due
            due += minutes * 60 * chance.uniform(0.8, 1.2)
        smiles.look(now)
        now += 600

    assert [severity for severity, when in smiles.alerts if when < stopped] == []
    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


def every(hours: float) -> Hours:
    """A move so many hours apart, all day and night."""
    return lambda _: [(n * hours, n * hours + 0.1) for n in range(int(24 / hours))]


@pytest.mark.parametrize(("apart", "found"), [(0.75, 2.5), (1.0, 2.5), (1.5, 4.0), (2.0, 5.0)])
@pytest.mark.parametrize("way", ["read", "write"])
def test_a_direction_of_a_server_that_moves_hours_apart_is_watched_all_the_same(
    apart: float, found: float, way: str
) -> None:
    def live(first: date, days: int, seldom: Hours) -> None:
        if way == "read":
            smiles.live(first, days, always, seldom)
        else:
            smiles.live(first, days, seldom, always)

    smiles = Office()
    live(FIRST, 21, every(apart))
    smiles.alerts.clear()
    live(weeks(3), 21, every(apart))
    assert smiles.alerts == []

    live(weeks(6), 1, never)
    (severity, ticket), (_, page) = smiles.alerts
    assert severity == "warning"
    assert ticket - at(weeks(6)) <= found * 3600
    assert page - at(weeks(6)) <= 4 * found * 3600


def test_reads_that_come_once_a_night_page_for_a_week_at_most() -> None:
    def once(_: date) -> list[tuple[float, float]]:
        return [(2, 2.3)]

    smiles = lived(10, always, once)
    smiles.alerts.clear()
    smiles.live(FIRST + timedelta(days=10), 32, always, once)
    assert smiles.alerts == []

    smiles.live(weeks(6), 3, always, never)
    assert smiles.alerts[0][0] == "warning"
    assert smiles.alerts[0][1] < at(weeks(6), 48)
