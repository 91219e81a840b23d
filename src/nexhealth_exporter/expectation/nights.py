"""Nights in which a machine was switched off, though it is left on in others."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from statistics import median_high
from typing import NamedTuple

from nexhealth_exporter.expectation.evidence import DAY_MASK, DAYS_KEPT, Day, Evidence
from nexhealth_exporter.expectation.pauses import runs
from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.expectation.slots import SLOTS, weekday_of

SMALL_HOURS = (1 << 10) - 1
"""The slots from midnight to 05:00: a night's rest covers them all."""

ON = 5
"""A machine that moved in so many of them was on that night."""

OFTEN = 0.25
"""It is often on if it was in this share of the nights; else its nights are rests by themselves."""

NEAR = 3
"""Rests that begin so few slots apart, and end so, were begun and ended by the same people."""

WORK = 8
"""A day of work has so many slots at least."""

AGAIN = 2
"""So many alike are a habit: outages do not begin at closing, and end at opening."""

NEVER = (0,) * 7
"""The slots, by weekday, of what is never switched off."""

_FRIDAY = SATURDAY - 1


class Night(NamedTuple):
    """A rest over at least one midnight: local days (since 1970), and the slots of the day."""

    began: int
    first: int
    ended: int
    last: int

    @property
    def is_single(self) -> bool:
        """Whether it leaves room for the day's work.

        Else it was a day off, or the night off of those who work at night.
        """
        return self.ended - self.began == 1 and self.first - self.last >= WORK

    def is_like(self, other: "Night") -> bool:
        """Whether both began and ended at about the same hours."""
        return abs(self.first - other.first) <= NEAR and abs(self.last - other.last) <= NEAR


def switched_off(evidence: Evidence, today: int, skipped: Callable[[int], bool]) -> Sequence[int]:
    """By weekday, the slots in which a machine that is often on may have been switched off.

    By its share of the weeks each of them would be expected in part, and all of a night would add
    up to a page. Whoever switches it off on some evenings may do so on any, also for a weekend.
    """
    nights = list(_nights(evidence, today, skipped))
    # One between working days must be among them: a machine may be off for weekends alone.
    single = [night for night in nights if night.is_single]
    alike = max(([n for n in nights if n.is_like(night)] for night in single), key=len, default=[])
    if len(alike) < AGAIN or not _is_often_on(evidence, today):
        return NEVER
    first = median_high(night.first for night in alike)
    last = median_high(night.last for night in alike)
    touched = {weekday_of(day) for night in nights for day in (night.began, night.ended)}
    # A day that lies within one of the usual rests, or within two others, is none of work.
    slept = Counter(
        weekday_of(day)
        for night in (*nights, *alike)
        for day in range(night.began + 1, night.ended)
    )
    slots = [0] * 7
    for day in range(7):
        if day not in touched and (day >= SATURDAY or slept[day] >= AGAIN):
            slots[day] = DAY_MASK
            continue
        # The last day of the week may be a short one, and those of the weekend are.
        own = [night.first for night in nights if weekday_of(night.began) == day >= _FRIDAY]
        begin = max(own, default=first)
        slots[day] = DAY_MASK >> begin << begin | (1 << last) - 1
    return slots


def _nights(evidence: Evidence, today: int, skipped: Callable[[int], bool]) -> Iterator[Night]:
    """The rests of one night or more, after and before which it moved.

    Be they suspect: here it counts that they come again.
    """
    for rest in runs((evidence.silent | evidence.suspect) & ~evidence.active):
        first, last = (rest & -rest).bit_length() - 1, rest.bit_length()
        if not (first and evidence.active >> (first - 1) & evidence.active >> last & 1):
            continue
        night = Night(
            evidence.first + first // SLOTS,
            first % SLOTS,
            evidence.first + last // SLOTS,
            last % SLOTS,
        )
        days = range(night.began, night.ended + 1)
        if (
            len(days) > 1
            and night.last >= SMALL_HOURS.bit_length()
            and today - DAYS_KEPT <= night.began
            and not any(skipped(day) for day in days)
        ):
            yield night


def _is_often_on(evidence: Evidence, today: int) -> bool:
    """Whether it was left on in a good part of the nights of which something is known."""
    nights = [Day.of(evidence, day) for day in range(today - DAYS_KEPT, today)]
    known = [n for n in nights if SMALL_HOURS & (n.active | n.silent | n.suspect)]
    on = sum((night.active & SMALL_HOURS).bit_count() >= ON for night in known)
    return on >= OFTEN * len(known) > 0
