"""The lines of some hundred institutions, kept compressed until something in them changes."""

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from operator import add
from typing import Final, Literal, NamedTuple

from nexhealth_exporter.exposition import table
from nexhealth_exporter.exposition.deflate import Part, part
from nexhealth_exporter.exposition.lags import Lags
from nexhealth_exporter.exposition.row import (
    MARKS,
    OFFICE_COLUMNS,
    OFFICE_INFO,
    OPEN,
    SYNC_COLUMNS,
    SYNC_INFO,
    Column,
    Rows,
    number_pair,
    office_cells,
    office_info,
    office_pairs,
    sync_cells,
    sync_pairs,
)
from nexhealth_exporter.exposition.text import NOTHING, lines, numbered, told
from nexhealth_exporter.fleet import Hours, Standing, SyncStanding
from nexhealth_exporter.model import Institution, IntegrationType, Operation, Reason

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
_SELDOM: Final = "seldom"
"""In place of a reason: it is within hours, but moves so seldom that it is not expected up."""

_Rest = Reason | Literal["seldom"] | None
_BECAUSE: Mapping[_Rest, bytes] = {None: NOTHING, _SELDOM: NOTHING} | {
    reason: f'reason="{reason}"}} 1'.encode() for reason in Reason
}

Ends = tuple[Sequence[bytes], Sequence[bytes]]
"""The label pairs of each line, and what follows their tail."""


class _Layout(NamedTuple):
    """Which lines there are: of each institution and its number of syncs, of all those syncs."""

    institutions: list[Institution]
    counts: list[int | None]
    names: list[str]
    kinds: list[IntegrationType]

    @classmethod
    def of(cls, standings: Sequence[Standing], syncs: Sequence[SyncStanding]) -> "_Layout":
        return cls(
            [s.institution for s in standings],
            [None if s.syncs is None else len(s.syncs) for s in standings],
            [s.sync.name for s in syncs],
            [s.integration_type for s in syncs],
        )


