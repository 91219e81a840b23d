"""A learned pattern in words: its hours by weekday, and one sentence for people."""

from collections.abc import Iterator
from typing import NamedTuple

from nexhealth_exporter.expectation.pattern import FULL_WEIGHT_PERCENT, Pattern
from nexhealth_exporter.expectation.schedule import SATURDAY, date_of
from nexhealth_exporter.expectation.slots import SLOTS

DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class WeekdayGroup(NamedTuple):
    """Neighbouring weekdays with the same hours; 0 is Monday, hours are from and until slots."""

    first: int
    last: int
    windows: tuple[tuple[int, int], ...]


def weekday_groups(pattern: Pattern) -> Iterator[WeekdayGroup]:
    """The week, with neighbouring days of the same hours joined."""
    values = pattern.week.values
    days = [_windows(values[day * SLOTS : (day + 1) * SLOTS]) for day in range(7)]
    first = 0
    for day in range(1, 8):
        if day == len(days) or days[day] != days[first]:
            yield WeekdayGroup(first, day - 1, days[first])
            first = day


def sentence(pattern: Pattern) -> str:
    """Like "learned from 6 weeks: usually runs Mon-Fri 08:00-17:00, 93 % sure, known since ..."."""
    open_days = [group for group in weekday_groups(pattern) if group.windows]
    days = ", ".join(f"{_days(group)} {_hours(group.windows)}" for group in open_days)
    verb = "moves now and then" if pattern.week.seldom else "usually runs"
    hours = f"{verb} {days}" if days else "never runs"
    if pattern.is_always_on:
        hours = "runs around the clock"
    weeks = f"{pattern.weeks} weeks" if pattern.weeks > 1 else "a week"
    since = date_of(pattern.since)
    known = f"known since {since.day} {since:%b %Y}"
    summary = f"learned from {weeks}: {hours}; {100 * pattern.sure:.0f} % sure, {known}"
    return "; ".join([summary, *_of_directions(pattern)])


def _of_directions(pattern: Pattern) -> Iterator[str]:
    """What differs from the hours of the sync."""
    week = pattern.week
    for way, (what, weight) in enumerate(zip(("reads", "writes"), pattern.weights, strict=True)):
        workdays, weekend = week.values[: SATURDAY * SLOTS], week.values[SATURDAY * SLOTS :]
        pauses = week.pauses_of(way)
        for rests, values, days in (
            (pauses.workdays, workdays, "on working days"),
            (pauses.weekend, weekend, "at weekends"),
        ):
            if rests := rests & _running(values):
                yield f"{what} rest {_hours(_over_midnight(rests))} {days}"
        if weight < FULL_WEIGHT_PERCENT:
            yield f"{what} come far apart, so an hour without counts {weight} %"


def _running(values: bytes) -> int:
    """The slots of the day in which anything is expected on some of the days, as a mask."""
    return sum(1 << slot for slot in range(SLOTS) if any(values[slot::SLOTS]))


def _over_midnight(slots: int) -> tuple[tuple[int, int], ...]:
    """From and until which slots of the day; what lasts over midnight is one stretch."""
    windows = _windows(bytes(slots >> slot & 1 for slot in range(SLOTS)))
    (first, until), (evening, midnight) = windows[0], windows[-1]
    if len(windows) > 1 and first == 0 and midnight == SLOTS:
        return (*windows[1:-1], (evening, until))
    return windows


def clock(slot: int) -> str:
    """The beginning of a slot of the day, like "07:30"."""
    return f"{slot // 2:02}:{30 * (slot % 2):02}"


def _days(group: WeekdayGroup) -> str:
    first, last = DAY_NAMES[group.first], DAY_NAMES[group.last]
    return first if first == last else f"{first}-{last}"


def _hours(windows: tuple[tuple[int, int], ...]) -> str:
    return " and ".join(f"{clock(start)}-{clock(end)}" for start, end in windows)


def _windows(values: bytes) -> tuple[tuple[int, int], ...]:
    """From and until which slots anything is expected at all."""
    windows: list[tuple[int, int]] = []
    for slot, value in enumerate(values):
        if not value:
            continue
        if windows and windows[-1][1] == slot:
            windows[-1] = (windows[-1][0], slot + 1)
        else:
            windows.append((slot, slot + 1))
    return tuple(windows)
