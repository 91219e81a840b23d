"""Worlds: the same from the same seed, rich, and recorded with the truth beside."""

import gzip
import json
import resource
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from nexhealth_exporter.model import Institution, IntegrationType
from nexhealth_exporter.rules import read
from nexhealth_exporter.simulator import World, plain_offices
from nexhealth_exporter.simulator.behaviour import Routine
from nexhealth_exporter.simulator.fleets import Mix, mixed_fleet
from nexhealth_exporter.simulator.habits import Batch, Cloud, Power, Server
from nexhealth_exporter.simulator.record import observations, write_observations, write_truth
from nexhealth_exporter.simulator.site import Vagaries, Why
from nexhealth_exporter.simulator.wallclock import day_of, midnight
from nexhealth_exporter.simulator.world import TESTING_SEEDS, TUNING_SEEDS

START = datetime(2026, 2, 23, tzinfo=UTC).timestamp()
DAY = 86400.0


def routines(world: World) -> list[Routine]:
    return [s.behaviour for o in world.offices for s in o.syncs if isinstance(s.behaviour, Routine)]


@pytest.fixture(scope="module")
def world() -> World:
    return World(7, 40, START, 21, history=7)


@pytest.fixture(scope="module")
def truth(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("world") / "truth.json"
    write_truth(world, path)
    return dict(json.loads(path.read_bytes()))


def test_no_seed_is_for_tuning_and_for_testing() -> None:
    assert not set(TUNING_SEEDS) & set(TESTING_SEEDS)


def test_observations_are_what_the_api_would_have_told(world: World, tmp_path: Path) -> None:
    path = tmp_path / "observations.jsonl"
    number = write_observations(world.offices, path, start=START, end=START + 2 * DAY, step=1800)
    syncs = {(o.subdomain, s.name): s for o in world.offices for s in o.syncs}
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert number == len(lines) == 96 * len(syncs)
    times = [line["at"] for line in lines]
    assert times == sorted(times)
    assert times[0] == "2026-02-23T00:00:00Z"
    for line in lines[::7]:
        at = datetime.fromisoformat(line["at"]).timestamp()
        sync = syncs[line["institution"], line["sync"]]
        told = sync.behaviour.marks_at(at)
        assert line["emr_type"] == sync.emr.type
        for way, red_after in (("read", 9000), ("write", 1500)):
            mark = getattr(told, way)
            written = datetime.fromisoformat(line[f"{way}_at"]).timestamp()
            assert mark - 0.0011 <= written <= mark
            colour = "green" if at - mark <= red_after else "red"
            assert line[f"{way}_status"] == colour


def test_any_offices_can_be_recorded_and_packed(tmp_path: Path) -> None:
    offices = plain_offices(3)
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        assert write_observations(offices, tmp_path / name, start=START, end=START + DAY) == 864
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    with gzip.open(tmp_path / "a.jsonl.gz", "rt") as file:
        assert json.loads(next(file))["read_at"] == "2026-02-23T00:00:00.000Z"
    seen = list(observations(offices, START, START + 600))
    assert [(o.at - START, o.office.subdomain) for o in seen] == [
        (at, f"office-{n}") for at in (0, 300) for n in (1, 2, 3)
    ]


def test_the_truth_tells_why_marks_stand_still(world: World, truth: dict[str, Any]) -> None:
    """Whoever knows the truth can explain each long silence of a server."""
    explained = 0
    for told, routine in zip(truth["syncs"], routines(world), strict=True):
        if not told["habit"].startswith("server"):
            continue
        up = told["up"]["read"]
        marks = routine.marks("read", world.start, world.end)
        for before, after in pairwise(marks):
            if after - before <= 2 * routine.habit.read_cell:
                continue
            explained += 1
            rests = [(a[1], b[0]) for a, b in pairwise(up)]
            broken = [(o["from"], o["to"]) for o in told["outages"] if "read" in o["directions"]]
            assert any(a < after and b > before for a, b in rests + broken)
    assert explained > 100


def test_no_mark_falls_into_an_outage_or_a_closure(world: World, truth: dict[str, Any]) -> None:
    outages = 0
    for told, routine in zip(truth["syncs"], routines(world), strict=True):
        for outage in told["outages"]:
            outages += 1
            for way in outage["directions"]:
                assert not routine.marks(way, outage["from"], outage["to"])
        if told["habit"] == "server nights-off":
            for closure in told["closures"]:
                day = date.fromisoformat(closure["day"]).toordinal()
                marks = routine.marks("read", world.start, world.end)
                # A machine left on the evening before may run into the morning.
                nine = midnight(told["timezone"], day) + 9 * 3600
                night = midnight(told["timezone"], day + 1)
                assert not [mark for mark in marks if nine < mark < night]
    assert outages > 5


def test_open_windows_are_the_people_and_the_people_keep_the_hours(
    world: World, truth: dict[str, Any]
) -> None:
    for told, routine in zip(truth["syncs"], routines(world), strict=True):
        assert told["open"] == sorted(told["open"])
        assert all(start < end for start, end in told["open"])
        days = {day_of(told["timezone"], start) for start, _ in told["open"]}
        assert all(routine.site.week(day)[(day + 6) % 7] for day in days)


def test_a_server_is_not_meant_to_run_through_a_night_in_which_it_was_forgotten(
    truth: dict[str, Any],
) -> None:
    forgotten = 0.0
    for told in truth["syncs"]:
        up, meant = ([tuple(span) for span in told[word]["read"]] for word in ("up", "meant"))
        if told["habit"] != "server nights-off":
            assert up == meant
            continue
        assert all(any(a <= start and end <= b for a, b in up) for start, end in meant)
        forgotten += sum(b - a for a, b in up) - sum(b - a for a, b in meant)
    assert forgotten > 8 * 3600


def test_announced_closures_are_a_configuration_file() -> None:
    world = World(7, 12, START, 60, mix=Mix(vagaries=Vagaries(vacations_a_year=4)))
    rules = read(world.configuration(), "world.yaml")
    announced = {
        (told["institution"], closure["day"])
        for told in world.truths()
        for closure in told["closures"]
        if closure["announced"]
    }
    configured = {
        (office.subdomain, first.isoformat())
        for office in world.offices
        for first, _ in rules.for_sync(
            Institution(office.subdomain), ("", IntegrationType.CLOUD)
        ).closures
    }
    assert configured == announced
    assert len(announced) > 10


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        world = World(3, 5, START, 2)
        write_observations(
            world.offices, tmp_path / name, start=world.start, end=world.end, step=900
        )
        write_truth(world, tmp_path / f"{name}.truth")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a.truth").read_bytes() == (tmp_path / "b.truth").read_bytes()
    other = World(4, 5, START, 2)
    write_observations(other.offices, tmp_path / "c", start=other.start, end=other.end, step=900)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_a_large_world_has_every_kind_of_office() -> None:
    world = World(11, 1500, START, 200)
    found = routines(world)
    assert {r.habit.power for r in found if isinstance(r.habit, Server)} == set(Power)
    assert sum(isinstance(r.habit, Cloud) for r in found) > 500
    assert sum(isinstance(r.habit, Batch) for r in found) > 20
    assert 0.03 < sum(len(r.site.hours) > 1 for r in found) / len(found) < 0.07
    weekends = [r for r in found if r.site.hours[0][1][6] and not r.site.hours[0][1][0]]
    nights = [r for r in found if any(b > 1440 for d in r.site.hours[0][1] for _, b in d)]
    assert weekends
    assert nights
    assert sum(len(o.syncs) > 1 for o in world.offices) > 60
    sites = [o.syncs[0].behaviour.site for o in world.offices]  # type: ignore[attr-defined]
    assert len({id(site) for site in sites}) < len(sites) - 20
    assert len({r.site.timezone for r in found}) >= 6
    days = range(day_of("UTC", START), day_of("UTC", START) + 200)
    assert {site.day(day).why for site in sites[:60] for day in days} >= {
        Why.OPEN, Why.NO_HOURS, Why.HOLIDAY, Why.VACATION, Why.SUDDEN, Why.HALF_DAY,
    }  # fmt: skip


def test_an_incident_stops_many_syncs_of_one_type_at_once() -> None:
    world = World(2, 120, START, 330)
    struck = [
        incident for incident in world.facts()["incidents"] if incident["emr_type"] == "onprem"
    ]
    assert struck
    middle = struck[0]["from"] + 60
    silent = {"onprem": 0, "cloud": 0}
    total = dict.fromkeys(silent, 0)
    for office in world.offices:
        for sync in office.syncs:
            assert isinstance(sync.behaviour, Routine)
            kind = str(sync.emr.type)
            total[kind] += 1
            outage = sync.behaviour.troubles.covering("read", middle)
            silent[kind] += outage is not None and outage.kind == "incident"
    assert 0.65 < silent["onprem"] / total["onprem"] < 0.95
    assert silent["cloud"] == 0


def test_a_line_takes_both_syncs_of_an_institution_down_together() -> None:
    mix = Mix(second_sync=1, line_outages_a_year=13, outages_a_year=0, machine_outages_a_year=0)
    (office,) = mixed_fleet(1, seed=5, mix=mix)
    one, other = (s.behaviour for s in office.syncs)
    assert isinstance(one, Routine)
    assert isinstance(other, Routine)
    year = (START, START + 365 * DAY)
    lines = [o for o in one.troubles.within(*year) if o.kind == "line"]
    assert len(lines) >= 8
    assert lines == [o for o in other.troubles.within(*year) if o.kind == "line"]


def test_asking_thousands_of_offices_is_cheap() -> None:
    offices = mixed_fleet(2000, seed=1)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    for office in offices:
        for sync in office.syncs:
            sync.behaviour.marks_at(START)
    # About 0.2 s alone on one core; ten times that would be another algorithm.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - used < 2
