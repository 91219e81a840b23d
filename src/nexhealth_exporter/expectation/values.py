"""From shares to what is expected in each slot of the week."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from nexhealth_exporter.expectation.quiet import NIGHT_LEAST_SLOTS
from nexhealth_exporter.expectation.shares import UNSTEADY_LEAST_SHARE, Shares
from nexhealth_exporter.expectation.slots import SLOT, SLOTS
from nexhealth_exporter.expectation.tuning import Tuning, tuning_of
from nexhealth_exporter.expectation.weekdays import alike
from nexhealth_exporter.model import IntegrationType

LEAST_EXPECTATION = 0.15
"""What is expected of a slot that only just counts as running; 1 is the full expectation."""

UNSEEN_FACTOR = 0.5
"""What a slot that was never seen counts, of what it counts on other weekdays."""

SELDOM_BELOW_SHARE = 0.6
"""A sync that moves in a smaller share of its usual slots moves seldom: no slot of its hours is a
rest."""

SELDOM_MISSED_MOVES = 16
"""Of a sync that moves seldom, so many moves must be missing before a ticket."""

AROUND_SLOTS = 2
"""Whether a sync that moves seldom could have moved in a slot is told by so many on either side."""

INSIDE_LEAST_FACTOR, LUNCH_BELOW_FACTOR = 0.5, 0.25
"""Factors on the share of a usual slot: the slots around one within hours have that much, and a
slot over lunch has less."""

WORKDAY_ABOVE_FACTOR = 0.35
"""A weekday with a smaller part of the busiest weekday's activity is not a working day."""

SLOW_MORNING_SLOTS, SLOW_MORNING_PERCENT = 2, 50
"""After a night, so many slots count so many percent at most: people come late."""

BRIDGED_MOST_SLOTS = 5
"""Up to so many slots in a row that nobody saw run if those around them do: polls may be rare."""

_STEP_PERCENT = 5
"""Values are rounded to it."""


class _Pace(NamedTuple):
    """How often a sync moves: the working days, its mean share by slot of these, a usual share."""

    working: list[int]
    by_slot: list[float]
    usual: float


def values_of(shares: Shares, kind: IntegrationType) -> tuple[bytes, int]:
    """The `values` of a `pattern.Week`, and its `seldom`."""
    tuning = tuning_of(kind)
    values, seldom = _values(shares, tuning), 0
    # A machine keeps its pace; people come at any time.
    if kind is not IntegrationType.SERVER:
        pace = _pace_of(shares)
        if 0 < pace.usual < SELDOM_BELOW_SHARE:
            seldom = _seldom_percent(pace.usual, tuning)
            _raise_within_hours(values, shares, pace, seldom)
    _fill_unseen(values, shares)
    _bridge(values, shares.share)
    _slow_mornings(values)
    return bytes(values), seldom


def _values(shares: Shares, tuning: Tuning) -> list[int]:
    """The expectation by slot of the week, in percent, from each slot's own share."""
    span = tuning.full_from_share - tuning.rest_below_share
    values: list[int] = []
    for at, share in enumerate(shares.pooled):
        least = tuning.rest_below_share
        if shares.comes_and_goes[at // SLOTS]:
            least = max(least, UNSTEADY_LEAST_SHARE)
        if share is None or share < least or shares.has_stopped(at) or shares.may_be_off(at):
            values.append(0)
        else:
            part = min(1.0, (share - tuning.rest_below_share) / span)
            expected = LEAST_EXPECTATION + (1 - LEAST_EXPECTATION) * part
            values.append(_STEP_PERCENT * round(100 / _STEP_PERCENT * expected))
    return values


def _pace_of(shares: Shares) -> _Pace:
    by_week = [0.0 if shares.may_be_off(at) else share for at, share in enumerate(shares.share)]
    days = [by_week[day * SLOTS : (day + 1) * SLOTS] for day in range(7)]
    activity = [sum(filter(None, day)) for day in days]
    working = [day for day in range(7) if activity[day] > WORKDAY_ABOVE_FACTOR * max(activity)]
    by_slot = [_mean([days[day][slot] for day in working]) for slot in range(SLOTS)]
    # Weighted by the shares themselves, so that nights do not make it smaller.
    usual = sum(share * share for share in by_slot) / (sum(by_slot) or 1.0)
    return _Pace(working, by_slot, usual)


def _seldom_percent(usual: float, tuning: Tuning) -> int:
    """What each slot counts if it moves in the share `usual` of them, at random, in percent.

    The least allowance before a ticket then runs out when `SELDOM_MISSED_MOVES` moves are missing.
    """
    moves = -math.log(1 - usual)
    tolerated = tuning.ticket_factor_least * tuning.usual_quiet / SLOT
    return max(1, round(100 * min(1.0, tolerated * moves / SELDOM_MISSED_MOVES)))


def _raise_within_hours(values: list[int], shares: Shares, pace: _Pace, percent: int) -> None:
    """Expect so many percent at least in all slots that lie within hours.

    Who moves a few times a day rests in most slots, but could have moved in any of them.
    """
    usual = pace.usual
    for day in pace.working:
        if shares.comes_and_goes[day]:
            continue
        for slot in range(SLOTS):
            at = day * SLOTS + slot
            around = range(at - AROUND_SLOTS, at + AROUND_SLOTS + 1)
            own = _mean([shares.share[near % len(values)] for near in around])
            others = _mean([pace.by_slot[near % SLOTS] for near in around])
            is_inside = own + others >= 2 * INSIDE_LEAST_FACTOR * usual
            if is_inside and pace.by_slot[slot] >= LUNCH_BELOW_FACTOR * usual:
                values[at] = max(values[at], percent)


def _mean(shares: Sequence[float | None]) -> float:
    """The mean of the shares that are known; 0 if none is."""
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if known else 0.0


def _fill_unseen(values: list[int], shares: Shares) -> None:
    """Take a slot that was never seen for a little less than it is on other weekdays.

    Else a new sync could die on a weekday that it has not had yet, and nobody would notice.
    """
    for at in range(len(values)):
        weekday, slot = divmod(at, SLOTS)
        if not shares.seen[weekday] >> slot & 1:
            others = (day * SLOTS + slot for day in alike(weekday))
            seen = [values[other] for other in others if shares.share[other] is not None]
            if seen:
                percent = UNSEEN_FACTOR * sum(seen) / len(seen)
                values[at] = _STEP_PERCENT * round(percent / _STEP_PERCENT)


def _bridge(values: list[int], shares: Sequence[float | None]) -> None:
    """Take a few unseen slots in a row for the lesser of the slots on either side."""
    count = len(values)
    for at, value in enumerate(values):
        unseen = 0
        while value and unseen <= BRIDGED_MOST_SLOTS and shares[(at + 1 + unseen) % count] is None:
            unseen += 1
        if 0 < unseen <= BRIDGED_MOST_SLOTS:
            least = min(value, values[(at + 1 + unseen) % count])
            for step in range(unseen):
                values[(at + 1 + step) % count] = least


def _slow_mornings(values: list[int]) -> None:
    """Let the first slots after a night count less: an office may open late."""
    count, rest = len(values), 0
    # Twice around, since the week may begin within a night.
    for at in [*range(count), *range(count)]:
        if values[at] == 0:
            rest += 1
            continue
        if rest >= NIGHT_LEAST_SLOTS:
            for step in range(SLOW_MORNING_SLOTS):
                late = (at + step) % count
                values[late] = min(values[late], SLOW_MORNING_PERCENT)
        rest = 0
