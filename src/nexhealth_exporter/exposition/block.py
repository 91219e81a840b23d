"""The lines of a few hundred institutions, kept compressed until something in them changes."""

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
    INSTITUTION_COLUMNS,
    INSTITUTION_INFO,
    MARKS,
    OPEN,
    SYNC_COLUMNS,
    SYNC_INFO,
    Column,
    Rows,
    institution_cells,
    institution_id_pair,
    institution_info,
    institution_pairs,
    sync_cells,
    sync_pairs,
)
from nexhealth_exporter.exposition.text import NULL, lines, numbered, present
from nexhealth_exporter.fleet import Hours, Standing, SyncStanding
from nexhealth_exporter.model import Institution, IntegrationType, Operation, Reason

LAG = tuple(Column(table.LAG[operation]) for operation in Operation)
UNEXPECTED_LAG = tuple(Column(table.UNEXPECTED_LAG[operation]) for operation in Operation)
EXPECTED_UP = Column(table.EXPECTED_UP)
EXPECTED_DOWNTIME = Column(table.EXPECTED_DOWNTIME, OPEN)

COLUMNS = (
    *SYNC_COLUMNS,
    *INSTITUTION_COLUMNS,
    *LAG,
    *UNEXPECTED_LAG,
    EXPECTED_UP,
    EXPECTED_DOWNTIME,
)
"""Everything that a block draws."""

_UP, _REST = b"1", b"0"
_SELDOM: Final = "seldom"
"""Instead of a reason: open, but the sync moves so seldom that it is not expected to be up."""

_RestReason = Reason | Literal["seldom"] | None
_DOWNTIME_ENDS: Mapping[_RestReason, bytes] = {None: NULL, _SELDOM: NULL} | {
    reason: f'reason="{reason}"}} 1'.encode() for reason in Reason
}

Lines = tuple[Sequence[bytes], Sequence[bytes]]
"""The label pairs of each line, and the end of each line; both are equally long."""


