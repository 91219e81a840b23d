"""Made-up offices for benchmarks: any number, as large and as varied as real ones.

Every second institution has two syncs, two thirds of the syncs run on servers. What does not
matter is drawn by number, so that every process makes the same ones.
"""

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from nexhealth_exporter.expectation.deriving import derived
from nexhealth_exporter.expectation.evidence import Evidence
from nexhealth_exporter.expectation.learned import Learned, first_met
from nexhealth_exporter.expectation.looks import WEEKS_KEPT
from nexhealth_exporter.expectation.pattern import Pattern
from nexhealth_exporter.expectation.quiet import Quiet
from nexhealth_exporter.expectation.record import Record
from nexhealth_exporter.expectation.slots import SLOTS, slot_of
from nexhealth_exporter.fleet import Fleet, Policy, SyncMemory
from nexhealth_exporter.model import Institution, IntegrationType, Inventory, Location, Poll, Sync
from nexhealth_exporter.policy import Defaults, policy
from nexhealth_exporter.rules import Rules
from nexhealth_exporter.simulator import Office
from nexhealth_exporter.simulator.answers import iso
from nexhealth_exporter.simulator.offices import DENTRIX, DENTRIX_ASCEND, Marks
from nexhealth_exporter.simulator.offices import Location as Place
from nexhealth_exporter.simulator.offices import Sync as Source
from nexhealth_exporter.state import StateFile

SYNCS_EACH = 1.5
"""Of an institution, on average."""

SERIES_EACH = 31.5
"""Of an institution, on average; a fleet that rests has some more."""

ZONES = ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles")
DAY, WEEK = 86400.0, 7 * SLOTS
SAMPLES = 600
"""Different records; every office has one of its own that is equal to one of them."""

PERIODS = (60, 120, 300, 420, 900, 1800)
"""Seconds after which marks move."""


def institutions_of(syncs: int) -> int:
    """How many institutions have so many syncs."""
    return round(syncs / SYNCS_EACH)


def standard_policy() -> Policy:
    """The exporter's own, without a configuration file."""
    return policy(Rules(), Defaults("America/New_York", "US", DAY, 30 * DAY))


def _kind(i: int) -> IntegrationType:
    return IntegrationType.SERVER if i % 3 else IntegrationType.CLOUD


def _name(i: int, j: int) -> str:
    return f"Dentrix #{2 * i + j}"


@dataclass(frozen=True, slots=True)
class Moving:
    """Marks that move every so many seconds, office by office at another second."""

    number: int

    def marks_at(self, t: float) -> Marks:
        """The newest multiples of its periods."""
        i = self.number
        read, write = PERIODS[i % len(PERIODS)], PERIODS[i % (len(PERIODS) - 2)]
        return Marks(t - (t + i) % read, t - (t + 7 * i) % write)


def offices(count: int) -> Iterator[Office]:
    """What the simulated API knows of them."""
    for i in range(count):
        emr = DENTRIX if i % 3 else DENTRIX_ASCEND
        places = tuple(Place(2 * i + j, f"Site {j}", ZONES[i % 4]) for j in range(1 + i % 2))
        syncs = tuple(
            Source(_name(i, j), emr, Moving(2 * i + j), (2 * i + j,)) for j in range(1 + i % 2)
        )
        yield Office(i, f"smile-office-{i}", f"Smile Office {i}", syncs, places)


def inventory(count: int) -> Inventory:
    """The same as the exporter knows them."""
    return Inventory(
        {
            f"smile-office-{i}": Institution(
                f"smile-office-{i}",
                id=i,
                name=f"Smile Office {i}",
                country="US",
                locations=tuple(Location(2 * i + j, ZONES[i % 4]) for j in range(1 + i % 2)),
            )
            for i in range(count)
        }
    )


def polls(some: range, at: float) -> Iterator[Poll]:
    """Good polls of them, just before `at`; each mark has moved within the last half hour."""
    for i in some:
        yield Poll(
            f"smile-office-{i}",
            at - i % 300,
            tuple(
                Sync(
                    _name(i, j),
                    _kind(i),
                    "Dentrix",
                    *Moving(2 * i + j).marks_at(at - i % 300),
                    read_up=True,
                    write_up=True,
                    locations=(Location(2 * i + j),),
                )
                for j in range(1 + i % 2)
            ),
        )


def fleet_after(count: int, at: float, known: Fleet | None = None) -> Fleet:
    """The fleet after everybody was polled once."""
    of = standard_policy()
    watching = (known or Fleet()).watching(inventory(count), of)
    return watching.after(polls(range(count), at), of)


