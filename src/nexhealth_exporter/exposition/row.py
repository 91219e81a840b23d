"""What the lines of one institution, and of one sync, say: label pairs and values.

Cells are what does not depend on the clock. Each stands in one column, whose place is the
same for every row; None gives no line.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest

from nexhealth_exporter.expectation.expectation import Running
from nexhealth_exporter.expectation.judgement import Judgement
from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.table import Family
from nexhealth_exporter.exposition.text import labels
from nexhealth_exporter.fleet import Standing, SyncStanding
from nexhealth_exporter.model import Institution, Operation, Reason, Severity

OPEN = b","

Cell = float | bytes | None
"""A value, or as bytes the end of a line that has labels of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Lines of one family that differ only in whose they are.

    `tail` follows their label pairs; when it does not close them, cells hold the line's end.
    """

    family: Family
    tail: bytes = b"} "

    @property
    def is_open(self) -> bool:
        """True when cells hold label pairs of their own, and the value after them."""
        return self.tail == OPEN


def _severities(family: Family) -> tuple[Column, ...]:
    return tuple(Column(family, f',severity="{severity}"}} '.encode()) for severity in Severity)


SYNC_COLUMNS = (
    *(Column(table.LAST_MARK[operation]) for operation in Operation),
    *(column for operation in Operation for column in _severities(table.DEADLINE[operation])),
    *(column for operation in Operation for column in _severities(table.ALLOWANCE[operation])),
    *(Column(table.UP[operation]) for operation in Operation),
    Column(table.SYNC_INFO, OPEN),
)
OFFICE_COLUMNS = (
    Column(table.INSTITUTION_INFO, OPEN),
    Column(table.POLL_SUCCESS),
    Column(table.LAST_POLL),
    Column(table.INSTITUTION_SYNCS),
)


class Line:
    """The unexpected lag of one direction as a straight line, and the mark it counts from.

    It is `base + rate * (now - origin)`; the origin is the block's.
    """

    __slots__ = ("base", "mark", "pairs", "rate")

    def __init__(self, pairs: bytes, mark: float) -> None:
        self.pairs = pairs
        self.mark = mark
        self.base = 0.0
        self.rate = 0.0

    def bend(self, running: Running, origin: float) -> None:
        """Follow that line from now on."""
        self.rate = running.rate
        self.base = running.value - running.rate * (running.at - origin)


class SyncRow:
    """One sync: its open label pairs, its cells, and what it says at an instant.

    What depends on the clock holds until `until`, and is not known before `look`.
    """

    __slots__ = ("cells", "is_expected", "pairs", "read", "reason", "standing", "until", "write")

    def __init__(self, pairs: bytes, standing: SyncStanding, cells: tuple[Cell, ...]) -> None:
        self.pairs = pairs
        self.standing = standing
        self.cells = cells
        read, write = standing.read.mark, standing.write.mark
        self.read = None if read is None else Line(pairs, read)
        self.write = None if write is None else Line(pairs, write)
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
            self.read, self.write, self.until = before.read, before.write, before.until

    def look(self, now: float, origin: float) -> bool:
        """Find out what holds from `now` on; True when it is expected otherwise than before."""
        standing = self.standing
        piece = standing.expectation.piece(now)
        until = piece.end
        for line, judgement in ((self.read, standing.read), (self.write, standing.write)):
            running = judgement.running(now)
            if line is not None and running is not None:
                line.bend(running, origin)
                until = min(until, running.until)
        self.until = until
        is_expected = piece.is_expected
        reason = None if is_expected else piece.reason
        changed = is_expected is not self.is_expected or reason is not self.reason
        self.is_expected, self.reason = is_expected, reason
        return changed


@dataclass(frozen=True, slots=True, eq=False)
class OfficeRow:
    """One institution and its syncs."""

    standing: Standing
    pairs: bytes
    cells: tuple[Cell, ...]
    syncs: tuple[SyncRow, ...]

    @property
    def is_fallback(self) -> bool:
        """True when one of its syncs has no usable time zone of its own."""
        return any(row.standing.hours.is_fallback for row in self.syncs)


def office_row(standing: Standing, before: OfficeRow | None) -> OfficeRow:
    """The row of that institution; what did not change since `before` is taken from there."""
    institution = standing.institution
    if before is None or before.standing.institution is not institution:
        pairs, info = b"{" + labels({"institution": institution.subdomain}), None
        rows: tuple[SyncRow, ...] = ()
    else:
        pairs = before.pairs
        info = before.cells[0] if before.standing.group == standing.group else None
        rows = before.syncs
    cells = (
        info or _institution_info(standing),
        None if standing.last_poll is None else int(standing.failure is None),
        standing.last_success,
        None if standing.syncs is None else len(standing.syncs),
    )
    syncs = [
        _sync_row(pairs, institution, sync, was)
        for sync, was in zip_longest(standing.syncs or (), rows)
        if sync is not None
    ]
    return OfficeRow(standing, pairs, cells, tuple(syncs))


def _sync_row(
    office: bytes, institution: Institution, standing: SyncStanding, before: SyncRow | None
) -> SyncRow:
    if before is None or not _named_alike(before.standing, standing):
        own = {"sync": standing.sync.name, "integration_type": standing.integration_type}
        pairs = office + b"," + labels(own)
        return SyncRow(pairs, standing, (*_values(standing), _sync_info(institution, standing)))
    same = _described_alike(before.standing, standing)
    info = before.cells[-1] if same else _sync_info(institution, standing)
    row = SyncRow(before.pairs, standing, (*_values(standing), info))
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


def _values(standing: SyncStanding) -> tuple[Cell, ...]:
    sync, read, write = standing.sync, standing.read, standing.write
    return (
        sync.read_at,
        sync.write_at,
        read.warning_at,
        read.critical_at,
        write.warning_at,
        write.critical_at,
        read.basis.warning,
        read.basis.critical,
        write.basis.warning,
        write.basis.critical,
        None if sync.read_up is None else int(sync.read_up),
        None if sync.write_up is None else int(sync.write_up),
    )


def _sync_info(institution: Institution, standing: SyncStanding) -> bytes:
    expectation = standing.expectation
    return _info(
        {
            "institution_id": _id_of(institution),
            "emr": standing.sync.emr,
            "timezone": expectation.timezone,
            "expectation": expectation.source,
            "schedule": expectation.schedule,
            "state": standing.state,
            "locations": str(len(standing.sync.locations)),
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
