"""Quiet stretches: how long a direction has rested before, by the hour at which that began."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.slots import SLOT, SLOTS
from nexhealth_exporter.expectation.zone import local_second

OVERNIGHT = -1
"""In place of a slot: of a silence that can only be overdue after a night."""

NIGHT = 4 * 3600.0
"""So much rest in one silence is a night."""

NIGHT_SLOTS = int(NIGHT // SLOT)

NEAR = 3
"""Silences that begin so few slots apart begin at the same hour."""

ALIKE, KEPT = 2, 10
"""How many stretches are kept of those that began at one hour, and in all; the longest."""


class Quiet(NamedTuple):
    """A stretch in which a direction should have moved and did not, but came back by itself."""

    day: int
    """The local day (days since 1970) on which it ended."""
    seconds: int
    """Of expected time."""
    began: int = OVERNIGHT
    """The slot of the day in which it began, or OVERNIGHT."""


def hour_of(expectation: Expectation, mark: float, usual: float) -> int:
    """The slot of the day in which a silence began with that mark, or OVERNIGHT.

    `usual` is how many expected seconds are usually tolerated.
    """
    due = expectation.deadline(mark, usual)
    if due is None or due - mark - usual >= NIGHT:
        return OVERNIGHT
    return int(local_second(expectation.timezone, mark) // SLOT)


def are_near(one: int, other: int) -> bool:
    """Whether two silences began at about the same hour."""
    if one == OVERNIGHT or other == OVERNIGHT:  # noqa: PLR1714 - a set for each look is dear
        return one == other
    apart = abs(one - other)
    return min(apart, SLOTS - apart) <= NEAR


def longest(quiets: Iterable[Quiet]) -> tuple[Quiet, ...]:
    """Those that are worth keeping, the longest first."""
    kept: list[Quiet] = []
    for quiet in sorted(quiets, key=lambda q: -q.seconds):
        if sum(are_near(quiet.began, other.began) for other in kept) < ALIKE:
            kept.append(quiet)
        if len(kept) == KEPT:
            break
    return tuple(kept)


def usual_from(quiets: Sequence[Quiet], began: int | None) -> float:
    """Seconds for which it has rested before: at this hour, or at two other hours of the day.

    After a night it must have been twice, since one morning off is no habit. Without an hour,
    only what has come at two hours counts.
    """
    if began == OVERNIGHT:
        nights = [q.seconds for q in quiets if q.began == OVERNIGHT]
        return nights[1] if len(nights) > 1 else 0.0
    days = [q for q in quiets if q.began != OVERNIGHT]
    # What rests again and again at one hour, as for a backup, says nothing of the other hours.
    twice = next((q.seconds for q in days if not are_near(q.began, days[0].began)), 0.0)
    for quiet in days:
        if began is not None and are_near(quiet.began, began):
            return max(quiet.seconds, twice)
    return twice
