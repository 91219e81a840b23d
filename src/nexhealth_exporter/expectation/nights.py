"""Nights in which a sync was switched off, or a browser closed, though it is left on in others."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import median_high
from typing import NamedTuple

from nexhealth_exporter.expectation.evidence import DAY_MASK, DAYS_KEPT, Day, Evidence, runs
from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.expectation.slots import SLOTS, weekday_of

SMALL_HOURS_MASK = (1 << 10) - 1
"""The slots from midnight to 05:00: a night's rest covers them all."""

ON_LEAST_SLOTS = 5
"""A sync that moved in so many of the small hours' slots was on that night."""

OFTEN_ON_LEAST_SHARE = 0.08
"""A sync is often on at night if it was in this share of the nights. The nights of others are
learned as rest without this module."""

ALIKE_MOST_SLOTS = 3
"""Rests whose beginnings, and whose ends, are at most so many slots apart are the work of the same
people."""

WORKDAY_LEAST_SLOTS = 8
"""Between two nights lie four hours of work or more: else people work at night."""

HABIT_LEAST_NIGHTS = 2
"""So many rests alike are a habit: outages do not begin at closing and end at opening."""

EVENING_SLOTS, MORNING_SLOTS = range(32, 43), range(10, 21)
"""When people go home (from 16:00 on), and when they come (until 10:30)."""

NOON_SLOT = SLOTS // 2

NEVER_OFF = (0,) * 7
"""The slots, by weekday, of a sync that is never switched off."""

_FRIDAY = SATURDAY - 1


class Night(NamedTuple):
    """A rest over at least one midnight, between local days (since 1970) and slots of the day."""

    began_on: int
    began: int
    ended_on: int
    ended: int

    @property
    def is_single(self) -> bool:
        """Whether it spans one midnight and leaves room for a day's work.

        Else it was a day off, or the night off of people who work at night.
        """
        is_one_night = self.ended_on - self.began_on == 1
        return is_one_night and self.began - self.ended >= WORKDAY_LEAST_SLOTS

    @property
    def is_from_closing_to_opening(self) -> bool:
        """Whether it began when people go home, and ended when they come."""
        return is_from_closing_to_opening(self.began, self.ended)

    @property
    def days(self) -> range:
        """The days that it touches."""
        return range(self.began_on, self.ended_on + 1)

    def is_like(self, other: "Night") -> bool:
        """Whether both began and ended at about the same hours.

        One over days off may have begun earlier, since people go home at noon before them.
        """
        earlier = self.began - other.began
        is_before_days_off = not other.is_single and other.began >= NOON_SLOT and earlier > 0
        begins_alike = abs(earlier) <= ALIKE_MOST_SLOTS or is_before_days_off
        return begins_alike and abs(self.ended - other.ended) <= ALIKE_MOST_SLOTS


def is_from_closing_to_opening(began: int, ended: int) -> bool:
    """Whether a rest between those slots is of people who went home and came: outages are not."""
    return began % SLOTS in EVENING_SLOTS and ended % SLOTS in MORNING_SLOTS


def switched_off(
    evidence: Evidence, today: int, is_skipped: Callable[[int], bool]
) -> Sequence[int]:
    """By weekday, the slots in which a sync that is often on may have been switched off.

    By the share of weeks in which it runs, each of these slots would be expected in part, and over
    a whole night these parts would add up to a page. Who switches it off on some evenings may do so
    on any evening, and for a weekend as well.
    """
    rests = list(_nights(evidence, today))
    nights = [night for night in rests if not any(map(is_skipped, night.days))]
    alike = _habit(nights) or _due_tonight(evidence, rests, today)
    if not alike or not _is_often_on(evidence, today):
        return NEVER_OFF
    single = [night for night in alike if night.is_single] or alike
    usual_began = median_high(night.began for night in single)
    usual_ended = median_high(night.ended for night in alike)
    off_days = _days_off(nights, alike)
    slots = [0] * 7
    for weekday in range(7):
        if weekday in off_days:
            slots[weekday] = DAY_MASK
            continue
        begin = usual_began
        if weekday >= _FRIDAY:
            # The last day of the week may be a short one, and those of the weekend are.
            own = [n.began for n in nights if weekday_of(n.began_on) == weekday]
            begin = max(own, default=usual_began)
        slots[weekday] = DAY_MASK >> begin << begin | (1 << usual_ended) - 1
    return slots


