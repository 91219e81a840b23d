"""From a learned pattern to the plans of seven days, with a reason for every rest."""

import itertools
import operator
from collections.abc import Sequence
from functools import cache, lru_cache

import msgspec

from nexhealth_exporter.expectation.expectation import EXPECTED_FROM
from nexhealth_exporter.expectation.pattern import FULL_WEIGHT_PERCENT, Week, week_of
from nexhealth_exporter.expectation.schedule import SATURDAY, DayPlan, Span
from nexhealth_exporter.expectation.slots import SLOT, SLOTS
from nexhealth_exporter.model import Reason

_EVENING_SLOT = 34
"""The slot at 17:00."""

_SECOND_OF_SLOT = tuple(slot * SLOT for slot in range(SLOTS + 1))
"""The second of the day at which each slot begins; shared, since syncs and plans hold many."""

_EXPECTED_PERCENT = round(100 * EXPECTED_FROM)

_LUNCH_SLOTS = (22, 30)
"""From 11:00 to 15:00: a rest between hours that lies within is lunch."""


class LearnedWeek(msgspec.Struct, frozen=True, gc=False):
    """The seven ordinary days of a pattern, given its `packed` week.

    They are those of the sync if `way` is None, else of one direction (0 read, 1 write): it rests
    in its pauses, and its expectation is `weight` percent of that of the pattern. Plans are made
    when they are asked for: kept ready, they would be many times as large.
    """

    packed: bytes
    way: int | None = None
    weight: int = FULL_WEIGHT_PERCENT

    def __getitem__(self, weekday: int, /) -> DayPlan:
        """The plan of that weekday; 0 is Monday."""
        week = week_of(self.packed)
        percents = week.values[weekday * SLOTS : (weekday + 1) * SLOTS]
        if self.way is not None and (pauses := week.pauses_of(self.way).on(weekday)):
            percents = bytes(map(operator.mul, percents, _outside(pauses)))
        open_from = min(week.seldom or _EXPECTED_PERCENT, _EXPECTED_PERCENT)
        return _plan(percents, open_from, self.weight, is_weekend=weekday >= SATURDAY)


def beside_rest(week: Week) -> tuple[int, int]:
    """Until which second of the day it rests after a day of rest, and from which before one."""
    days = [week.values[day * SLOTS : (day + 1) * SLOTS] for day in range(7)]
    back, gone = 0, SLOTS
    for day, values in enumerate(days):
        running = [n for n, value in enumerate(values) if value]
        if running and not any(days[day - 1]):
            back = max(back, running[0])
        if running and not any(days[(day + 1) % 7]):
            gone = min(gone, running[-1] + 1)
    # The last day of a week may be a short one, which says nothing about other afternoons.
    return _SECOND_OF_SLOT[back], _SECOND_OF_SLOT[max(gone, _EVENING_SLOT)]


@lru_cache(maxsize=1024)
def _outside(pauses: int) -> bytes:
    """For each slot of a day, 0 if it is among these, else 1."""
    return bytes(1 - (pauses >> slot & 1) for slot in range(SLOTS))


@lru_cache(maxsize=1024)
def _plan(percents: bytes, open_from: int, weight: int, *, is_weekend: bool) -> DayPlan:
    """The plan of a day, given its slots; it is open from a value of `open_from` percent on.

    Cached, since many offices have equal days, above all at weekends.
    """
    changes = itertools.compress(range(1, SLOTS), map(operator.ne, percents, percents[1:]))
    edges = [0, *changes, SLOTS]
    openings = [slot for slot in edges[:-1] if percents[slot] >= open_from]
    spans, closed_from = list[Span](), 0
    for slot, end in itertools.pairwise(edges):
        percent, reason = percents[slot], None
        if percent >= open_from:
            closed_from = end
        elif openings and openings[0] < slot < openings[-1]:
            opens = next(opening for opening in openings if opening > slot)
            is_lunch = _LUNCH_SLOTS[0] <= closed_from and opens <= _LUNCH_SLOTS[1]
            reason = Reason.LUNCH if is_lunch else Reason.LEARNED
        else:
            reason = Reason.WEEKEND if is_weekend and not openings else Reason.CLOSED
        spans.append(_span(slot, end, _values(weight)[percent], reason))
    return tuple(spans)


@lru_cache(maxsize=4096)
def _span(slot: int, end: int, value: float, reason: Reason | None) -> Span:
    """Cached, so that the days of many offices share them."""
    return Span(_SECOND_OF_SLOT[slot], _SECOND_OF_SLOT[end], value, reason)


@cache
def _values(weight: int) -> Sequence[float]:
    """The expectation by percentage, if an hour counts `weight` percent."""
    return [percent / 100 * (weight / FULL_WEIGHT_PERCENT) for percent in range(101)]
