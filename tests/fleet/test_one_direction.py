"""Incidents of the vendor in which reads stop while writes go on, or writes while reads go on."""

import math
from collections.abc import Mapping, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as altered

from nexhealth_exporter.expectation.incident import is_held_back
from nexhealth_exporter.expectation.schedule import HOUR, MINUTE
from nexhealth_exporter.model import IntegrationType, Operation, Severity
from nexhealth_exporter.rules import read
from tests.expectation.conftest import at
from tests.fleet.conftest import ALWAYS_ON, DAY, SERVER, World, marked, office

TEN = at("2026-03-04 10:00")  # a Wednesday
NAMES = [f"office-{i}" for i in range(20)]


@pytest.mark.parametrize("silent", [Operation.READ, Operation.WRITE])
def test_one_direction_that_stops_in_a_third_of_the_fleet_is_a_fleet_incident(
    world: World, silent: Operation
) -> None:
    world.configure(ALWAYS_ON)
    names = [f"office-{i}" for i in range(40)]
    world.watch(*(office(name) for name in names))

    def poll(minutes: float, stopped: int) -> None:
        now = TEN + minutes * MINUTE
        for position, name in enumerate(names):
            mark = TEN if position < stopped else now
            marks = (mark, now) if silent is Operation.READ else (now, mark)
            world.poll(now, marked(SERVER, *marks), institution=name)
        world.fleet = world.fleet.with_incidents()

    half = TEN + 22.5 * MINUTE
    poll(22, stopped=40)
    assert world.fleet.incidents == {}
    poll(24, stopped=12)
    assert world.fleet.incidents == {"server": half}
    poll(300, stopped=12)
    assert world.fleet.incidents == {"server": half}
    assert is_held_back(world.sync("office-0").judgement(silent).deadline[Severity.CRITICAL], half)
    poll(301, stopped=5)
    assert world.fleet.incidents == {}
    # Who is silent still has its whole allowance again, and its own page after it.
    assert world.overdue("office-0") is None
    poll(301 + 239, stopped=5)
    assert world.overdue("office-0") == Severity.WARNING
    poll(301 + 240, stopped=5)
    assert world.overdue("office-0") == Severity.CRITICAL
    assert world.fleet.incidents == {}


def test_reads_here_and_writes_there_are_no_fleet_incident(world: World) -> None:
    world.configure(ALWAYS_ON)
    now = TEN + HOUR
    for i in range(18):
        marks = (TEN, now) if i % 2 else (now, TEN)
        world.poll(now, marked(SERVER, *marks), institution=f"office-{i}")

    assert world.fleet.with_incidents().incidents == {}


@pytest.mark.parametrize("looks", [(30, 60, 120, 600), (90,), (600,)])
def test_an_incident_keeps_its_start_when_the_other_direction_stops_too(
    world: World, looks: Sequence[int]
) -> None:
    world.configure(ALWAYS_ON)
    for minutes in looks:
        now = TEN + minutes * MINUTE
        for name in NAMES:
            sync = marked(SERVER, TEN, min(now, TEN + HOUR))
            world.poll(now, sync, institution=name)
        world.fleet = world.fleet.with_incidents()
        assert world.fleet.incidents == {"server": TEN + 22.5 * MINUTE}


def test_closed_offices_and_a_few_that_do_not_read_are_no_fleet_incident(world: World) -> None:
    world.configure(ALWAYS_ON)
    now = TEN + HOUR

    def poll(closed: int, without_reads: int) -> Mapping[IntegrationType, float]:
        for i, name in enumerate(NAMES):
            read_at = TEN if i < closed + without_reads else now
            write_at = TEN if i < closed else now
            world.poll(now, marked(SERVER, read_at, write_at), institution=name)
        world.fleet = world.fleet.with_incidents()
        return world.fleet.incidents

    assert poll(closed=9, without_reads=8) == {}
    assert poll(closed=9, without_reads=9) == {"server": TEN + 22.5 * MINUTE}


