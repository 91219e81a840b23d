"""The lines of some hundred institutions, kept compressed until something in them changes."""

import math
import operator
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.deflate import Part, part
from nexhealth_exporter.exposition.row import (
    OFFICE_COLUMNS,
    OPEN,
    SYNC_COLUMNS,
    Column,
    OfficeRow,
    SyncRow,
    office_row,
)
from nexhealth_exporter.exposition.text import lines, numbered, numbers
from nexhealth_exporter.fleet import Standing
from nexhealth_exporter.model import Operation, Reason

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

MS = 1000.0

_UP, _REST = b"1", b"0"
_BECAUSE = {reason: f'reason="{reason}"}} 1'.encode() for reason in Reason}

Row = OfficeRow | SyncRow

Ends = tuple[Sequence[bytes], Sequence[bytes]]
"""The label pairs of each line, and what follows their tail."""


class Block:
    """Draws what `steps` is given, and again only what differs from what was drawn before."""

    def __init__(self, origin: float) -> None:
        self._origin = origin
        self._standings: Sequence[Standing] = ()
        self._offices: list[OfficeRow] = []
        self._rows: list[SyncRow] = []
        self._office_pairs: list[bytes] = []
        self._pairs: list[bytes] = []
        self._lines = _Lines.of(()), _Lines.of(())
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
        pairs, office_pairs = [row.pairs for row in rows], [row.pairs for row in offices]
        self._stale.update(LAG, UNEXPECTED_LAG)
        if (pairs, office_pairs) == (self._pairs, self._office_pairs):
            yield from self._compare(OFFICE_COLUMNS, self._offices, offices)
            yield from self._compare(SYNC_COLUMNS, self._rows, rows)
        else:
            self._stale.update(COLUMNS)
        self._standings, self._offices, self._rows = standings, offices, rows
        self._pairs, self._office_pairs = pairs, office_pairs
        self._until = -math.inf
        self.fallbacks = sum(office.is_fallback for office in offices)

    def _compare(
        self, columns: Iterable[Column], before: Sequence[Row], after: Sequence[Row]
    ) -> Iterator[None]:
        """Note in which of these columns rows say something else than before."""
        undecided = [c for c in columns if c not in self._stale]
        for its, others in zip(before, after, strict=True):
            if its is not others:
                found = [c for c in undecided if c.cell and c.cell(its) != c.cell(others)]
                if found:
                    self._stale.update(found)
                    undecided = [c for c in undecided if c not in self._stale]
                yield

    def _look(self, now: float) -> Iterator[None]:
        """Find out anew what holds where the old no longer does."""
        if now != self._instant:
            self._stale.update(LAG, UNEXPECTED_LAG)
        went_back = now < self._instant
        if went_back or now >= self._until:
            self._until = -math.inf
            for row in self._rows:
                if went_back or now >= row.until:
                    if row.look(now, self._origin):
                        self._stale |= {EXPECTED_UP, EXPECTED_DOWNTIME}
                    yield
            self._until = min((row.until for row in self._rows), default=math.inf)
            self._lines = (
                _Lines.of(
                    (row.pairs, mark, row.read_base, row.read_rate)
                    for row in self._rows
                    if (mark := row.standing.read.mark) is not None
                ),
                _Lines.of(
                    (row.pairs, mark, row.write_base, row.write_rate)
                    for row in self._rows
                    if (mark := row.standing.write.mark) is not None
                ),
            )
        self._instant = now

    def _ends(self, column: Column, now: float) -> Ends:
        if column.cell is not None:
            of_offices = column in OFFICE_COLUMNS
            labelled = self._office_pairs if of_offices else self._pairs
            its = list(map(column.cell, self._offices if of_offices else self._rows))
            return (labelled, its) if column.is_open else numbered(labelled, its)
        if column in LAG:
            of_lines = self._lines[LAG.index(column)]
            return of_lines.labelled, numbers(of_lines.lags(now))
        if column in UNEXPECTED_LAG:
            of_lines = self._lines[UNEXPECTED_LAG.index(column)]
            return of_lines.labelled, numbers(of_lines.unexpected_lags(now - self._origin))
        if column is EXPECTED_UP:
            return self._pairs, [_UP if row.is_expected else _REST for row in self._rows]
        resting = [(row.pairs, row.reason) for row in self._rows if row.reason is not None]
        return [pairs for pairs, _ in resting], [_BECAUSE[reason] for _, reason in resting]


class _Lines(NamedTuple):
    """Lines of one direction side by side: reading them one by one would cost thrice as much.

    In whole milliseconds: the difference of two instants in seconds would end in a dozen
    digits of noise, which cost more to compress than all the rest of the line.
    """

    labelled: list[bytes]
    marks: "array[float]"
    bases: "array[float]"
    rates: "array[float]"

    @classmethod
    def of(cls, given: Iterable[tuple[bytes, float, float, float]]) -> "_Lines":
        """Of each line its label pairs, its mark, its base and its rate."""
        its = cls([], array("d"), array("d"), array("d"))
        for pairs, mark, base, rate in given:
            its.labelled.append(pairs)
            its.marks.append(round(mark * MS))
            its.bases.append(round(base * MS))
            its.rates.append(rate)
        return its

    def lags(self, now: float) -> list[float]:
        now *= MS
        return [lag / MS if (lag := now - mark) > 0.0 else 0.0 for mark in self.marks]

    def unexpected_lags(self, since: float) -> list[float]:
        """The unexpected lags so many seconds after the origin."""
        since *= MS
        return [
            lag / MS if (lag := base + rate * since) > 0.0 else 0.0
            for base, rate in zip(self.bases, self.rates, strict=True)
        ]
