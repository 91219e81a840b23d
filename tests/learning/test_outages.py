"""Outages, closures and days off teach nothing, and deadlines stay while they last."""

from datetime import date, timedelta

import pytest
from msgspec.structs import replace as altered

from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.expectation.slots import slot_of
from nexhealth_exporter.model import IntegrationType, Poll, Severity, Source
from nexhealth_exporter.policy import policy
from tests.learning.offices import (
    DAY,
    DEFAULTS,
    FIRST,
    ZONE,
    Hours,
    Office,
    at,
    lived,
    never,
    weekdays,
    weeks,
)


def test_an_outage_of_three_weeks_is_not_learned() -> None:
    smiles = lived(28, weekdays(8, 17))
    smiles.live(weeks(4), 21, never)
    smiles.live(weeks(7), 2, weekdays(8, 17))

    assert smiles.sync.expectation.source is Source.LEARNED
    for day in range(5):
        assert smiles.expects(weeks(8) + timedelta(days=day), 11) == 1


def test_an_announced_closure_teaches_nothing() -> None:
    days = [weeks(n) + timedelta(days=2) for n in (1, 2, 3, 4)]
    listed = ", ".join(f'"{day}"' for day in days)
    closed = Office()
    closed.ruled(f"closures:\n  - match: {{subdomain: smiles}}\n    days: [{listed}]\n")
    hours = weekdays(8, 17)
    closed.live(FIRST, 36, lambda day: [] if day in days else hours(day))

    assert closed.expects(weeks(6) + timedelta(days=2), 11) == 1


def test_one_day_off_lowers_no_expectation() -> None:
    smiles = lived(28, weekdays(8, 17))
    before = smiles.expects(weeks(6), 11)
    smiles.live(weeks(4), 1, never)
    smiles.live(weeks(4) + timedelta(days=1), 8, weekdays(8, 17))

    assert smiles.expects(weeks(6), 11) == before == 1


@pytest.mark.parametrize("kind", [IntegrationType.SERVER, IntegrationType.CLOUD])
@pytest.mark.parametrize("weekday", range(5))
def test_the_week_after_a_day_off_that_day_is_expected_as_before(
    kind: IntegrationType, weekday: int
) -> None:
    smiles = lived(28 + weekday, weekdays(8, 17), kind=kind)
    before = smiles.expects(weeks(5) + timedelta(days=weekday), 11)
    smiles.live(weeks(4) + timedelta(days=weekday), 1, never)
    smiles.live(weeks(4) + timedelta(days=weekday + 1), 6, weekdays(8, 17))

    assert smiles.expects(weeks(5) + timedelta(days=weekday), 11) == before == 1


def test_what_was_not_looked_at_teaches_nothing() -> None:
    smiles = lived(28, weekdays(8, 17))
    # For two days nobody looks; then the mark has moved.
    smiles.read_at = smiles.write_at = at(weeks(4) + timedelta(days=2), 8)
    smiles.look(at(weeks(4) + timedelta(days=2), 8.1))

    record = smiles.sync.learned.record
    unseen = slot_of(at(weeks(4), 1), ZONE.key) - record.base
    assert (record.silent | record.suspect) >> unseen == 0
    assert record.silent >> (unseen - 10) > 0


def test_a_closure_that_nobody_announced_costs_one_ticket_and_one_page() -> None:
    smiles = lived(42, weekdays(8, 17))
    smiles.alerts.clear()

    smiles.live(weeks(6), 5, never)

    assert [severity for severity, _ in smiles.alerts] == ["warning", "critical"]


def test_deadlines_do_not_change_while_nothing_is_heard() -> None:
    smiles = lived(30, weekdays(8, 17))
    before = smiles.sync.read.deadline

    smiles.live(FIRST + timedelta(days=30), 9, never)

    assert smiles.sync.read.deadline == before
    assert smiles.sync.read.deadline[Severity.CRITICAL] < at(FIRST) + 39 * DAY


