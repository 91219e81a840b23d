"""Weekdays that agree on a slot: part of the evidence of one counts for the others."""

from collections.abc import Sequence

from nexhealth_exporter.expectation.evidence import DAY_MASK
from nexhealth_exporter.expectation.weekdays import RUNS_FROM_SHARE, Weekday, alike

SETTLED_FROM_WEIGHT = 1.5
"""With less evidence of its own, a slot must be confirmed by the other weekdays."""

POOLED_WEIGHT = 0.35
"""The weight of the evidence of another weekday that agrees."""


def pooled(week: Sequence[Weekday]) -> list[float | None]:
    """By slot of the week, its share of weeks drawn towards that of weekdays that agree with it."""
    beside = _beside_days_off(week)
    return [share for weekday in range(7) for share in _pooled(week, weekday, beside)]


def _pooled(week: Sequence[Weekday], weekday: int, beside: Sequence[int]) -> Sequence[float | None]:
    """The shares of one weekday, drawn towards those of other weekdays which agree with it.

    Slots in `beside`, masks by weekday, are left as they are and draw no others.
    """
    own = week[weekday]
    if own.comes_and_goes:
        return own.share
    others = [
        (week[day], beside[day])
        for day in alike(weekday)
        if day != weekday and not week[day].comes_and_goes
    ]
    return [
        share
        if share is None or share < RUNS_FROM_SHARE or beside[weekday] >> slot & 1
        else _pooled_share(slot, own, [day for day, apart in others if not apart >> slot & 1])
        for slot, share in enumerate(own.share)
    ]


def _pooled_share(slot: int, own: Weekday, others: Sequence[Weekday]) -> float:
    runs, rests = own.runs[slot], own.rests[slot]
    is_new = runs + rests < SETTLED_FROM_WEIGHT
    for other in others:
        share = other.share[slot]
        if share is not None and (is_new or share >= RUNS_FROM_SHARE):
            runs += POOLED_WEIGHT * other.runs[slot]
            rests += POOLED_WEIGHT * other.rests[slot]
    return runs / (runs + rests)


def _beside_days_off(week: Sequence[Weekday]) -> list[int]:
    """By weekday, the slots that rested right before or after a day off on which it runs at times.

    The evening before such a day, and the morning after it, come and go with it, and are not like
    those of other weekdays.
    """
    beside = [0] * 7
    rested = {day.number: day.rest for own in week for day in own.days}
    days_off = (
        (weekday, day.number)
        for weekday, own in enumerate(week)
        for day in own.days
        if day.rest and not day.active
    )
    for weekday, number in days_off:
        if week[weekday].share[0]:
            evening = rested.get(number - 1, 0)
            began = (evening ^ DAY_MASK).bit_length()
            beside[weekday - 1] |= DAY_MASK >> began << began
        if week[weekday].share[-1]:
            morning = rested.get(number + 1, 0)
            beside[(weekday + 1) % 7] |= morning & ~(morning + 1)
    return beside
