"""Writes what an exporter would have observed of offices, and the truth about a world.

Observations are JSON lines ordered by time, one per sync and step. Memory is bounded: marks are
made for a few hours at a time, the truth for one sync at a time.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
from isal import igzip

from nexhealth_exporter.simulator.answers import READ_RED_AFTER, WRITE_RED_AFTER, colour, iso
from nexhealth_exporter.simulator.behaviour import Routine
from nexhealth_exporter.simulator.offices import Direction, Office, Sync
from nexhealth_exporter.simulator.world import World

_STRETCH = 6 * 3600.0
"""Seconds for which marks are made at once."""


class _Sink(Protocol):
    """A writable file."""

    def write(self, data: bytes, /) -> int | None:
        """Write them."""


class Observation(NamedTuple):
    """What one poll at `at` reported about one sync; instants are POSIX seconds."""

    at: float
    office: Office
    sync: Sync
    read: float | None
    write: float | None


def observations(
    offices: Iterable[Office], start: float, end: float, step: float = 300.0
) -> Iterator[Observation]:
    """Every sync at every `step` seconds from `start` until before `end`, ordered by time."""
    for at, row in _rows(list(offices), start, end, step):
        for tape in row:
            yield Observation(at, tape.office, tape.sync, tape.read.mark, tape.write.mark)


def write_observations(
    offices: Iterable[Office], path: Path, *, start: float, end: float, step: float = 300.0
) -> int:
    """Write the observations as JSON lines, gzipped for `.gz`; returns how many."""
    number = 0
    with _opened(path) as file:
        for at, tapes in _rows(list(offices), start, end, step):
            prefix = f'{{"at":"{_second(at)}",'
            file.write("".join([prefix + tape.line(at) for tape in tapes]).encode())
            number += len(tapes)
    return number


def write_truth(world: World, path: Path) -> None:
    """Write one JSON object: the world's facts, and `syncs` with the truth about each."""
    with _opened(path) as file:
        file.write(msgspec.json.encode(world.facts())[:-1] + b',"syncs":[')
        for number, truth in enumerate(world.truths()):
            file.write((b"," if number else b"") + b"\n" + msgspec.json.encode(truth))
        file.write(b"\n]}\n")


def _rows(
    offices: list[Office], start: float, end: float, step: float
) -> Iterator[tuple[float, list["_Tape"]]]:
    tapes = [_Tape(office, sync) for office in offices for sync in office.syncs]
    number, filled = 0, start
    while (at := start + number * step) < end:
        if at >= filled:
            filled = at + _STRETCH
            for tape in tapes:
                tape.fill(at, filled)
        for tape in tapes:
            tape.advance(at)
        yield at, tapes
        number += 1


class _Reel:
    """The marks of one direction for a stretch, read forwards."""

    def __init__(self, sync: Sync, direction: Direction) -> None:
        self._sync = sync
        self._direction = direction
        self._marks: list[float] = []
        self._next = 0
        self.mark: float | None = None
        self.text = "null"

    def fill(self, start: float, end: float) -> None:
        behaviour = self._sync.behaviour
        self._set(getattr(behaviour.marks_at(start), self._direction))
        if isinstance(behaviour, Routine):
            # marks_at already gave the mark at `start` itself, if there is one.
            self._marks = [m for m in behaviour.marks(self._direction, start, end) if m > start]
        self._next = 0

    def advance(self, at: float) -> None:
        if not isinstance(self._sync.behaviour, Routine):
            self._set(getattr(self._sync.behaviour.marks_at(at), self._direction))
            return
        marks, number = self._marks, self._next
        while number < len(marks) and marks[number] <= at:
            number += 1
        if number > self._next:
            self._next = number
            self._set(marks[number - 1])

    def _set(self, mark: float | None) -> None:
        if mark != self.mark:
            self.mark = mark
            self.text = "null" if mark is None else f'"{iso(mark)}"'


class _Tape:
    """One sync while it is recorded."""

    def __init__(self, office: Office, sync: Sync) -> None:
        self.office = office
        self.sync = sync
        self.read = _Reel(sync, "read")
        self.write = _Reel(sync, "write")
        zones = {place.id: place.timezone for place in office.locations}
        known = [zones[number] for number in sync.locations if number in zones]
        fixed = {
            "institution": office.subdomain,
            "sync": sync.name,
            "emr_type": sync.emr.type,
            "timezone": known[0] if known else None,
        }
        self._fixed = msgspec.json.encode(fixed).decode()[1:]

    def fill(self, start: float, end: float) -> None:
        self.read.fill(start, end)
        self.write.fill(start, end)

    def advance(self, at: float) -> None:
        self.read.advance(at)
        self.write.advance(at)

    def line(self, at: float) -> str:
        """The JSON object after `at`, with its newline."""
        read, write = self.read, self.write
        return (
            f'{self._fixed[:-1]},"read_at":{read.text},"write_at":{write.text},'
            f'"read_status":"{colour(read.mark, at, READ_RED_AFTER)}",'
            f'"write_status":"{colour(write.mark, at, WRITE_RED_AFTER)}"}}\n'
        )


def _second(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def _opened(path: Path) -> Iterator[_Sink]:
    if path.suffix == ".gz":
        # No name and no time in the header, so that the same world gives the same bytes.
        with (
            path.open("wb") as raw,
            igzip.IGzipFile(  # type: ignore[no-untyped-call]
                "", "wb", 2, raw, mtime=0
            ) as packed,
        ):
            yield packed
    else:
        with path.open("wb") as file:
            yield file
