"""What the lines of one institution, and of one sync, say: label pairs and values.

A column reads from each row what does not depend on the clock; None gives no line.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, zip_longest
from operator import attrgetter
from typing import Any

from nexhealth_exporter.expectation.expectation import Running
from nexhealth_exporter.expectation.judgement import Judgement
from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.table import Family
from nexhealth_exporter.exposition.text import labels
from nexhealth_exporter.fleet import Standing, SyncStanding
from nexhealth_exporter.model import Institution, Operation, Reason, Severity

OPEN = b","

Cell = float | bytes | None
"""A value, which may be a truth, or as bytes the end of a line that has labels of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Lines of one family that differ only in whose they are.

    `tail` follows their label pairs; when it does not close them, cells hold the line's end.
    `cell` reads a row, if that does not depend on the clock.
    """

    family: Family
    tail: bytes = b"} "
    cell: Callable[[Any], Any] | None = None

    @property
    def is_open(self) -> bool:
        """True when cells hold label pairs of their own, and the value after them."""
        return self.tail == OPEN


def _column(family: Family, path: str, tail: bytes = b"} ") -> Column:
    return Column(family, tail, attrgetter(path))


def _severities(family: Family, path: str) -> Iterator[Column]:
    for severity in Severity:
        tail = f',severity="{severity}"}} '.encode()
        yield _column(family, path.format(severity=severity), tail)


class SyncRow:
    """One sync: its open label pairs, and what it says at an instant.

    The unexpected lag of each direction is a straight line, `base + rate * (now - origin)`;
    the origin is the block's. What depends on the clock holds until `until`, and is not known
    before `look`.
    """

    __slots__ = (
        "described",
        "is_expected",
        "number",
        "pairs",
        "read_base",
        "read_rate",
        "reason",
        "standing",
        "until",
        "write_base",
        "write_rate",
    )

    def __init__(
        self, number: bytes, pairs: bytes, standing: SyncStanding, described: bytes
    ) -> None:
        self.number = number
        self.pairs = pairs
        self.standing = standing
        self.described = described
        self.read_base = self.read_rate = self.write_base = self.write_rate = 0.0
        self.until = -math.inf
        self.is_expected: bool | None = None
        self.reason: Reason | None = None

    def take_over(self, before: "SyncRow") -> None:
        """Keep what `before` found out: all of it while marks and hours are the same."""
        self.is_expected, self.reason = before.is_expected, before.reason
        mine, its = self.standing, before.standing
        if (
            mine.expectation is its.expectation
            and _counted_alike(mine.read, its.read)
            and _counted_alike(mine.write, its.write)
        ):
            self.read_base, self.read_rate = before.read_base, before.read_rate
            self.write_base, self.write_rate = before.write_base, before.write_rate
            self.until = before.until

    def look(self, now: float, origin: float) -> bool:
        """Find out what holds from `now` on; True when it is expected otherwise than before."""
        standing = self.standing
        piece = standing.expectation.piece(now)
        until = piece.end
        if (read := standing.read.running(now)) is not None:
            self.read_base, self.read_rate = _line(read, origin)
            until = min(until, read.until)
        if (write := standing.write.running(now)) is not None:
            self.write_base, self.write_rate = _line(write, origin)
            until = min(until, write.until)
        self.until = until
        is_expected = piece.is_expected
        reason = None if is_expected else piece.reason
        changed = is_expected is not self.is_expected or reason is not self.reason
        self.is_expected, self.reason = is_expected, reason
        return changed

    @property
    def info(self) -> bytes:
        """The end of the line that describes it."""
        return b'institution_id="%s",%s' % (self.number, self.described)


def _line(running: Running, origin: float) -> tuple[float, float]:
    return running.value - running.rate * (running.at - origin), running.rate


@dataclass(frozen=True, slots=True, eq=False)
class OfficeRow:
    """One institution and its syncs."""

    standing: Standing
    pairs: bytes
    info: bytes
    syncs: tuple[SyncRow, ...]

    @property
    def is_fallback(self) -> bool:
        """True when one of its syncs has no usable time zone of its own."""
        return any(row.standing.hours.is_fallback for row in self.syncs)

    @property
    def is_successful(self) -> int | None:
        """Whether its latest poll succeeded, as a number."""
        return None if self.standing.last_poll is None else int(self.standing.failure is None)

    @property
    def number_of_syncs(self) -> int | None:
        """None while no answer is known."""
        return None if self.standing.syncs is None else len(self.standing.syncs)


SYNC_COLUMNS = (
    *(_column(table.LAST_MARK[op], f"standing.sync.{op}_at") for op in Operation),
    *chain.from_iterable(
        _severities(table.DEADLINE[op], f"standing.{op}.{{severity}}_at") for op in Operation
    ),
    *chain.from_iterable(
        _severities(table.ALLOWANCE[op], f"standing.{op}.basis.{{severity}}") for op in Operation
    ),
    *(_column(table.UP[op], f"standing.sync.{op}_up") for op in Operation),
    _column(table.SYNC_INFO, "info", OPEN),
)
OFFICE_COLUMNS = (
    _column(table.INSTITUTION_INFO, "info", OPEN),
    _column(table.POLL_SUCCESS, "is_successful"),
    _column(table.LAST_POLL, "standing.last_success"),
    _column(table.INSTITUTION_SYNCS, "number_of_syncs"),
)


def office_row(standing: Standing, before: OfficeRow | None) -> OfficeRow:
    """The row of that institution; what did not change since `before` is taken from there."""
    institution = standing.institution
    number = _id_of(institution).encode()
    if before is None or before.standing.institution is not institution:
        pairs, info = b"{" + labels({"institution": institution.subdomain}), None
        rows: tuple[SyncRow, ...] = ()
    else:
        pairs = before.pairs
        info = before.info if before.standing.group == standing.group else None
        rows = before.syncs
    syncs = [
        _sync_row(number, pairs, sync, was)
        for sync, was in zip_longest(standing.syncs or (), rows)
        if sync is not None
    ]
    return OfficeRow(standing, pairs, info or _institution_info(standing), tuple(syncs))


def _sync_row(
    number: bytes, office: bytes, standing: SyncStanding, before: SyncRow | None
) -> SyncRow:
    if before is not None and before.standing is standing:
        return before
    if before is None or not _named_alike(before.standing, standing):
        own = {"sync": standing.sync.name, "integration_type": standing.integration_type}
        return SyncRow(number, office + b"," + labels(own), standing, _described(standing))
    same = _described_alike(before.standing, standing)
    described = before.described if same else _described(standing)
    row = SyncRow(before.number, before.pairs, standing, described)
    row.take_over(before)
    return row


def _named_alike(one: SyncStanding, other: SyncStanding) -> bool:
    same_type = one.integration_type is other.integration_type
    return same_type and one.sync.name == other.sync.name


def _counted_alike(one: Judgement, other: Judgement) -> bool:
    if one is other:
        return True
    return one.mark == other.mark and one.basis.expectation is other.basis.expectation


def _described_alike(one: SyncStanding, other: SyncStanding) -> bool:
    return (
        one.expectation is other.expectation
        and one.state is other.state
        and one.sync.emr == other.sync.emr
        and len(one.sync.locations) == len(other.sync.locations)
    )


def _described(standing: SyncStanding) -> bytes:
    """What its info says apart from the institution's id."""
    expectation = standing.expectation
    return _described_as(
        standing.sync.emr,
        expectation.timezone,
        expectation.source,
        expectation.schedule,
        standing.state,
        len(standing.sync.locations),
    )


@lru_cache(maxsize=4096)
def _described_as(  # noqa: PLR0917 - a cache is keyed by position
    emr: str, timezone: str, source: str, schedule: str, state: str, locations: int
) -> bytes:
    """The same for many syncs, which share it."""
    return _info(
        {
            "emr": emr,
            "timezone": timezone,
            "expectation": source,
            "schedule": schedule,
            "state": state,
            "locations": str(locations),
        }
    )


def _institution_info(standing: Standing) -> bytes:
    institution = standing.institution
    return _info(
        {
            "institution_id": _id_of(institution),
            "institution_name": institution.name,
            "group": standing.group,
        }
    )


def _info(pairs: Mapping[str, str]) -> bytes:
    return labels(pairs) + b"} 1"


def _id_of(institution: Institution) -> str:
    return "" if institution.id is None else str(institution.id)
