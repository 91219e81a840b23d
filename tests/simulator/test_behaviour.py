"""Offices behave as their habits say, the same way however they are asked."""

import itertools
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexhealth_exporter.simulator.behaviour import Routine
from nexhealth_exporter.simulator.habits import Backup, Batch, Cloud, Power, Server
from nexhealth_exporter.simulator.hours import week
from nexhealth_exporter.simulator.site import PUNCTUAL, Site, Vagaries, Why
from nexhealth_exporter.simulator.troubles import Hazard, Outage, Troubles

HABITS = (
    Server(),
    Server(Power.ALWAYS, backup=Backup(120, 60, reads_only=False)),
    Server(Power.WEEKENDS_OFF),
    Cloud(),
    Cloud(interactions=1.2, quiet_spell=0.5),
    Batch(),
)
MONTH = 30 * 86400.0


def at(zone: str, year: int, month: int, day: int, *clock: int) -> float:
    hour, minute = (*clock, 0, 0)[:2]
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone)).timestamp()


def local(zone: str, t: float) -> datetime:
    return datetime.fromtimestamp(t, ZoneInfo(zone))


@settings(max_examples=40)
@given(
    habit=st.sampled_from(HABITS),
    seed=st.integers(0, 10**6),
    zone=st.sampled_from(["America/New_York", "Pacific/Kiritimati", "Asia/Kolkata"]),
    start=st.floats(1.7e9, 1.8e9),
    probes=st.lists(st.floats(0, MONTH), min_size=1, max_size=20),
)
def test_looking_back_and_listing_see_the_same_marks(
    habit: Server | Cloud | Batch, seed: int, zone: str, start: float, probes: list[float]
) -> None:
    troubles = Troubles(chances=(Hazard(seed, a_year=13, hours=(1, 600)),))
    vagaries = Vagaries(half_day=0.1, sudden_closure=0.05, late_evening=0.2)
    site = Site(seed, zone, vagaries=vagaries)
    listed = Routine(habit, site, seed, troubles)
    asked = Routine(habit, Site(seed, zone, vagaries=vagaries), seed, troubles)
    for direction in ("read", "write"):
        known = listed.marks(direction, start - 60 * 86400, start + MONTH)
        for probe in probes:
            t = start + probe
            newest = max((mark for mark in known if mark <= t), default=None)
            mark = getattr(asked.marks_at(t), direction)
            if newest is not None:
                assert mark == newest
            else:
                assert mark is None or mark < start - 60 * 86400


def test_another_seed_is_another_office() -> None:
    t = at("America/New_York", 2026, 3, 4, 12)
    assert len({Routine(Cloud(), Site(seed), seed).marks_at(t) for seed in range(20)}) == 20


def test_a_server_off_at_night_rests_from_closing_to_opening() -> None:
    site = Site(1, hours=((0, week({"mon-fri": "08:00-17:00"})),), vagaries=PUNCTUAL)
    routine = Routine(Server(left_on=0, stray_reboot=0, lead=0, trail=0), site, 1)
    zone = site.timezone
    # From Friday noon to Monday noon across the change to daylight saving time.
    marks = routine.marks("read", at(zone, 2026, 3, 6, 12), at(zone, 2026, 3, 9, 12))
    times = [local(zone, mark) for mark in marks]
    assert {(t.isoweekday(), t.hour) for t in times} == {
        *((5, hour) for hour in range(12, 17)),
        *((1, hour) for hour in range(8, 12)),
    }
    gaps = [b - a for a, b in itertools.pairwise(marks)]
    assert sorted(gaps)[-2] <= 1200  # all but the weekend
    assert sum(gaps) / 86400 > 2.5


