"""What strikes many offices at once is learned of none of them."""

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


@pytest.mark.parametrize(("begins", "ends"), [(8, 12), (14, 17)])
def test_an_incident_at_either_end_of_a_day_is_not_taken_for_new_hours(
    begins: float, ends: float
) -> None:
    rules = policy(Rules(), DEFAULTS)
    names = [f"office-{number}" for number in range(10)]
    places = (Location(1, ZONE.key),)
    fleet = Fleet().watching(Inventory({n: Institution(n, locations=places) for n in names}), rules)
    monday, mark = weeks(4), None
    for day in (FIRST + timedelta(days=number) for number in range(30)):
        for half in range(48):
            hour, now = half / 2, at(day, half / 2)
            is_struck = day == monday and begins <= hour < ends
            if day.weekday() < 5 and 8 <= hour < 17 and not is_struck:
                mark = now
            syncs = (Sync("Main", IntegrationType.CLOUD, read_at=mark, write_at=mark),)
            fleet = fleet.after([Poll(n, now, syncs) for n in names], rules).with_incidents()

    assert fleet.latest_incidents
    (struck,) = fleet.standings[names[0]].syncs or ()
    wednesday = monday + timedelta(days=2)
    expected = [struck.expectation.piece(at(wednesday, hour)).value for hour in (8.2, 9.2, 16.7)]
    assert expected == [0.5, 1, 1]


def test_a_friday_off_that_most_offices_share_is_no_incident_each_week() -> None:
    """The first is one: until then nobody knows of it."""
    rules = policy(Rules(), DEFAULTS)
    lasts = {f"office-{number}": 4 if number < 12 else 5 for number in range(20)}
    marks: dict[str, float] = {}
    places = (Location(1, ZONE.key),)
    institutions = {name: Institution(name, locations=places) for name in lasts}
    fleet = Fleet().watching(Inventory(institutions), rules)
    for half in range(2 * 24 * 26):
        day, hour = FIRST + timedelta(days=half // 48), half % 48 / 2
        now = at(day, hour)
        if 8 <= hour < 17:
            marks |= {name: now for name, last in lasts.items() if day.weekday() < last}
        polls = []
        for name in lasts:
            mark = marks.get(name)
            sync = Sync("Main", IntegrationType.SERVER, read_at=mark, write_at=mark)
            polls.append(Poll(name, now, (sync,)))
        fleet = fleet.after(polls, rules).with_incidents()

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
    rules = policy(Rules(), DEFAULTS)
    names = [f"office-{number}" for number in range(10)]
    places = (Location(1, ZONE.key),)
    fleet = Fleet().watching(Inventory({n: Institution(n, locations=places) for n in names}), rules)
    mark = None
    now = at(FIRST)
    while now < at(following, 12):
        if not begins <= now < ends:
            mark = now
        syncs = (Sync("Main", IntegrationType.SERVER, read_at=mark, write_at=mark),)
        fleet = fleet.after([Poll(n, now, syncs) for n in names], rules).with_incidents()
        now += 1800

    assert fleet.latest_incidents
    (struck,) = fleet.standings[names[0]].syncs or ()
    assert struck.expectation.source is Source.LEARNED
    tonight, saturday = at(following, 22), at(weeks(2) + timedelta(days=5), 12)
    assert [struck.expectation.piece(when).value for when in (tonight, saturday)] == [1, 1]