ADDRESS: Mapping[str, Any] = {
    "street_address": "12 Elm Street",
    "street_address_2": "",
    "city": "Springfield",
    "state": "NY",
    "zip_code": "10001",
    "phone_number": "+15550100",
    "email": "desk@office.invalid",
    "inactive": False,
}


def answer(count: int, at: float) -> bytearray:
    """What the API answers about all of them at that instant."""
    return bytearray(
        json.dumps(
            {"code": True, "data": list(_entries(polls(range(count), at)))}, separators=(",", ":")
        ).encode()
    )


def _entries(of: Iterable[Poll]) -> Iterator[dict[str, Any]]:
    for i, poll in enumerate(of):
        for sync in poll.syncs or ():
            yield {
                "institution_id": i,
                "sync_source_type": "DataSource",
                "sync_source_name": sync.name,
                "emr": {
                    "id": 11,
                    "name": "dentrix",
                    "display_name": "Dentrix",
                    "type": "onprem" if i % 3 else "cloud",
                },
                "read_status": "green",
                "read_status_at": iso(sync.read_at),
                "write_status": "green",
                "write_status_at": iso(sync.write_at),
                "locations": [
                    {"id": loc.id, "name": "Default", **ADDRESS} for loc in sync.locations
                ],
            }


def with_past(count: int, at: float) -> Fleet:
    """A fleet that remembers weeks of each of them, and watches nobody yet."""
    records = _records(at)
    return Fleet(
        remembered={
            f"smile-office-{i}": {
                _name(i, j): SyncMemory(
                    _of_office(records[(2 * i + j) % SAMPLES], i, j, at), at - 300
                )
                for j in range(1 + i % 2)
            }
            for i in range(count)
        }
    )


def _of_office(record: Learned, i: int, j: int, at: float) -> Learned:
    """That record as the office's own: by its clock, with the marks of the last poll.

    Without marks, the first poll after a restart would find syncs that are met for the first time;
    in another zone, it would derive every pattern again. Neither happens in production.
    """
    marks = Moving(2 * i + j).marks_at(at - 300)
    read, write = marks.read, marks.write
    return replace(
        record,
        pattern=_pattern_of_office(record, 2 * i + j),
        zone=ZONES[i % 4],
        read=read,
        write=write,
        read_seen=at - 300,
        write_seen=at - 300,
    )


def _pattern_of_office(record: Learned, number: int) -> Pattern | None:
    """The record's pattern, with another activity in one hour: no two real ones are equal."""
    if record.pattern is None:
        return None
    week = record.pattern.week
    hour, percent = divmod(number, 100)
    activity = bytearray(week.activity)
    activity[hour % len(activity)] = percent
    return replace(record.pattern, packed=replace(week, activity=bytes(activity)).packed())


def write_past(path: Path, count: int, at: float) -> None:
    """The same as a state file."""
    with closing(StateFile(path)) as state:
        state.save(with_past(count, at))


@cache
def _records(at: float) -> list[Learned]:
    """What weeks of watching different syncs taught."""
    return [_record(random.Random(number), at) for number in range(SAMPLES)]  # noqa: S311


def _record(draw: random.Random, at: float) -> Learned:
    met = first_met(at - WEEKS_KEPT * 7 * DAY, ZONES[0])
    base = first_met(at, ZONES[0]).record.base
    now = slot_of(at, ZONES[0])
    kind = draw.choice((IntegrationType.SERVER, IntegrationType.CLOUD))
    opens, closes, is_always_on = (
        draw.randrange(13, 18),
        draw.randrange(32, 40),
        not draw.randrange(5),
    )
    active = silent = reads = writes = 0
    for slot in range(now - base):
        day, hour = divmod(slot, SLOTS)
        is_open = day % 7 < 5 + draw.randrange(2) and opens <= hour < closes + draw.randrange(3)
        if is_always_on or is_open:
            active |= 1 << slot
            reads |= (not draw.randrange(9)) << slot
            writes |= (not draw.randrange(30)) << slot
        else:
            silent |= 1 << slot
    quiets = tuple(
        tuple(Quiet((base + 48 * d) // SLOTS, draw.randrange(1800, 9000)) for d in range(6))
        for _ in range(2)
    )
    today = now // SLOTS
    evidence = Evidence(
        base // SLOTS, active, silent, 0, (reads, writes), quiets, (0, 0), (active, active)
    )
    record = Record(base, active, silent, 0, (reads, writes), (quiets[0], quiets[1]))
    return replace(
        met,
        packed=record.packed(),
        made_on=today,
        pattern=derived(evidence, today, lambda _: False, kind, None),
    )
