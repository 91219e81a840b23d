"""How a sync fell silent: in which stretch of its hours, and what the other direction did."""

from dataclasses import dataclass
from functools import lru_cache

from nexhealth_exporter.expectation.expectation import HORIZON, Expectation
from nexhealth_exporter.fleet import SyncStanding
from nexhealth_exporter.model import Operation, Reason, Severity
from nexhealth_exporter.report.row import FLUCTUATION, Row

LATER = 1800.0
"""A direction that has moved so many seconds after the other one stopped has gone on."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` until `end` a sync has hours, or rests; None when beyond the horizon.

    Unlike a segment it does not end where only the reason changes.
    """

    start: float | None
    end: float | None
    is_open: bool


@lru_cache(maxsize=1024)
def stretch(expectation: Expectation, at: float) -> Stretch:
    """The stretch that holds the instant `at`."""
    is_open = expectation.piece(at).is_open
    end: float | None = None
    for piece in expectation.segments(at):
        if piece.is_open != is_open:
            end = piece.start
            break
        if piece.start > at + HORIZON:
            break
    start: float | None = at
    while start is not None:
        earlier = expectation.at(start - 1)
        if earlier.is_open != is_open:
            break
        # Before 1970 there is nothing earlier: an epoch date is some system's way to say null.
        goes_back = at - HORIZON < earlier.start < start
        start = earlier.start if goes_back else None
    return Stretch(start, end, is_open)


@dataclass(frozen=True, slots=True)
class Stop:
    """How a direction fell silent: in the middle of open time, or over a rest it did not end.

    `opening` is when it should have come back; None if it stopped in open time.
    """

    at: float
    opening: float | None
    rest: Reason | None


def stop_of(sync: SyncStanding, operation: Operation) -> Stop | None:
    """How it stopped; None if there never was a mark.

    A mark shortly before a rest counts as the rest's beginning: so late in the day a
    silence within the usual allowance would not have been noticed.
    """
    judgement = sync.judgement(operation)
    if judgement.mark is None and judgement.basis.anchor == sync.first_seen:
        return None
    expectation, at = sync.expectation, judgement.basis.anchor
    piece = expectation.piece(at)
    if piece.value:
        closing = _turns(expectation, at, counting=False)
        grace = judgement.allowance[Severity.WARNING] / 2
        if closing is None or closing - at > grace:
            return Stop(at, None, None)
        piece = expectation.piece(closing)
    return Stop(at, _turns(expectation, piece.start, counting=True), piece.reason)


@lru_cache(maxsize=1024)
def _turns(expectation: Expectation, at: float, *, counting: bool) -> float | None:
    """The first instant from `at` on in which silence counts, if only in part, or does not.

    A learned morning counts in part before the sync is expected up: the office opens with it.
    """
    for piece in expectation.segments(at):
        if bool(piece.value) is counting:
            return max(piece.start, at)
        if piece.start > at + HORIZON:
            break
    return None


def went_on(row: Row) -> Operation | None:
    """The direction that has moved since the others stopped, or did not come back; if any has."""
    if row.sync is None:
        return None
    stops = [stop_of(row.sync, operation) for operation in row.overdue_operations]
    since = max((s.opening or s.at for s in stops if s is not None), default=row.now)
    for operation in Operation:
        other = row.sync.judgement(operation)
        if other.is_overdue(Severity.WARNING, row.standing.last_success):
            continue
        if other.mark is not None and other.mark - since >= LATER:
            return operation
    return None


def silent_too(row: Row) -> Operation | None:
    """The direction that is later than normal while only the other one is overdue."""
    if row.sync is None:
        return None
    for operation in Operation:
        unexpected = row.sync.judgement(operation).unexpected(row.now)
        if operation not in row.overdue_operations and (unexpected or 0.0) > FLUCTUATION:
            return operation
    return None


def looks_closed(row: Row) -> bool:
    """Whether the silence looks like a closure that nobody announced: it followed a rest.

    Not where the other direction has moved since: somebody is there.
    """
    if row.sync is None or not row.is_overdue or went_on(row) is not None:
        return False
    stops = [stop_of(row.sync, operation) for operation in row.overdue_operations]
    return all(s is not None and s.opening is not None for s in stops)
