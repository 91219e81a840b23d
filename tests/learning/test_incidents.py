"""What strikes many offices at once is learned of none of them."""

from collections.abc import Mapping
from datetime import date, timedelta

import pytest

from nexhealth_exporter.fleet import Fleet
from nexhealth_exporter.model import (
    Institution,
    IntegrationType,
    Inventory,
    Location,
    Poll,
    Source,
    Sync,
)
from nexhealth_exporter.policy import policy
from nexhealth_exporter.rules import Rules
from tests.learning.offices import DEFAULTS, FIRST, ZONE, at, weeks

RULES = policy(Rules(), DEFAULTS)
TEN = [f"office-{number}" for number in range(10)]
"""Fewer are no incident."""


def watched(names: list[str]) -> Fleet:
    places = (Location(1, ZONE.key),)
    inventory = Inventory({name: Institution(name, locations=places) for name in names})
    return Fleet().watching(inventory, RULES)


def looked_at(
    fleet: Fleet, now: float, kind: IntegrationType, marks: Mapping[str, float | None]
) -> Fleet:
    polls = []
    for name, mark in marks.items():
        sync = Sync("Main", kind, read_at=mark, write_at=mark)
        polls.append(Poll(name, now, (sync,)))
    return fleet.after(polls, RULES).with_incidents()


@pytest.mark.parametrize(("begins", "ends"), [(8, 12), (14, 17)])
def test_an_incident_at_either_end_of_a_day_is_not_taken_for_new_hours(
    begins: float, ends: float
) -> None:
    fleet, monday, mark = watched(TEN), weeks(3), None
    for day in (FIRST + timedelta(days=number) for number in range(23)):
        for half in range(48):
            hour, now = half / 2, at(day, half / 2)
            is_struck = day == monday and begins <= hour < ends
            if day.weekday() < 5 and 8 <= hour < 17 and not is_struck:
                mark = now
            fleet = looked_at(fleet, now, IntegrationType.CLOUD, dict.fromkeys(TEN, mark))

    assert fleet.latest_incidents
    (struck,) = fleet.standings[TEN[0]].syncs or ()
    wednesday = monday + timedelta(days=2)
    expected = [struck.expectation.piece(at(wednesday, hour)).value for hour in (8.2, 9.2, 16.7)]
    assert expected == [0.5, 1, 1]


def test_a_friday_off_that_most_offices_share_is_no_incident_each_week() -> None:
    """The first is one: until then nobody knows of it."""
    lasts = dict.fromkeys(TEN, 4) | {f"open-on-friday-{number}": 5 for number in range(6)}
    marks: dict[str, float | None] = dict.fromkeys(lasts)
    fleet = watched([*lasts])
    for half in range(2 * 24 * 19):
        day, hour = FIRST + timedelta(days=half // 48), half % 48 / 2
        now = at(day, hour)
        if 8 <= hour < 17:
            marks |= {name: now for name, last in lasts.items() if day.weekday() < last}
        fleet = looked_at(fleet, now, IntegrationType.SERVER, marks)

    (first,) = fleet.latest_incidents[IntegrationType.SERVER]
    assert first.end < at(weeks(1), 12)


@pytest.mark.parametrize(
    ("begins", "ends", "following"),
    [
        (at(weeks(1) + timedelta(days=4), 23), at(weeks(1) + timedelta(days=6), 1), weeks(2)),
        (at(weeks(2), 18), at(weeks(2), 32), weeks(2) + timedelta(days=1)),
    ],
)
def test_an_incident_that_looks_like_people_who_went_home_teaches_nothing(
    begins: float, ends: float, following: date
) -> None:
    fleet, mark, now = watched(TEN), None, at(FIRST)
    while now < at(following, 12):
        if not begins <= now < ends:
            mark = now
        fleet = looked_at(fleet, now, IntegrationType.SERVER, dict.fromkeys(TEN, mark))
        now += 1800

    assert fleet.latest_incidents
    (struck,) = fleet.standings[TEN[0]].syncs or ()
    assert struck.expectation.source is Source.LEARNED
    tonight, saturday = at(following, 22), at(weeks(2) + timedelta(days=5), 12)
    assert [struck.expectation.piece(when).value for when in (tonight, saturday)] == [1, 1]
