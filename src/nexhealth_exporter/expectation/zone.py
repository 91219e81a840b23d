"""Local time of a zone as pieces of constant offset, exact across every change of clocks."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from nexhealth_exporter.expectation.schedule import DAY


class Piece(NamedTuple):
    """From `start` until `end` (UTC) local wall time is UTC plus `offset` seconds."""

    start: float
    end: float
    offset: float


@cache
def _known_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def is_zone(name: str | None) -> bool:
    """True for a name in the zone database. Checked by name, so no path is ever opened."""
    return name is not None and name in _known_zones()


@lru_cache(maxsize=8192)
def pieces_of_day(zone: str, day: int) -> tuple[Piece, ...]:
    """The pieces of the UTC day number `day` (days since 1970): one, or two on a change."""
    start, end = float(day * DAY), float((day + 1) * DAY)
    return tuple(_pieces(zone, start, end))


def pieces_between(zone: str, start: float, end: float) -> Iterator[Piece]:
    """The pieces of UTC days from one instant to another."""
    for day in range(int(start // DAY), int(end // DAY) + 1):
        for piece in pieces_of_day(zone, day):
            begin, stop = max(piece.start, start), min(piece.end, end)
            if begin < stop:
                yield Piece(begin, stop, piece.offset)


@lru_cache(maxsize=8192)
def start_of_day(zone: str, day: int) -> float:
    """When the wall clock first shows a local day (since 1970) or a later one.

    Clocks that go back over midnight do not bring the day before back, and a day that a country
    skips has no length.
    """
    midnight = float(day * DAY)
    around = (piece for near in (day - 1, day, day + 1) for piece in pieces_of_day(zone, near))
    found = next(piece for piece in around if piece.end + piece.offset > midnight)
    return max(found.start, midnight - found.offset)


def day_at(zone: str, at: float) -> int:
    """The local day (since 1970) that has started at that instant, and the next one has not."""
    day, starts = _days_within(zone, int(at // DAY))
    for start in starts:
        if at >= start:
            day += 1
    return day


@lru_cache(maxsize=8192)
def _days_within(zone: str, day: int) -> tuple[int, tuple[float, ...]]:
    """The local day at the start of a UTC day, and when later ones start within it."""
    begin, end = day * DAY, (day + 1) * DAY
    starts = [(start_of_day(zone, local), local) for local in range(day - 1, day + 3)]
    first = max(local for start, local in starts if start <= begin)
    return first, tuple(start for start, _ in starts if begin < start < end)


def piece_at(zone: str, at: float) -> Piece:
    """The piece of its UTC day in which the instant lies."""
    for piece in pieces_of_day(zone, int(at // DAY)):
        if at < piece[1]:
            return piece
    raise ValueError(at)  # pragma: no cover - pieces cover the day


def local_second(zone: str, at: float) -> float:
    """Seconds of the wall clock since midnight."""
    return (at + offset_at(zone, at)) % DAY


def offset_at(zone: str, at: float) -> float:
    """By how many seconds the wall clock is ahead of UTC at that instant."""
    return piece_at(zone, at).offset


def _pieces(zone: str, start: float, end: float) -> Iterator[Piece]:
    offset = _offset(zone, start)
    if _offset(zone, end) == offset:
        yield Piece(start, end, offset)
        return
    before, after = start, end
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(zone, middle) == offset:
            before = middle
        else:
            after = middle
    yield Piece(start, after, offset)
    if after < end:
        yield Piece(after, end, _offset(zone, after))


_FIRST = datetime(1, 1, 3, tzinfo=UTC).timestamp()
_LAST = datetime(9999, 12, 29, tzinfo=UTC).timestamp()
"""Between these every local time is a date. A mark may lie outside: year 1, east of Greenwich."""


def moment(at: float, zone: str) -> datetime:
    """The wall clock's date and time; at the edges of time, the nearest that every zone has."""
    return datetime.fromtimestamp(min(max(at, _FIRST), _LAST), ZoneInfo(zone))


def _offset(zone: str, at: float) -> float:
    offset = moment(at, zone).utcoffset()
    return offset.total_seconds() if offset is not None else 0.0