class Block:
    """Draws what `steps` is given, and again only what differs from what was drawn before.

    It keeps none of them, so that those of a fleet can go as soon as others have come.
    """

    def __init__(self, origin: float) -> None:
        self._origin = origin
        self._until = math.inf
        self._instant = self._looked = origin
        """Of what was drawn last, and the latest at which any was looked at."""
        self._stale: set[Column] = set()
        self._parts = dict.fromkeys(COLUMNS, part(b""))
        self.fallbacks = 0
        self._begin(_Layout([], [], [], []), [], [])

    def _begin(self, layout: _Layout, offices: list[bytes], syncs: list[bytes]) -> None:
        """Draw these lines from now on; nothing is known of them yet."""
        self._layout = layout
        self._stamps = [0] * len(offices)
        """Of the standings that were drawn."""
        self._groups: list[str | None] = [None] * len(offices)
        self._offices = Rows(OFFICE_COLUMNS, offices)
        self._syncs = Rows(SYNC_COLUMNS, syncs)
        self._hours: list[Hours | None] = [None] * len(syncs)
        self._reasons: list[_Rest] = [None] * len(syncs)
        """Why each rests; None is expected up."""
        self._lags = tuple(Lags(len(syncs), self._origin) for _ in Operation)
        self._untils = array("d", [-math.inf]) * len(syncs)
        """Until when what depends on the clock holds of each."""
        self._stale.update(COLUMNS)

    @property
    def parts(self) -> Mapping[Column, Part]:
        """What was drawn last."""
        return self._parts

    def holds(self, now: float) -> bool:
        """Whether a page of that instant needs no look at the institutions of last time."""
        return self._looked <= now < self._until

    def steps(self, standings: Sequence[Standing] | None, now: float) -> Iterator[None]:
        """Draw these institutions at this instant; each step is a small part of the work.

        None are those of last time. Steps that are left undone are made up for next time.
        """
        if standings is not None:
            yield from self._take(standings)
            yield from self._look(standings, now)
        self._reach(now)
        for lag, unexpected, lags in zip(LAG, UNEXPECTED_LAG, self._lags, strict=True):
            yield from self._grow(lag, unexpected, lags, now)
        for column in list(self._stale):
            self._draw(column, *self._ends(column))
            yield

    def _take(self, standings: Sequence[Standing]) -> Iterator[None]:
        """Take over what institutions that changed say, and note which columns that concerns."""
        if [standing.stamp for standing in standings] == self._stamps:
            return
        layout = _Layout.of(standings, _syncs_of(standings))
        if layout != self._layout:
            yield from self._lay_out(layout)
        self._until = -math.inf
        self.fallbacks = sum(
            any(sync.hours.is_fallback for sync in standing.syncs or ()) for standing in standings
        )
        first = 0
        for number, standing in enumerate(standings):
            syncs = standing.syncs or ()
            if self._stamps[number] != standing.stamp:
                self._tell_office(number, standing)
                for at, sync in enumerate(syncs, first):
                    self._tell(at, sync)
                self._stamps[number] = standing.stamp
                yield
            first += len(syncs)

    def _lay_out(self, layout: _Layout) -> Iterator[None]:
        offices, syncs = list[bytes](), list[bytes]()
        named = zip(layout.names, layout.kinds, strict=True)
        for institution, number in zip(layout.institutions, layout.counts, strict=True):
            pairs = office_pairs(institution)
            offices.append(pairs)
            syncs += [sync_pairs(pairs, *its) for its in islice(named, number or 0)]
            yield
        self._begin(layout, offices, syncs)

    def _tell_office(self, number: int, standing: Standing) -> None:
        if self._groups[number] == standing.group:
            info = self._offices.cell(OFFICE_INFO, number)
        else:
            info = office_info(standing)
            self._groups[number] = standing.group
        self._stale |= self._offices.put(number, office_cells(standing, info))

    def _tell(self, at: int, standing: SyncStanding) -> None:
        changed = self._syncs.put(at, sync_cells(standing))
        self._stale |= changed
        if self._hours[at] is not standing.hours:
            self._hours[at] = standing.hours
            self._untils[at] = -math.inf
        ways = zip(MARKS, LAG, UNEXPECTED_LAG, self._lags, standing.judgements, strict=True)
        for mark, lag, unexpected, lags, judgement in ways:
            if mark in changed:
                lags.moved(at, judgement.mark)
                self._stale |= {lag, unexpected}
                self._untils[at] = -math.inf

    def _look(self, standings: Sequence[Standing], now: float) -> Iterator[None]:
        """Find out anew what holds where the old no longer does."""
        if self.holds(now):
            return
        went_back, self._until = now < self._looked, -math.inf
        # If this is given up, some hold from then on, the others from the look before.
        self._looked = max(self._looked, now)
        for at, standing in enumerate(_syncs_of(standings)):
            if went_back or now >= self._untils[at]:
                self._look_at(at, standing, now)
                yield
        self._looked, self._until = now, min(self._untils, default=math.inf)

    def _reach(self, now: float) -> None:
        """It is that instant: what grows is other than it was."""
        if now == self._instant:
            return
        self._instant = now
        self._stale.update(LAG)
        for unexpected, lags in zip(UNEXPECTED_LAG, self._lags, strict=True):
            if lags.is_growing:
                self._stale.add(unexpected)

    def _look_at(self, at: int, standing: SyncStanding, now: float) -> None:
        piece = standing.expectation.piece(now)
        until = piece.end
        ways = zip(UNEXPECTED_LAG, self._lags, standing.judgements, strict=True)
        for unexpected, lags, judgement in ways:
            if (running := judgement.running(now)) is not None:
                lags.runs(at, running)
                self._stale.add(unexpected)
                until = min(until, running.until)
        self._untils[at] = until
        reason: _Rest = piece.reason
        if piece.is_open and not piece.is_expected:
            reason = _SELDOM
        if reason is not self._reasons[at]:
            self._reasons[at] = reason
            self._stale |= {EXPECTED_UP, EXPECTED_DOWNTIME}

    def _draw(self, column: Column, labelled: Sequence[bytes], ends: Sequence[bytes]) -> None:
        name = column.family.name.encode()
        self._parts[column] = part(lines(name, labelled, column.tail, ends))
        self._stale.discard(column)

    def _grow(self, lag: Column, unexpected: Column, lags: Lags, now: float) -> Iterator[None]:
        """Draw what depends on the instant, of one direction."""
        if self._stale.isdisjoint((lag, unexpected)):
            return
        ages = lags.lags(now)
        if lag in self._stale:
            self._draw(lag, *self._marked(lags, ages))
            yield
        if unexpected in self._stale:
            self._draw(unexpected, *self._marked(lags, lags.unexpected(now, ages)))
            yield

    def _marked(self, lags: Lags, ends: list[bytes]) -> Ends:
        """Those of syncs that have a mark."""
        pairs = self._syncs.pairs
        return (pairs, ends) if lags.is_whole else told(pairs, ends)

    def _ends(self, column: Column) -> Ends:
        pairs = self._syncs.pairs
        if column in OFFICE_COLUMNS:
            whose, said = self._offices.pairs, self._offices.said(column)
            return (whose, said) if column.is_open else numbered(whose, said)
        if column is SYNC_INFO:
            return pairs, list(map(add, self._numbers(), self._syncs.said(column)))
        if column is EXPECTED_UP:
            return pairs, [_UP if reason is None else _REST for reason in self._reasons]
        if column is EXPECTED_DOWNTIME:
            return told(pairs, [_BECAUSE[reason] for reason in self._reasons])
        return numbered(pairs, self._syncs.said(column))

    def _numbers(self) -> list[bytes]:
        """What names the institution of each sync by its id."""
        layout, numbers = self._layout, list[bytes]()
        for institution, its in zip(layout.institutions, layout.counts, strict=True):
            numbers += [number_pair(institution)] * (its or 0)
        return numbers


def _syncs_of(standings: Sequence[Standing]) -> list[SyncStanding]:
    return [sync for standing in standings for sync in standing.syncs or ()]
