"""How much unexpected lag is tolerated, per direction and severity."""

from collections.abc import Mapping
from typing import NamedTuple

from nexhealth_exporter.expectation.expectation import Expectation, clamped
from nexhealth_exporter.expectation.pattern import FULL_WEIGHT_PERCENT, Pattern
from nexhealth_exporter.expectation.quiet import OVERNIGHT, start_slot_of
from nexhealth_exporter.expectation.schedule import DAY, HOUR, MINUTE
from nexhealth_exporter.expectation.tuning import (
    USUAL_IN_DEFAULT_HOURS,
    tuning_of,
)
from nexhealth_exporter.expectation.zone import local_second
from nexhealth_exporter.model import IntegrationType, Operation, Severity, Source

LEAST_FACTOR, MOST_FACTOR = 0.7, 2.0
"""No less and no more than so many times the usual allowance is tolerated, whatever the cadence."""

NEXT_OPENING_WITHIN_DAYS = 14

CLOSING_MOST_SECONDS = 90 * MINUTE
"""A last mark with at most so much of the day's expected time left is the usual closing."""

BACK_AFTER_AFTERNOON_SECONDS = 2.5 * HOUR
"""Who went home early is back before so many expected seconds of the morning have passed."""

BACK_AFTER_DAY_SECONDS = 1.0 * HOUR
"""Who was away for a day is back before so many expected seconds of the morning have passed."""

SERVER_LEFT_MOST_FACTOR = 0.9
"""At most so many times the usual allowance is added for what was left of a server's day, so that
its page comes before twice the usual allowance is over."""

SERVER_EARLY_MOST_SECONDS = 75 * MINUTE
"""With at most so much of the day's expected time left, a server may just be off early."""


class Bounds(NamedTuple):
    """A configured allowance in seconds: exact if both are equal, else the limits."""

    low: float
    high: float

    def precedes(self, critical: "Bounds") -> bool:
        """Whether a warning with these bounds comes no later than a page with those."""
        return self.low <= critical.low and self.high <= critical.high


AllowanceRules = Mapping[tuple[IntegrationType, Operation, Severity], Bounds]
"""What the operator configured; where an entry is missing, the built-in allowance holds."""


class Room(NamedTuple):
    """How the usual allowances change with a direction's own cadence and its last mark.

    `ticket_factor` and `page_factor` are `Pattern`'s factors on the usual allowances. A page also
    leaves room for the same seconds of quiet as a ticket. `left` is how much of the day's expected
    time was left, in seconds, when the sync fell silent after midday. `next_day` is the expected
    time of the first day after, in seconds, if a browser-based sync fell silent at the usual
    closing. Else both are 0.
    """

    ticket_factor: float = 1.0
    page_factor: float = 1.0
    left: float = 0.0
    next_day: float = 0.0
    is_left_behind: bool = False
    """The other direction goes on: people are at work, and the machine is on."""
    is_server: bool = False

    @classmethod
    def of(
        cls,
        pattern: Pattern,
        way: int,
        kind: IntegrationType,
        began: int | None = None,
        *,
        lasts: bool = True,
    ) -> "Room":
        """The room that a pattern asks for, in one direction (0 read, 1 write).

        `began` and `lasts` are as for `Pattern.ticket_factor`.
        """
        return cls(
            ticket_factor=pattern.ticket_factor(way, kind, began, lasts=lasts),
            page_factor=pattern.page_factor(kind, began),
            is_server=kind is IntegrationType.SERVER,
        )

    def warning(self, usual: Mapping[Severity, float]) -> float:
        """The seconds before a ticket, with room for an afternoon off.

        A server that stops at noon is a ticket all the same. One that stops shortly before the
        usual closing is none before the next opening.
        """
        own = usual[Severity.WARNING]
        if self.is_left_behind:
            return LEAST_FACTOR * own
        is_afternoon_off = not self.is_server or self.left <= SERVER_EARLY_MOST_SECONDS
        left = self.left if is_afternoon_off else 0.0
        return _limited(self.ticket_factor * own + min(left, own), own)

    def critical(self, usual: Mapping[Severity, float]) -> float:
        """The seconds before a page, with room for a first day away.

        The page of a server that stops at noon comes only after the day.
        """
        own = usual[Severity.CRITICAL]
        if self.is_left_behind:
            return LEAST_FACTOR * own
        seconds = max(self.ticket_factor * usual[Severity.WARNING], self.page_factor * own)
        if self.is_server:
            seconds += min(self.left, SERVER_LEFT_MOST_FACTOR * own)
        elif self.next_day:
            seconds = max(seconds, self.left + (self.next_day + BACK_AFTER_DAY_SECONDS))
        elif self.left:
            seconds = max(seconds, self.left + BACK_AFTER_AFTERNOON_SECONDS)
        return _limited(seconds, own)


