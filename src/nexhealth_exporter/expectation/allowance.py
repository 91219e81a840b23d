"""How much unexpected lag is tolerated, per direction and severity."""

from collections.abc import Mapping
from typing import NamedTuple

from nexhealth_exporter.expectation.expectation import Expectation, clamped
from nexhealth_exporter.expectation.quiet import start_slot_of
from nexhealth_exporter.expectation.schedule import DAY, HOUR, MINUTE
from nexhealth_exporter.expectation.tuning import (
    USUAL_IN_DEFAULT_HOURS,
    tuning_of,
    usual_quiet_of,
)
from nexhealth_exporter.expectation.zone import local_second
from nexhealth_exporter.model import IntegrationType, Operation, Severity, Source


class Bounds(NamedTuple):
    """A configured allowance in seconds: exact when both are equal, else the limits."""

    low: float
    high: float

    def precedes(self, critical: "Bounds") -> bool:
        """Whether it may be a warning beside that: a page must not come before its ticket."""
        return self.low <= critical.low and self.high <= critical.high


AllowanceRules = Mapping[tuple[IntegrationType, Operation, Severity], Bounds]
"""What the operator configured; leaves that are missing keep the built-in allowance."""


LEAST, MOST = 0.7, 2.0
"""No less and no more than so many times the usual allowance is tolerated, whatever the cadence."""

MIDDAY = 11 * HOUR
"""From this time of the day on, silence may mean that people went home."""

NEXT_DAYS = 14

CLOSING = 90 * MINUTE
"""A last mark with so little left of the day's expected time is the usual closing."""

MORNING = 2.5 * HOUR
"""Who went home early is away no longer than so many expected seconds of the next morning."""

BACK = HOUR
"""Who was away for a day is back after no more expected seconds of the next morning."""

MOST_LEFT = 0.9
"""No more of a server's day is added before a page: it comes before twice the usual is over."""

EARLY = 75 * MINUTE
"""A server with so little left of the day may have been switched off early."""


class Room(NamedTuple):
    """What is to be added to a usual allowance, in seconds but for two factors.

    `stretch` is what the direction's cadence asks for before a ticket; a page leaves room for the
    same quiet stretches in seconds. `patience` is for a pattern that is young.
    `left` is what was left of the day's expected time when the sync fell silent
    after midday, `next_day` the expected time of the first day after, if one in a browser
    fell silent at the usual closing; else both are 0.
    """

    stretch: float = 1.0
    patience: float = 1.0
    left: float = 0.0
    next_day: float = 0.0
    is_left_behind: bool = False
    """The other direction goes on: people are at work, and the machine is on."""
    is_server: bool = False
    """A server that stops at noon is a ticket all the same, but a page only after the day.
    One that stops shortly before the usual closing is no ticket before the next opening."""

    def allowed(self, severity: Severity, all_usual: Mapping[Severity, float]) -> float:
        """The allowance: an afternoon off is no ticket, a first day away no page."""
        usual = all_usual[severity]
        if self.is_left_behind:
            return LEAST * usual
        quiet = self.stretch * all_usual[Severity.WARNING]
        if severity is Severity.WARNING:
            is_early = not self.is_server or self.left <= EARLY
            seconds = quiet + min(self.left if is_early else 0.0, usual)
        else:
            seconds = max(quiet, self.patience * usual)
            if self.is_server:
                seconds += min(self.left, MOST_LEFT * usual)
            elif self.left or self.next_day:
                away = self.next_day + BACK if self.next_day else MORNING
                seconds = max(seconds, self.left + away)
        return min(max(seconds, LEAST * usual), MOST * usual)


def hour_after(expectation: Expectation, mark: float | None, kind: IntegrationType) -> int | None:
    """When a silence began with that mark, as `quiet.start_slot_of` has it."""
    if mark is None:
        return None
    return start_slot_of(expectation, clamped(mark), usual_quiet_of(kind))


def room_after(expectation: Expectation, mark: float, room: Room, kind: IntegrationType) -> Room:
    """The room with what follows from the instant of the last mark."""
    is_server = kind is IntegrationType.SERVER
    usual = room._replace(is_server=is_server)
    if not expectation.holidays:
        return usual  # it runs around the clock: no hour is that of going home
    mark = clamped(mark)
    local = local_second(expectation.timezone, mark)
    if local < MIDDAY and expectation.piece(mark).is_expected:
        return usual
    midnight = mark - local + DAY
    if is_server and expectation.piece(midnight).value > 0:
        return usual  # it runs through the night: nobody switches it off at noon
    left = expectation.unexpected(mark, midnight)
    if left > CLOSING or is_server:
        return usual._replace(left=left)
    for day in range(NEXT_DAYS):
        start = midnight + day * DAY
        if next_day := expectation.unexpected(start, start + DAY):
            return usual._replace(left=left, next_day=next_day)
    return usual._replace(left=left)


def allowances(
    integration_type: IntegrationType,
    operation: Operation,
    source: Source,
    rules: AllowanceRules,
    room: Room | None = None,
) -> dict[Severity, float]:
    """Seconds of unexpected lag that are tolerated, for both severities.

    `room` is what the direction's own cadence and its last mark ask for.
    """
    if source is Source.DEFAULT and not rules:
        return dict(USUAL_IN_DEFAULT_HOURS)
    room = room or Room()
    if source is Source.DEFAULT:
        usual, room = USUAL_IN_DEFAULT_HOURS, Room()
    else:
        usual = tuning_of(integration_type).usual
    own_warning = rules.get((integration_type, operation, Severity.WARNING))
    own_critical = rules.get((integration_type, operation, Severity.CRITICAL))
    warning = _bounded(room.allowed(Severity.WARNING, usual), own_warning)
    critical = _bounded(room.allowed(Severity.CRITICAL, usual), own_critical)
    # A page must not come before the ticket: what is configured stays, the other one gives way.
    if own_critical is not None and own_warning is None:
        warning = min(warning, critical)
    return {Severity.WARNING: warning, Severity.CRITICAL: max(warning, critical)}


def _bounded(seconds: float, bounds: Bounds | None) -> float:
    return seconds if bounds is None else min(max(seconds, bounds.low), bounds.high)