class _Layout(NamedTuple):
    """Which lines there are: the institutions, how many syncs each has, and those syncs.

    A count is None while no answer is known.
    """

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
    """Draws the institutions that `steps` is given, and redraws only what has changed since.

    It keeps values, not the standings themselves: an old fleet can be freed as soon as a new one
    has come.
    """

    def __init__(self, origin: float) -> None:
        self._origin = origin
        self._all_valid_until = math.inf
        """The earliest of `_valid_until`."""
        self._drawn_at = self._refreshed_at = origin
        """The instants of the last drawing, and of the last refresh of what time changes."""
        self._stale: set[Column] = set()
        self._parts = dict.fromkeys(COLUMNS, part(b""))
        self.fallbacks = 0
        self._reset(_Layout([], [], [], []), [], [])

    def _reset(self, layout: _Layout, institutions: list[bytes], syncs: list[bytes]) -> None:
        """Start over with these lines, all of them without values."""
        self._layout = layout
        self._stamps = [0] * len(institutions)
        """Those of the standings that were drawn."""
        self._groups: list[str | None] = [None] * len(institutions)
        self._institutions = Rows(INSTITUTION_COLUMNS, institutions)
        self._syncs = Rows(SYNC_COLUMNS, syncs)
        self._hours: list[Hours | None] = [None] * len(syncs)
        self._reasons: list[_RestReason] = [None] * len(syncs)
        """Why each sync rests; None if it is expected to be up."""
        self._lags = tuple(Lags(len(syncs), self._origin) for _ in Operation)
        self._valid_until = array("d", [-math.inf]) * len(syncs)
        """For each sync, until when its expectation and the slope of its unexpected lag hold."""
        self._stale.update(COLUMNS)

    @property
    def parts(self) -> Mapping[Column, Part]:
        """What was drawn last, by column."""
        return self._parts

    def holds(self, now: float) -> bool:
        """Whether the page of that instant follows from what is kept, without the standings."""
        return self._refreshed_at <= now < self._all_valid_until

    def steps(self, standings: Sequence[Standing] | None, now: float) -> Iterator[None]:
        """Draw these institutions at this instant; each step is a small part of the work.

        None stands for the institutions of the last call. Steps that the caller does not take are
        made up for by the next call.
        """
        if standings is not None:
            yield from self._apply_changes(standings)
            yield from self._refresh_expired(standings, now)
        self._advance_to(now)
        for lag, unexpected, lags in zip(LAG, UNEXPECTED_LAG, self._lags, strict=True):
            yield from self._draw_lags(lag, unexpected, lags, now)
        for column in list(self._stale):
            self._draw(column, *self._lines_of(column))
            yield

    def _apply_changes(self, standings: Sequence[Standing]) -> Iterator[None]:
        """Take over the values of institutions that changed; their columns become stale."""
        if [standing.stamp for standing in standings] == self._stamps:
            return
        layout = _Layout.of(standings, _syncs_of(standings))
        if layout != self._layout:
            yield from self._rebuild(layout)
        self._all_valid_until = -math.inf
        self.fallbacks = sum(
            any(sync.hours.is_fallback for sync in standing.syncs or ()) for standing in standings
        )
        first = 0
        for number, standing in enumerate(standings):
            syncs = standing.syncs or ()
            if self._stamps[number] != standing.stamp:
                self._update_institution(number, standing)
                for at, sync in enumerate(syncs, first):
                    self._update_sync(at, sync)
                self._stamps[number] = standing.stamp
                yield
            first += len(syncs)

    def _rebuild(self, layout: _Layout) -> Iterator[None]:
        institutions, syncs = list[bytes](), list[bytes]()
        named = zip(layout.names, layout.kinds, strict=True)
        for institution, number in zip(layout.institutions, layout.counts, strict=True):
            pairs = institution_pairs(institution)
            institutions.append(pairs)
            syncs += [sync_pairs(pairs, *its) for its in islice(named, number or 0)]
            yield
        self._reset(layout, institutions, syncs)

    def _update_institution(self, number: int, standing: Standing) -> None:
        if self._groups[number] == standing.group:
            info = self._institutions.cell(INSTITUTION_INFO, number)
        else:
            info = institution_info(standing)
            self._groups[number] = standing.group
        self._stale |= self._institutions.put(number, institution_cells(standing, info))

    def _update_sync(self, at: int, standing: SyncStanding) -> None:
        changed = self._syncs.put(at, sync_cells(standing))
        self._stale |= changed
        if self._hours[at] is not standing.hours:
            self._hours[at] = standing.hours
            self._valid_until[at] = -math.inf
        ways = zip(MARKS, LAG, UNEXPECTED_LAG, self._lags, standing.judgements, strict=True)
        for mark, lag, unexpected, lags, judgement in ways:
            if mark in changed:
                if not lags.moved(at, judgement.mark):
                    self._valid_until[at] = -math.inf
                self._stale |= {lag, unexpected}

    def _refresh_expired(self, standings: Sequence[Standing], now: float) -> Iterator[None]:
        """Work out anew what time has changed: expectation, reason, slope of the lags."""
        if self.holds(now):
            return
        went_back, self._all_valid_until = now < self._refreshed_at, -math.inf
        # If the caller stops halfway, some values are of now, the others of the refresh before.
        self._refreshed_at = max(self._refreshed_at, now)
        for at, standing in enumerate(_syncs_of(standings)):
            if went_back or now >= self._valid_until[at]:
                self._refresh_sync(at, standing, now)
                yield
        self._refreshed_at, self._all_valid_until = now, min(self._valid_until, default=math.inf)

    def _advance_to(self, now: float) -> None:
        """Note which columns are stale because the clock has moved."""
        if now == self._drawn_at:
            return
        self._drawn_at = now
        self._stale.update(LAG)
        for unexpected, lags in zip(UNEXPECTED_LAG, self._lags, strict=True):
            if lags.is_growing:
                self._stale.add(unexpected)

    def _refresh_sync(self, at: int, standing: SyncStanding, now: float) -> None:
        piece = standing.expectation.piece(now)
        until = piece.end
        ways = zip(UNEXPECTED_LAG, self._lags, standing.judgements, strict=True)
        for unexpected, lags, judgement in ways:
            if (running := judgement.running(now)) is not None:
                lags.runs(at, running)
                self._stale.add(unexpected)
                until = min(until, running.until)
        self._valid_until[at] = until
        reason: _RestReason = piece.reason
        if piece.is_open and not piece.is_expected:
            reason = _SELDOM
        if reason is not self._reasons[at]:
            self._reasons[at] = reason
            self._stale |= {EXPECTED_UP, EXPECTED_DOWNTIME}

    def _draw(self, column: Column, labelled: Sequence[bytes], ends: Sequence[bytes]) -> None:
        name = column.family.name.encode()
        self._parts[column] = part(lines(name, labelled, column.tail, ends))
        self._stale.discard(column)

    def _draw_lags(self, lag: Column, unexpected: Column, lags: Lags, now: float) -> Iterator[None]:
        """Draw lag and unexpected lag of one direction, where they are stale."""
        if self._stale.isdisjoint((lag, unexpected)):
            return
        ages = lags.lags(now)
        if lag in self._stale:
            self._draw(lag, *self._lines_with_mark(lags, ages))
            yield
        if unexpected in self._stale:
            self._draw(unexpected, *self._lines_with_mark(lags, lags.unexpected(now, ages)))
            yield

    def _lines_with_mark(self, lags: Lags, ends: list[bytes]) -> Lines:
        """The lines of the syncs that have a mark."""
        pairs = self._syncs.pairs
        return (pairs, ends) if lags.is_whole else present(pairs, ends)

    def _lines_of(self, column: Column) -> Lines:
        pairs = self._syncs.pairs
        if column in INSTITUTION_COLUMNS:
            institutions, cells = self._institutions.pairs, self._institutions.column(column)
            return (institutions, cells) if column.is_open else numbered(institutions, cells)
        if column is SYNC_INFO:
            return pairs, list(map(add, self._id_pairs(), self._syncs.column(column)))
        if column is EXPECTED_UP:
            return pairs, [_UP if reason is None else _REST for reason in self._reasons]
        if column is EXPECTED_DOWNTIME:
            return present(pairs, [_DOWNTIME_ENDS[reason] for reason in self._reasons])
        return numbered(pairs, self._syncs.column(column))

    def _id_pairs(self) -> list[bytes]:
        """The label pair with the institution's id, for each sync."""
        layout, numbers = self._layout, list[bytes]()
        for institution, its in zip(layout.institutions, layout.counts, strict=True):
            numbers += [institution_id_pair(institution)] * (its or 0)
        return numbers


def _syncs_of(standings: Sequence[Standing]) -> list[SyncStanding]:
    return [sync for standing in standings for sync in standing.syncs or ()]