def _limited(seconds: float, usual: float) -> float:
    return min(max(seconds, LEAST_FACTOR * usual), MOST_FACTOR * usual)


def room_after(
    mark: float,
    expectation: Expectation,
    pattern: Pattern,
    way: int,
    kind: IntegrationType,
    *,
    alone: int,
) -> Room:
    """The room for a silence since `mark` of one direction (0 read, 1 write), by learned hours.

    `alone` is the number of half hours since then in which the other direction has moved.
    """
    mark = clamped(mark)
    tuning, has_full_weight = tuning_of(kind), pattern.weights[way] == FULL_WEIGHT_PERCENT
    began = start_slot_of(expectation, mark, tuning.usual_quiet)
    lasts = True
    if began == OVERNIGHT:
        shorter = tuning.usual_quiet * min(1.0, tuning.ticket_factor_least_overnight)
        # An hour of less weight counts less, so it may be overdue before the night.
        lasts = has_full_weight and (
            shorter == tuning.usual_quiet or start_slot_of(expectation, mark, shorter) == OVERNIGHT
        )
    room = Room.of(pattern, way, kind, began, lasts=lasts)
    if pattern.is_left_behind(way, alone):
        return room._replace(is_left_behind=True)
    if not has_full_weight:
        # For a direction that moves hours apart, the last mark does not show closing time.
        return room
    return _with_time_off(room, expectation, mark, tuning.midday_second)


def _with_time_off(room: Room, expectation: Expectation, mark: float, midday_second: float) -> Room:
    """The room for people who went home after that mark."""
    if not expectation.holidays:
        return room  # it runs around the clock: nobody goes home at any hour
    local = local_second(expectation.timezone, mark)
    if local < midday_second and expectation.piece(mark).is_expected:
        return room
    midnight = mark - local + DAY
    if room.is_server and expectation.piece(midnight).value > 0:
        return room  # it runs through the night: nobody switches it off at noon
    left = expectation.unexpected(mark, midnight)
    if room.is_server or left > CLOSING_MOST_SECONDS:
        return room._replace(left=left)
    for day in range(NEXT_OPENING_WITHIN_DAYS):
        start = midnight + day * DAY
        if next_day := expectation.unexpected(start, start + DAY):
            return room._replace(left=left, next_day=next_day)
    return room._replace(left=left)


def allowances(
    integration_type: IntegrationType,
    operation: Operation,
    source: Source,
    rules: AllowanceRules,
    room: Room | None = None,
) -> dict[Severity, float]:
    """The seconds of unexpected lag that are tolerated, by severity.

    `room` is what the direction's own cadence and its last mark ask for, if a pattern shows them.
    """
    if source is Source.DEFAULT and not rules:
        return dict(USUAL_IN_DEFAULT_HOURS)  # what follows would give the same, more slowly
    is_default = source is Source.DEFAULT
    usual = USUAL_IN_DEFAULT_HOURS if is_default else tuning_of(integration_type).usual
    room = room or Room()
    own_warning = rules.get((integration_type, operation, Severity.WARNING))
    own_critical = rules.get((integration_type, operation, Severity.CRITICAL))
    warning = _bounded(room.warning(usual), own_warning)
    critical = _bounded(room.critical(usual), own_critical)
    # A page must not come before the ticket: what is configured stays, the other one gives way.
    if own_critical is not None and own_warning is None:
        warning = min(warning, critical)
    return {Severity.WARNING: warning, Severity.CRITICAL: max(warning, critical)}


def _bounded(seconds: float, bounds: Bounds | None) -> float:
    return seconds if bounds is None else min(max(seconds, bounds.low), bounds.high)
