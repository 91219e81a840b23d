"""From a learned pattern to the plans of seven days, with a reason for every rest."""

from functools import lru_cache

import msgspec

from nexhealth_exporter.expectation.expectation import EXPECTED_FROM
from nexhealth_exporter.expectation.pattern import FULL_WEIGHT_PERCENT, Week, week_of
from nexhealth_exporter.expectation.schedule import SATURDAY, DayPlan, Span, joined
from nexhealth_exporter.expectation.sharing import shared
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
        values = week.values[weekday * SLOTS : (weekday + 1) * SLOTS]
        open_from = min(week.seldom or _EXPECTED_PERCENT, _EXPECTED_PERCENT)
        pauses = 0 if self.way is None else week.pauses_of(self.way).on(weekday)
        return _plan(values, pauses, open_from, self.weight, is_weekend=weekday >= SATURDAY)


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


@lru_cache(maxsize=2048)
def _plan(values: bytes, pauses: int, open_from: int, weight: int, *, is_weekend: bool) -> DayPlan:
    """The plan of a day, which is open from a value of `open_from` percent on.

    Kept, since many offices have equal days.
    """
    shown = [0 if pauses >> n & 1 else value for n, value in enumerate(values)]
    running = [n for n, value in enumerate(shown) if value >= open_from]
    spans = [
        Span(
            _SECOND_OF_SLOT[n],
            _SECOND_OF_SLOT[n + 1],
            shared(value / 100 * (weight / FULL_WEIGHT_PERCENT)),
            None if value >= open_from else _reason(n, running, is_weekend=is_weekend),
        )
        for n, value in enumerate(shown)
    ]
    return joined(spans)


def _reason(slot: int, running: list[int], *, is_weekend: bool) -> Reason:
    if not running:
        return Reason.WEEKEND if is_weekend else Reason.CLOSED
    if slot < running[0] or slot > running[-1]:
        return Reason.CLOSED
    before = max(n for n in running if n < slot)
    after = min(n for n in running if n > slot)
    if _LUNCH_SLOTS[0] <= before + 1 and after <= _LUNCH_SLOTS[1]:
        return Reason.LUNCH
    return Reason.LEARNED