@pytest.mark.parametrize("silent", [Operation.READ, Operation.WRITE])
def test_directions_that_were_dead_before_an_incident_do_not_prolong_it(
    world: World, silent: Operation
) -> None:
    world.configure(ALWAYS_ON)
    names = [f"office-{i}" for i in range(40)]
    dead = TEN - 3 * DAY

    def poll(minutes: float, stopped: int) -> Mapping[IntegrationType, float]:
        now = TEN + minutes * MINUTE
        for i, name in enumerate(names):
            marks = (TEN, TEN) if 7 <= i < 7 + stopped else (now, now)
            if i < 7:
                marks = (dead, now) if silent is Operation.READ else (now, dead)
            world.poll(now, marked(SERVER, *marks), institution=name)
        world.fleet = world.fleet.with_incidents()
        return world.fleet.incidents

    assert poll(0, stopped=0) == {}
    assert poll(60, stopped=12) == {"server": TEN + 22.5 * MINUTE}
    assert poll(61, stopped=6) == {"server": TEN + 22.5 * MINUTE}
    assert poll(62, stopped=5) == {}


@pytest.mark.parametrize("silent", [Operation.READ, Operation.WRITE])
def test_directions_that_die_one_by_one_are_no_fleet_incident(
    world: World, silent: Operation
) -> None:
    world.configure(ALWAYS_ON)
    for i, name in enumerate(NAMES):
        mark = TEN - i * HOUR if i < 12 else TEN + HOUR
        marks = (mark, TEN + HOUR) if silent is Operation.READ else (TEN + HOUR, mark)
        world.poll(TEN + HOUR, marked(SERVER, *marks), institution=name)

    assert world.fleet.with_incidents().incidents == {}


@pytest.mark.parametrize("silent", [Operation.READ, Operation.WRITE])
def test_directions_that_nobody_uses_are_no_fleet_incident(world: World, silent: Operation) -> None:
    world.configure(ALWAYS_ON)

    def poll(now: float, unused: float | None, used: float) -> Mapping[IntegrationType, float]:
        marks = (unused, used) if silent is Operation.READ else (used, unused)
        sync = altered(SERVER, read_at=marks[0], write_at=marks[1])
        for name in NAMES:
            world.poll(now, sync, institution=name)
        world.fleet = world.fleet.with_incidents()
        return world.fleet.incidents

    assert poll(TEN, None, TEN) == {}
    assert poll(TEN + DAY, None, TEN + DAY) == {}
    last = TEN + 2 * DAY
    assert poll(last, TEN - 14 * DAY, last) == {}
    # Once the direction in use stops too, the vendor has an incident.
    assert poll(last + HOUR, TEN - 14 * DAY, last) == {"server": last + 22.5 * MINUTE}


@given(
    ages=st.lists(st.tuples(st.floats(0, 90), st.floats(0, 90)), min_size=12, max_size=40),
    order=st.randoms(use_true_random=False),
)
def test_an_incident_follows_from_the_marks_whoever_is_asked_first(
    ages: list[tuple[float, float]], order: Random
) -> None:
    now = TEN + 2 * HOUR
    marks = {f"office-{i}": [now - m * MINUTE for m in pair] for i, pair in enumerate(ages)}

    def begun(names: Sequence[str], *looks: float) -> Mapping[IntegrationType, float]:
        world = World(read(ALWAYS_ON, "config.yaml"))
        world.watch(*map(office, names))
        for look in looks:
            for name in names:
                read_at, write_at = (min(mark, look) for mark in marks[name])
                world.poll(look, marked(SERVER, read_at, write_at), institution=name)
            world.fleet = world.fleet.with_incidents()
        return world.fleet.incidents

    found = begun(list(marks), now)
    shuffled = list(marks)
    order.shuffle(shuffled)
    assert begun(shuffled, now) == found
    looks = [now - age * MINUTE for age in range(60, 0, -10)]
    assert begun(shuffled, *looks, now) == found

    both = sorted(min(pair) for pair in ages)
    together = [now + (22.5 - age) * MINUTE for age in reversed(both) if age >= 22.5]
    needed = max(10, math.ceil(0.3 * len(ages)))
    if len(together) >= needed:
        # What stops in both directions is an incident, at the latest when it has in both.
        assert found[IntegrationType.SERVER] <= together[needed - 1] + 1e-3