def test_what_is_overdue_stays_so_though_the_other_direction_keeps_other_hours() -> None:
    smiles = lived(42, weekdays(8, 17), kind=IntegrationType.CLOUD)
    smiles.live(weeks(6), 1, weekdays(8, 17), weekdays(8, 13))
    smiles.alerts.clear()
    smiles.live(weeks(6) + timedelta(days=1), 1, weekdays(8, 12), never)
    deadline = smiles.sync.read.deadline
    assert [severity for severity, _ in smiles.alerts] == ["critical"]

    smiles.live(weeks(6) + timedelta(days=2), 9, weekdays(8, 12), never)

    assert smiles.sync.read.deadline == deadline
    assert [severity for severity, _ in smiles.alerts] == ["critical"]
    smiles.live(weeks(8), 10, weekdays(8, 12))
    assert smiles.expects(weeks(9), 15) == 0


def test_what_is_overdue_stays_so_though_nobody_answered_for_long() -> None:
    """Nor may a mark that an answer lacks, or a restart after a night, move its deadline."""
    smiles = lived(42, weekdays(8, 17), kind=IntegrationType.CLOUD)
    smiles.live(weeks(6), 1, weekdays(8, 17), weekdays(8, 13))
    smiles.live(weeks(6) + timedelta(days=1), 1, weekdays(8, 12), never)
    deadline, stopped = smiles.sync.read.deadline, smiles.read_at
    quick = policy(smiles.rules, altered(DEFAULTS, stale_after=3600))

    for day in (weeks(6) + timedelta(days=n) for n in range(2, 9)):
        if day.weekday() % 2:
            failed = [Poll("smiles", at(day, 6), failure="timeout")]
            smiles.fleet = smiles.fleet.after(failed, quick)
            assert smiles.fleet.standings["smiles"].syncs is None
        else:
            smiles.restarted()
        for hour in (8, 10):
            smiles.write_at = at(day, hour)
            smiles.look(at(day, hour))
        assert smiles.sync.read.deadline == deadline

    for day in (weeks(6) + timedelta(days=n) for n in range(9, 12)):
        smiles.read_at = None
        smiles.live(day, 1, weekdays(8, 12), never)
        assert smiles.sync.read.deadline == deadline
        smiles.read_at = stopped


def test_a_sunday_on_which_somebody_worked_once_is_not_expected_again() -> None:
    def hours(day: date) -> list[tuple[float, float]]:
        if day == weeks(2) - timedelta(days=1):
            return [(14, 17)]
        return [(8, 17)] if day.weekday() < SATURDAY else []

    smiles = lived(21, hours)
    assert smiles.alerts == []


def all_day_but(start: float, end: float) -> Hours:
    """A machine that is always on, and silent from one instant until another."""

    def hours(day: date) -> list[tuple[float, float]]:
        gone, back = ((instant - at(day)) / 3600 for instant in (start, end))
        return [(0, min(25, gone)), (max(0, back), 25)]

    return hours


@pytest.mark.parametrize("week", [0, 1])
def test_a_saturday_on_which_an_always_on_server_was_dead_is_expected_again(week: int) -> None:
    died = at(weeks(week) + timedelta(days=4), 20)
    smiles = lived(15, all_day_but(died, died + 36 * 3600))
    weekend = [weeks(2) + timedelta(days=day) for day in (5, 6)]
    assert [smiles.expects(day, hour) for day in weekend for hour in (9, 18)] == [1] * 4


def test_two_outages_at_the_same_hours_of_two_weeks_lower_no_expectation() -> None:
    dead = weeks(2) + timedelta(days=3), weeks(4) + timedelta(days=3)
    smiles = lived(37, lambda day: [(0, 2), (16, 25)] if day in dead else [(0, 25)])
    thursday = weeks(5) + timedelta(days=3)
    assert [smiles.expects(thursday, hour) for hour in (3, 10, 14)] == [1] * 3


def test_a_saturday_on_which_an_office_was_away_once_is_expected_again() -> None:
    def hours(day: date) -> list[tuple[float, float]]:
        is_away = day == weeks(1) + timedelta(days=5)
        return [(8, 17)] if day.weekday() <= SATURDAY and not is_away else []

    smiles = lived(16, hours)
    assert smiles.expects(weeks(2) + timedelta(days=5), 12) == 1
