"""How a sync fell silent: during or between its hours, and what the other direction did."""

from dataclasses import dataclass
from functools import lru_cache

from nexhealth_exporter.expectation.expectation import HORIZON, Expectation
from nexhealth_exporter.fleet import SyncStanding
from nexhealth_exporter.model import Operation, Reason, Severity
from nexhealth_exporter.report.row import FLUCTUATION, Row

LATER = 1800.0
"""A direction has gone on if it moved at least so many seconds after the other one stopped."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of open hours or of rest; `start` or `end` is None if beyond the horizon.

    Unlike a segment, it goes on where only the reason changes.
    """

    start: float | None
    end: float | None
    is_open: bool


@lru_cache(maxsize=1024)
def stretch(expectation: Expectation, at: float) -> Stretch:
    """The stretch that contains the instant `at`."""
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
        # Before 1970 there is nothing earlier: the epoch is how some systems write null.
        goes_back = at - HORIZON < earlier.start < start
        start = earlier.start if goes_back else None
    return Stretch(start, end, is_open)


@dataclass(frozen=True, slots=True)
class Stop:
    """How a direction fell silent: during open hours, or over a rest after which it did not return.

    `opening` is when it should have come back; None if it stopped during open hours.
    """

    at: float
    opening: float | None
    rest: Reason | None


def stop_of(sync: SyncStanding, operation: Operation) -> Stop | None:
    """How the direction stopped; None if there never was a mark.

    A mark shortly before a rest counts as if it were at the start of the rest: so late in the day,
    a silence would have stayed within the allowance.
    """
    judgement = sync.judgement(operation)
    if judgement.mark is None and judgement.anchor == sync.first_seen:
        return None
    expectation, at = sync.expectation, judgement.anchor
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
    """The first instant from `at` on at which silence counts, at least in part, or does not.

    A learned morning counts in part before the sync is expected up; that is the opening.
    """
    for piece in expectation.segments(at):
        if bool(piece.value) is counting:
            return max(piece.start, at)
        if piece.start > at + HORIZON:
            break
    return None


def went_on(row: Row) -> Operation | None:
    """The direction that has moved since the overdue ones stopped or should have come back."""
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
    """The direction that was late at the latest good poll, though only the other is overdue."""
    if row.sync is None or row.standing.last_success is None:
        return None
    for operation in Operation:
        unexpected = row.sync.judgement(operation).unexpected(row.standing.last_success)
        if operation not in row.overdue_operations and (unexpected or 0.0) > FLUCTUATION:
            return operation
    return None


def looks_closed(row: Row) -> bool:
    """Whether the silence looks like an unannounced closure, because it followed a rest.

    Not if the other direction has moved since: then somebody is there.
    """
    if row.sync is None or not row.is_overdue or went_on(row) is not None:
        return False
    stops = [stop_of(row.sync, operation) for operation in row.overdue_operations]
    return all(s is not None and s.opening is not None for s in stops)
