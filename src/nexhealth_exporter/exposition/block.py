"""The lines of some hundred institutions, kept compressed until something in them changes."""

import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.deflate import Part, part
from nexhealth_exporter.exposition.row import (
    OFFICE_COLUMNS,
    OPEN,
    SYNC_COLUMNS,
    Column,
    Line,
    OfficeRow,
    SyncRow,
    office_row,
)
from nexhealth_exporter.exposition.text import lines, numbers
from nexhealth_exporter.fleet import Standing
from nexhealth_exporter.model import Operation

LAG = tuple(Column(table.LAG[operation]) for operation in Operation)
UNEXPECTED_LAG = tuple(Column(table.UNEXPECTED_LAG[operation]) for operation in Operation)
EXPECTED_UP = Column(table.EXPECTED_UP)
EXPECTED_DOWNTIME = Column(table.EXPECTED_DOWNTIME, OPEN)

COLUMNS = (
    *SYNC_COLUMNS,
    *OFFICE_COLUMNS,
    *LAG,
    *UNEXPECTED_LAG,
    EXPECTED_UP,
    EXPECTED_DOWNTIME,
)
"""Everything that a block draws."""

_UP, _REST = b"1", b"0"

Row = OfficeRow | SyncRow

Ends = tuple[list[bytes], list[bytes]]
"""The label pairs of each line, and what follows their tail."""


class Block:
    """Draws what `steps` is given, and again only what differs from what was drawn before."""

    def __init__(self, origin: float) -> None:
        self._origin = origin
        self._standings: Sequence[Standing] = ()
        self._offices: list[OfficeRow] = []
        self._rows: list[SyncRow] = []
        self._lines: tuple[list[Line], ...] = tuple([] for _ in Operation)
        self._until = math.inf
        self._instant = origin
        self._stale: set[Column] = set()
        self._parts = dict.fromkeys(COLUMNS, part(b""))
        self.fallbacks = 0

    @property
    def parts(self) -> Mapping[Column, Part]:
        """What was drawn last."""
        return self._parts

    def steps(self, standings: Sequence[Standing], now: float) -> Iterator[None]:
        """Draw these institutions at this instant; each step is a small part of the work.

        Steps that are left undone are made up for next time.
        """
        yield from self._take(standings)
        yield from self._look(now)
        for column in list(self._stale):
            labelled, ends = self._ends(column, now)
            name = column.family.name.encode()
            self._parts[column] = part(lines(name, labelled, column.tail, ends))
            self._stale.discard(column)
            yield

    def _take(self, standings: Sequence[Standing]) -> Iterator[None]:
        """Make the rows of institutions that changed, and note which columns that concerns."""
        if len(standings) == len(self._standings) and all(
            map(operator.is_, standings, self._standings)
        ):
            return
        known = {office.standing.institution.subdomain: office for office in self._offices}
        offices = []
        for standing in standings:
            before = known.get(standing.institution.subdomain)
            if before is None or before.standing is not standing:
                before = office_row(standing, before)
            offices.append(before)
            yield
        rows = [row for office in offices for row in office.syncs]
        self._stale |= _differing(OFFICE_COLUMNS, self._offices, offices)
        self._stale |= _differing(SYNC_COLUMNS, self._rows, rows)
        self._stale.update(LAG, UNEXPECTED_LAG)
        if [row.pairs for row in rows] != [row.pairs for row in self._rows]:
            self._stale |= {EXPECTED_UP, EXPECTED_DOWNTIME}
        self._standings, self._offices, self._rows = standings, offices, rows
        self._lines = tuple(
            [line for row in rows if (line := row.lines[place]) is not None]
            for place, _ in enumerate(Operation)
        )
        self._until = -math.inf
        self.fallbacks = sum(office.is_fallback for office in offices)

    def _look(self, now: float) -> Iterator[None]:
        """Find out anew what holds where the old no longer does."""
        if now != self._instant:
            self._stale.update(LAG, UNEXPECTED_LAG)
        went_back = now < self._instant
        if went_back or now > self._until:
            for row in self._rows:
                if went_back or now > row.until:
                    if row.look(now, self._origin):
                        self._stale |= {EXPECTED_UP, EXPECTED_DOWNTIME}
                    yield
            self._until = min((row.until for row in self._rows), default=math.inf)
        self._instant = now

    def _ends(self, column: Column, now: float) -> Ends:
        if column in SYNC_COLUMNS:
            return _cells(column, self._rows, SYNC_COLUMNS.index(column))
        if column in OFFICE_COLUMNS:
            return _cells(column, self._offices, OFFICE_COLUMNS.index(column))
        if column in LAG:
            return _lags(self._lines[LAG.index(column)], now)
        if column in UNEXPECTED_LAG:
            of_lines = self._lines[UNEXPECTED_LAG.index(column)]
            return _unexpected_lags(of_lines, now - self._origin)
        if column is EXPECTED_UP:
            ends = [_UP if row.is_expected else _REST for row in self._rows]
            return [row.pairs for row in self._rows], ends
        resting = [row for row in self._rows if row.reason is not None]
        return [row.pairs for row in resting], [_because(row) for row in resting]


def _differing(
    columns: Sequence[Column],
    before: Sequence[Row],
    after: Sequence[Row],
) -> set[Column]:
    """The columns in which the lines differ."""
    if [row.pairs for row in before] != [row.pairs for row in after]:
        return set(columns)
    return {
        column
        for one, other in zip(before, after, strict=True)
        if one is not other and one.cells != other.cells
        for column, its, others in zip(columns, one.cells, other.cells, strict=True)
        if its != others
    }


def _cells(column: Column, rows: Sequence[Row], place: int) -> Ends:
    labelled = [row.pairs for row in rows if row.cells[place] is not None]
    cells: list[Any] = [cell for row in rows if (cell := row.cells[place]) is not None]
    return labelled, cells if column.is_open else numbers(cells)


def _lags(of_lines: Sequence[Line], now: float) -> Ends:
    lags = [lag if (lag := now - line.mark) > 0.0 else 0.0 for line in of_lines]
    return [line.pairs for line in of_lines], numbers(lags)


def _unexpected_lags(of_lines: Sequence[Line], since: float) -> Ends:
    lags = [lag if (lag := line.base + line.rate * since) > 0.0 else 0.0 for line in of_lines]
    return [line.pairs for line in of_lines], numbers(lags)


def _because(row: SyncRow) -> bytes:
    return f'reason="{row.reason}"}} 1'.encode()
