"""Quiet stretches: how long a direction has rested before, by the hour at which it fell silent."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nexhealth_exporter.expectation.expectation import Expectation
from nexhealth_exporter.expectation.schedule import HOUR
from nexhealth_exporter.expectation.slots import SLOT, SLOTS
from nexhealth_exporter.expectation.zone import local_second

OVERNIGHT = -1
"""In place of a slot: the silence can only become overdue after a night."""

NIGHT_LEAST_SECONDS = 4.0 * HOUR
"""A silence with so much rest in it has lasted over a night."""

NIGHT_LEAST_SLOTS = int(NIGHT_LEAST_SECONDS // SLOT)

SAME_HOUR_MOST_SLOTS = 3
"""Silences that begin at most so many slots apart begin at the same hour."""

KEPT_OF_HOUR, KEPT_IN_ALL = 2, 10
"""How many of the longest stretches are kept: of those that began at one hour, and in all."""


class Quiet(NamedTuple):
    """A stretch in which a direction should have moved and did not, but came back by itself."""

    day: int
    """The local day (days since 1970) on which it ended."""
    seconds: int
    """Its length in expected time."""
    began: int = OVERNIGHT
    """The slot of the day in which it began, or OVERNIGHT."""


def start_slot_of(expectation: Expectation, mark: float, usual: float) -> int:
    """The slot of the day in which the silence after that mark began, or OVERNIGHT.

    `usual` is how many expected seconds of silence are usually tolerated.
    """
    due = expectation.deadline(mark, usual)
    if due is None or due - mark - usual >= NIGHT_LEAST_SECONDS:
        return OVERNIGHT
    return int(local_second(expectation.timezone, mark) // SLOT)


def are_near(one: int, other: int) -> bool:
    """Whether two silences began at about the same hour."""
    if one == OVERNIGHT or other == OVERNIGHT:  # noqa: PLR1714 - a set for each look is expensive
        return one == other
    apart = abs(one - other)
    return min(apart, SLOTS - apart) <= SAME_HOUR_MOST_SLOTS


def longest(quiets: Iterable[Quiet]) -> tuple[Quiet, ...]:
    """The stretches that are worth keeping, the longest first."""
    kept: list[Quiet] = []
    for quiet in sorted(quiets, key=lambda q: -q.seconds):
        if sum(are_near(quiet.began, other.began) for other in kept) < KEPT_OF_HOUR:
            kept.append(quiet)
        if len(kept) == KEPT_IN_ALL:
            break
    return tuple(kept)


def usual_from(quiets: Sequence[Quiet], began: int | None) -> float:
    """The expected seconds that such a silence has lasted before; `quiets` has the longest first.

    One stretch that began at the same hour counts, and so do stretches at two other hours. Over a
    night there must have been two, since one morning off is no habit. If the hour is not known
    (`began` is None), only what has happened at two hours counts.
    """
    if began == OVERNIGHT:
        nights = [q.seconds for q in quiets if q.began == OVERNIGHT]
        return nights[1] if len(nights) > 1 else 0.0
    days = [q for q in quiets if q.began != OVERNIGHT]
    # A rest that recurs at one hour, such as a backup, says nothing about the other hours.
    twice = next((q.seconds for q in days if not are_near(q.began, days[0].began)), 0.0)
    for quiet in days:
        if began is not None and are_near(quiet.began, began):
            return max(quiet.seconds, twice)
    return twice