def _habit(nights: Sequence[Night]) -> list[Night]:
    """The most nights that are like one between two working days; none if these are no habit.

    One must lie between two working days, since a sync may be off on weekends only.
    """
    single = [night for night in nights if night.is_single]
    alike = max(([n for n in nights if night.is_like(n)] for night in single), key=len, default=[])
    return alike if len(alike) >= HABIT_LEAST_NIGHTS else []


def _days_off(nights: Sequence[Night], alike: Sequence[Night]) -> set[int]:
    """The weekdays on which nobody switches it off or on.

    On a day of the weekend, nobody did. A working day lay within one of the nights `alike`, or
    within two of the others.
    """
    rests = (*nights, *alike)
    touched = {weekday_of(day) for rest in rests for day in (rest.began_on, rest.ended_on)}
    slept_through = Counter(
        weekday_of(day) for rest in rests for day in range(rest.began_on + 1, rest.ended_on)
    )
    return {
        weekday
        for weekday in range(7)
        if weekday not in touched
        and (weekday >= SATURDAY or slept_through[weekday] >= HABIT_LEAST_NIGHTS)
    }


def _due_tonight(evidence: Evidence, rests: Sequence[Night], today: int) -> list[Night]:
    """The first rest from closing to opening, if the next of its kind may begin tonight.

    After one that ended today; or, over days off, the only one, that began a week ago. If tonight
    it stays on, nothing is expected otherwise from tomorrow on; if not, two are a habit. Who was
    away for days before, and left it on in the nights between, does so again. In an incident nobody
    switched anything off.
    """
    away = [rest for rest in rests if not rest.is_single]
    began_on = {rest.began_on for rest in rests}

    def is_due(rest: Night) -> bool:
        if rest.is_single:
            return rest.ended_on == today
        if rest.began_on == today - 7 and away == [rest]:
            return True
        return rest.ended_on == today and all(r.ended_on in {today, *began_on} for r in away)

    return [
        rest
        for rest in rests
        if rest.is_from_closing_to_opening and is_due(rest) and not _is_in_incident(evidence, rest)
    ]


def _is_in_incident(evidence: Evidence, rest: Night) -> bool:
    """Whether an incident overlapped the rest: then neither pauses nor absences were entered."""
    last = (rest.ended_on - evidence.first) * SLOTS + rest.ended - 1
    return not any(slots >> last & 1 for slots in (*evidence.pauses, *evidence.absences))


def _nights(evidence: Evidence, today: int) -> Iterator[Night]:
    """The rests of one night or more before and after which the sync moved.

    They may be suspect, since here it counts that they recur.
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
        is_over_midnight = night.ended_on > night.began_on
        if (
            is_over_midnight
            and night.ended >= SMALL_HOURS_MASK.bit_length()
            and today - DAYS_KEPT <= night.began_on
        ):
            yield night


def _is_often_on(evidence: Evidence, today: int) -> bool:
    """Whether it was left on in enough of the nights of which something is known."""
    return share_on(evidence, range(today - DAYS_KEPT, today)) >= OFTEN_ON_LEAST_SHARE


def share_on(evidence: Evidence, days: Iterable[int]) -> float:
    """In which share of the nights before those days (since 1970) it was left on; 0 if unknown."""
    nights = [Day.of(evidence, day) for day in days]
    known = [night for night in nights if SMALL_HOURS_MASK & night.known]
    on = sum((night.active & SMALL_HOURS_MASK).bit_count() >= ON_LEAST_SLOTS for night in known)
    return on / len(known) if known else 0.0