def test_an_always_on_server_never_rests() -> None:
    site = Site(3, vagaries=PUNCTUAL)
    routine = Routine(Server(Power.ALWAYS, stray_reboot=0), site, 3)
    start = at("America/New_York", 2026, 12, 20)
    reads = routine.marks("read", start, start + 12 * 86400)
    writes = routine.marks("write", start, start + 12 * 86400)
    assert max(b - a for a, b in itertools.pairwise(reads)) <= 1200
    assert max(b - a for a, b in itertools.pairwise(writes)) <= 600


def test_a_server_off_at_weekends_runs_through_weekday_nights() -> None:
    site = Site(5, vagaries=PUNCTUAL)
    routine = Routine(Server(Power.WEEKENDS_OFF, stray_reboot=0, lead=0, trail=0), site, 5)
    zone = site.timezone
    up = routine.up("read", at(zone, 2026, 6, 8), at(zone, 2026, 6, 22))
    assert [(local(zone, a), local(zone, b)) for a, b in up] == [
        (local(zone, at(zone, 2026, 6, d, 8)), local(zone, at(zone, 2026, 6, d + 4, 17)))
        for d in (8, 15)
    ]


def test_a_backup_stops_reads_and_not_writes() -> None:
    site = Site(5, vagaries=PUNCTUAL)
    habit = Server(Power.ALWAYS, stray_reboot=0, backup=Backup(60, 120))
    routine = Routine(habit, site, 5)
    start = at(site.timezone, 2026, 6, 9)
    hours = {local(site.timezone, t).hour for t in routine.marks("read", start, start + 86400)}
    assert 2 not in hours
    assert len(hours) >= 22
    writes = routine.marks("write", start, start + 86400)
    assert {local(site.timezone, t).hour for t in writes} == set(range(24))


def test_browsers_rest_over_lunch_and_slow_down_in_the_afternoon() -> None:
    site = Site(7, vagaries=PUNCTUAL)
    habit = Cloud(interactions=6, afternoon=0.5, lunch_pace=0, quiet_spell=0, stray=0)
    routine = Routine(habit, site, 7)
    start = at(site.timezone, 2026, 1, 5)
    marks = routine.marks("read", start, start + 84 * 86400)
    hours = [local(site.timezone, mark).hour for mark in marks]
    assert 12 not in hours
    morning = sum(hour in {8, 9, 10, 11} for hour in hours)
    afternoon = sum(hour in {13, 14, 15, 16} for hour in hours)
    assert 0.5 < afternoon / morning < 0.65  # one mark a cell at most softens the half
    assert {local(site.timezone, mark).isoweekday() for mark in marks} == {1, 2, 3, 4, 5}


def test_night_offices_reach_into_the_next_day() -> None:
    site = Site(8, hours=((0, week({"mon-fri": "20:00-30:00"})),), vagaries=PUNCTUAL)
    routine = Routine(Cloud(interactions=12, lunch=None, stray=0, quiet_spell=0), site, 8)
    zone = site.timezone
    saturday = at(zone, 2026, 6, 13, 1), at(zone, 2026, 6, 13, 12)
    listed = routine.marks("read", *saturday)
    assert {local(zone, mark).hour for mark in listed} == {1, 2, 3, 4, 5}
    mark = routine.marks_at(at(zone, 2026, 6, 13, 5, 55)).read
    assert mark is not None
    assert local(zone, mark).hour in {4, 5}
    assert at(zone, 2026, 6, 13, 6) - (routine.marks_at(at(zone, 2026, 6, 15, 19)).read or 0) < 3600


@pytest.mark.parametrize("day", [(2026, 3, 8), (2026, 11, 1)])
def test_hours_are_wall_clock_when_the_clocks_change(day: tuple[int, int, int]) -> None:
    site = Site(8, hours=((0, week({"mon-sun": "08:00-17:00"})),), vagaries=PUNCTUAL)
    ((opens, closes),) = site.day(date(*day).toordinal()).open
    assert opens == at(site.timezone, *day, 8)
    assert closes == at(site.timezone, *day, 17)


