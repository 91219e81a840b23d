"""From a learned pattern to the plans of seven days, with a reason for every rest."""

from functools import lru_cache

import msgspec

from nexhealth_exporter.expectation.expectation import EXPECTED
from nexhealth_exporter.expectation.pattern import WHOLE, Week, week_of
from nexhealth_exporter.expectation.schedule import SATURDAY, DayPlan, Span, joined
from nexhealth_exporter.expectation.slots import SLOT, SLOTS
from nexhealth_exporter.model import Reason

_EVENING = 34
"""The slot at 17:00."""

_SECONDS = tuple(slot * SLOT for slot in range(SLOTS + 1))
"""At which second of the day each slot begins; every learned sync holds two of them."""

_HALF = round(100 * EXPECTED)

_NOON = (22, 30)
"""Slots from 11:00 to 15:00: a rest between hours that lies within is lunch."""


class LearnedWeek(msgspec.Struct, frozen=True, gc=False):
    """The seven ordinary days of a pattern, by its `packed` week.

    Slots of the day in `pauses` rest on each; an hour counts `weight` percent of what it does.

    Plans are made when asked for: ready, they would be many times as large.
    """

    packed: bytes
    pauses: int = 0
    weight: int = WHOLE

    def __getitem__(self, weekday: int, /) -> DayPlan:
        """The plan of that weekday; 0 is Monday."""
        week = week_of(self.packed)
        values = week.values[weekday * SLOTS : (weekday + 1) * SLOTS]
        open_from = min(week.seldom or _HALF, _HALF)
        return _plan(values, self.pauses, open_from, self.weight, is_weekend=weekday >= SATURDAY)


def beside_rest(week: Week) -> tuple[int, int]:
    """Until when it rests after a day of rest, and from when before one; seconds of the day."""
    days = [week.values[day * SLOTS : (day + 1) * SLOTS] for day in range(7)]
    back, gone = 0, SLOTS
    for day, values in enumerate(days):
        running = [n for n, value in enumerate(values) if value]
        if running and not any(days[day - 1]):
            back = max(back, running[0])
        if running and not any(days[(day + 1) % 7]):
            gone = min(gone, running[-1] + 1)
    # The last day of a week may be a short one: that says nothing of other afternoons.
    return _SECONDS[back], _SECONDS[max(gone, _EVENING)]


@lru_cache(maxsize=2048)
def _plan(values: bytes, pauses: int, open_from: int, weight: int, *, is_weekend: bool) -> DayPlan:
    """One day, with hours where a value is `open_from` percent; many offices have the same."""
    shown = [0 if pauses >> n & 1 else value for n, value in enumerate(values)]
    running = [n for n, value in enumerate(shown) if value >= open_from]
    spans = [
        Span(
            n * SLOT,
            (n + 1) * SLOT,
            value / 100 * (weight / WHOLE),
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
    if _NOON[0] <= before + 1 and after <= _NOON[1]:
        return Reason.LUNCH
    return Reason.LEARNED
