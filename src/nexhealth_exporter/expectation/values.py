"""From shares to what is expected of each slot of the week."""

import math
from collections.abc import Sequence

from nexhealth_exporter.expectation.quiet import NIGHT_SLOTS
from nexhealth_exporter.expectation.shares import Shares, alike
from nexhealth_exporter.expectation.slots import SLOT, SLOTS
from nexhealth_exporter.expectation.tuning import Tuning, tuning_of
from nexhealth_exporter.model import IntegrationType

LEAST_VALUE = 0.15
"""What a slot counts that only just runs."""

OFTEN = 0.7
"""On a weekday that was off lately, from this share on a slot runs: every other week is less, be
one of them not known."""

UNSEEN = 0.5
"""What a slot counts that was never seen, of what it counts on other weekdays."""

SPARSE = 0.6
"""A sync that moves in a smaller share of its slots rests in none of them: it moves seldom."""

MISSES = 16
"""Of a sync that moves seldom, so many moves must have stayed away before a ticket."""

AROUND = 2
"""So many slots on either side tell of one in which a sync that moves seldom may have moved."""

INSIDE, GAP = 0.5, 0.25
"""Of the share of a usual slot, the least that there is around one within hours, and the most over
lunch."""

WORKING = 0.35
"""A weekday with a smaller part of what the busiest has is none on which it works."""

MORNING, MORNING_VALUE = 2, 50
"""After a night, so many slots count no more than so many percent: people come late."""

BRIDGED = 5
"""So many slots on end that nobody saw run if those around them do: rounds may be rare."""


def values_of(shares: Shares, kind: IntegrationType) -> tuple[bytes, int]:
    """The values of a `pattern.Week`, and its `seldom`."""
    values = _values(shares, tuning_of(kind))
    seldom = 0
    # A machine keeps its pace; people come at any time.
    if kind is not IntegrationType.SERVER:
        seldom = _seldom(values, shares, tuning_of(kind))
    _unseen(values, shares)
    _bridge(values, shares.share)
    _slow_mornings(values)
    return bytes(values), seldom


def _values(shares: Shares, tuning: Tuning) -> list[int]:
    span = tuning.full_from_share - tuning.rest_below_share
    values: list[int] = []
    for at, share in enumerate(shares.pooled):
        least = tuning.rest_below_share
        if shares.comes_and_goes[at // SLOTS]:
            least = max(least, OFTEN)
        if share is None or share < least or shares.has_stopped(at) or shares.may_be_off(at):
            values.append(0)
        else:
            part = min(1.0, (share - tuning.rest_below_share) / span)
            values.append(5 * round(20 * (LEAST_VALUE + (1 - LEAST_VALUE) * part)))
    return values


def _seldom(values: list[int], shares: Shares, tuning: Tuning) -> int:
    """Who moves a few times a day rests in most slots, and is expected a little in all of them.

    Moves come at random within the hours, and slots count so much that the usual allowance runs
    out when `MISSES` of them would have come: so many percent, or 0 if it moves often.
    """
    days = [shares.share[day * SLOTS : (day + 1) * SLOTS] for day in range(7)]
    each = [sum(filter(None, day)) for day in days]
    working = [day for day in range(7) if each[day] > WORKING * max(each)]
    by_slot = [_mean([days[day][slot] for day in working]) for slot in range(SLOTS)]
    usual = sum(share * share for share in by_slot) / (sum(by_slot) or 1.0)
    if not 0 < usual < SPARSE:
        return 0
    moves = -math.log(1 - usual)
    tolerated = tuning.least_stretch * tuning.usual_quiet / SLOT
    value = max(1, round(100 * min(1.0, tolerated * moves / MISSES)))
    for day in working:
        if shares.comes_and_goes[day]:
            continue
        for slot in range(SLOTS):
            around = range(day * SLOTS + slot - AROUND, day * SLOTS + slot + AROUND + 1)
            own = _mean([shares.share[at % len(values)] for at in around])
            others = _mean([by_slot[at % SLOTS] for at in around])
            if own + others >= 2 * INSIDE * usual and by_slot[slot] >= GAP * usual:
                at = day * SLOTS + slot
                values[at] = max(values[at], value)
    return value


def _mean(shares: Sequence[float | None]) -> float:
    """Of those that are known; 0 if none is."""
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if known else 0.0


def _unseen(values: list[int], shares: Shares) -> None:
    """What was never seen of a day is likely as on others: else a new sync could die unnoticed."""
    for at in range(len(values)):
        weekday, slot = divmod(at, SLOTS)
        if not shares.seen[weekday] >> slot & 1:
            others = (day * SLOTS + slot for day in alike(weekday))
            seen = [values[other] for other in others if shares.share[other] is not None]
            if seen:
                values[at] = 5 * round(UNSEEN * sum(seen) / len(seen) / 5)


def _bridge(values: list[int], shares: Sequence[float | None]) -> None:
    """Slots of which nothing was seen count as the lesser of those around them, if few."""
    count = len(values)
    for at, value in enumerate(values):
        unseen = 0
        while value and unseen <= BRIDGED and shares[(at + 1 + unseen) % count] is None:
            unseen += 1
        if 0 < unseen <= BRIDGED:
            least = min(value, values[(at + 1 + unseen) % count])
            for step in range(unseen):
                values[(at + 1 + step) % count] = least


def _slow_mornings(values: list[int]) -> None:
    """After a night the first slots count less: an office may open late."""
    count, rest = len(values), 0
    for at in [*range(count), *range(count)]:
        if values[at] == 0:
            rest += 1
            continue
        if rest >= NIGHT_SLOTS:
            for step in range(MORNING):
                late = (at + step) % count
                values[late] = min(values[late], MORNING_VALUE)
        rest = 0