def test_batches_run_at_their_times_only() -> None:
    site = Site(9, vagaries=PUNCTUAL)
    routine = Routine(Batch((480, 780)), site, 9)
    start = at(site.timezone, 2026, 6, 8)
    times = [local(site.timezone, t) for t in routine.marks("read", start, start + 7 * 86400)]
    assert {(t.isoweekday(), t.hour) for t in times} == {
        (d, h) for d in range(1, 6) for h in (8, 13)
    }
    assert all(t.minute < 12 for t in times)


def test_outages_stop_their_direction_only_and_end() -> None:
    start = at("America/New_York", 2026, 6, 9, 10)
    troubles = Troubles(fixed=(Outage(start, start + 7200, ("read",)),))
    routine = Routine(Server(), Site(1, vagaries=PUNCTUAL), 1, troubles)
    during = routine.marks_at(start + 7199)
    assert during.read is not None
    assert during.write is not None
    assert start - 1200 < during.read < start
    assert during.write > start + 6500
    assert (routine.marks_at(start + 7200 + 1200).read or 0) > start + 7200


def test_an_office_abandoned_long_ago_keeps_its_last_mark() -> None:
    start = at("America/New_York", 2024, 6, 4, 10)
    troubles = Troubles(fixed=(Outage(start, float("inf")),))
    marks = Routine(Server(), Site(1), 1, troubles).marks_at(at("America/New_York", 2026, 6, 9))
    assert marks.read is not None
    assert start - 1200 < marks.read < start


@pytest.mark.parametrize(
    ("when", "why"),
    [
        (date(2026, 12, 25), Why.HOLIDAY),
        (date(2026, 11, 26), Why.HOLIDAY),
        (date(2026, 7, 3), Why.HOLIDAY),
        (date(2026, 10, 12), Why.OPEN),
        (date(2026, 6, 13), Why.NO_HOURS),
        (date(2026, 8, 3), Why.VACATION),
    ],
)
def test_days_on_which_a_punctual_office_rests(when: date, why: Why) -> None:
    site = Site(1, vagaries=PUNCTUAL, closures=frozenset({date(2026, 8, 3).toordinal()}))
    assert site.day(when.toordinal()).why is why


def test_vagaries_come_about_as_often_as_they_say() -> None:
    vagaries = Vagaries(sudden_closure=0.02, half_day=0.03, vacations_a_year=2)
    first = date(2026, 1, 1).toordinal()
    whys = [
        Site(seed, vagaries=vagaries).day(first + day).why
        for seed in range(60)
        for day in range(364)
    ]
    working = 60 * 52 * 5
    assert 0.013 < whys.count(Why.SUDDEN) / working < 0.025
    assert 0.02 < whys.count(Why.HALF_DAY) / working < 0.04
    # Two vacations of 5.5 days on average, 5/7 of which would have been worked.
    assert 4 < whys.count(Why.VACATION) / 60 < 11


def test_hours_change_on_their_day() -> None:
    change = date(2026, 3, 2).toordinal()
    hours = ((0, week({"mon-fri": "08:00-17:00"})), (change, week({"mon-thu": "10:00-19:00"})))
    site = Site(1, hours=hours, vagaries=PUNCTUAL)
    opening = local(site.timezone, site.day(change).open[0][0])
    assert (opening.hour, site.day(change + 4).why) == (10, Why.NO_HOURS)
    assert site.day(change - 3).why is Why.OPEN


def test_hazards_strike_as_often_and_as_long_as_they_say() -> None:
    year = 365 * 86400.0
    start = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    found = [
        outage
        for seed in range(300)
        for outage in Hazard(seed, a_year=2, hours=(2, 48)).within(start, start + year)
    ]
    assert 1.7 < len(found) / 300 < 2.3
    assert all(2 * 3600 <= outage.end - outage.start <= 48 * 3600 for outage in found)
    one_way = sum(len(outage.directions) == 1 for outage in found) / len(found)
    assert 0.33 < one_way < 0.47
