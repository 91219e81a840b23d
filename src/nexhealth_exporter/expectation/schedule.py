"""Hours of a week in local time, and the plan of a day that follows from them."""

import itertools
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

import msgspec

from nexhealth_exporter.model import IntegrationType, Reason

MINUTE, HOUR, DAY = 60, 3600, 86400
"""In seconds."""

SATURDAY = 5
"""The weekday with which weekends begin; Monday is 0."""

_EPOCH = date(1970, 1, 1).toordinal()

DateRange = tuple[date, date]
"""First and last day, both included."""

Window = tuple[int, int]
"""From and until, seconds of a local day: 0 <= from < until <= 86400."""


class Span(NamedTuple):
    """A part of a local day; `value` is the expectation, `reason` is set where it is below half."""

    start: int
    end: int
    value: float
    reason: Reason | None


DayPlan = tuple[Span, ...]
"""Adjoining spans that cover a local day from 0 to 86400."""


class Schedule(msgspec.Struct, frozen=True):
    """Configured hours. Windows are local wall time, Monday first, split at midnight.

    `holidays` are codes such as "US" or "US-MA"; None takes those of the office's country,
    an empty tuple means none. `closures` are of local dates.
    """

    name: str
    windows: tuple[tuple[Window, ...], ...]
    lunch: tuple[Window, ...] = ()
    holidays: tuple[str, ...] | None = None
    closures: tuple[DateRange, ...] = ()

    @property
    def is_always_on(self) -> bool:
        """True when every minute of the week is within the hours."""
        return all(merged(day) == ((0, DAY),) for day in self.windows)


_WORKDAY: tuple[Window, ...] = ((8 * HOUR, 17 * HOUR),)

DEFAULT_HOURS = Schedule(
    name="default",
    windows=(_WORKDAY,) * 5 + ((), ()),
    lunch=((12 * HOUR, 14 * HOUR),),
)
"""What is assumed of an office of which nothing is known yet."""


def week_plan(schedule: Schedule, integration_type: IntegrationType) -> tuple[DayPlan, ...]:
    """The seven ordinary days, Monday first. Only browser-based syncs rest over lunch.

    A sync of unknown type is taken for browser-based: the cautious reading.
    """
    lunch = () if integration_type is IntegrationType.SERVER else schedule.lunch
    return tuple(
        _day_plan(windows, lunch, is_weekend=weekday >= SATURDAY)
        for weekday, windows in enumerate(schedule.windows)
    )


def _day_plan(windows: Iterable[Window], lunch: Iterable[Window], *, is_weekend: bool) -> DayPlan:
    hours = merged(windows)
    # A gap between hours may be lunch as well, but not an evening.
    opening = [(hours[0][0], hours[-1][1])] if hours else []
    rest = Reason.WEEKEND if is_weekend and not hours else Reason.CLOSED
    edges = sorted({0, DAY, *(edge for window in (*hours, *lunch) for edge in window)})
    spans: list[Span] = []
    for start, end in itertools.pairwise(edges):
        if _within(start, opening) and _within(start, lunch):
            spans.append(Span(start, end, 0.0, Reason.LUNCH))
        elif not _within(start, hours):
            spans.append(Span(start, end, 0.0, rest))
        else:
            spans.append(Span(start, end, 1.0, None))
    return joined(spans)


def joined(spans: Iterable[Span]) -> DayPlan:
    """The same plan with equal neighbours made one."""
    plan: list[Span] = []
    for span in spans:
        if plan and plan[-1][2:] == span[2:]:
            plan[-1] = plan[-1]._replace(end=span.end)
        else:
            plan.append(span)
    return tuple(plan)


def _within(second: int, windows: Iterable[Window]) -> bool:
    return any(start <= second < end for start, end in windows)


def merged(windows: Iterable[Window]) -> tuple[Window, ...]:
    """The same hours in order; windows that touch or overlap made one."""
    found: list[Window] = []
    for start, end in sorted(windows):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def date_of(day: int) -> date:
    """The date of a local day that is counted from 1970."""
    return date.fromordinal(_EPOCH + day)


def is_among(day: date, ranges: Iterable[DateRange]) -> bool:
    """Whether a date lies in any of these ranges."""
    return any(first <= day <= last for first, last in ranges)
