"""A learned pattern in words: hours by weekday, and one sentence for people."""

from collections.abc import Iterator
from typing import NamedTuple

from nexhealth_exporter.expectation.pattern import WHOLE, Pattern
from nexhealth_exporter.expectation.schedule import date_of
from nexhealth_exporter.expectation.slots import SLOTS

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Stretch(NamedTuple):
    """Neighbouring weekdays with the same hours; days from 0 (Monday), hours in slots."""

    first: int
    last: int
    windows: tuple[tuple[int, int], ...]


def stretches(pattern: Pattern) -> Iterator[Stretch]:
    """The week, equal neighbours joined."""
    values = pattern.week.values
    days = [_windows(values[day * SLOTS : (day + 1) * SLOTS]) for day in range(7)]
    first = 0
    for day in range(1, 8):
        if day == len(days) or days[day] != days[first]:
            yield Stretch(first, day - 1, days[first])
            first = day


def sentence(pattern: Pattern) -> str:
    """Like "learned from 6 weeks: usually runs Mon-Fri 08:00-17:00, 93 % sure, known since ..."."""
    open_days = [stretch for stretch in stretches(pattern) if stretch.windows]
    days = ", ".join(f"{_days(s)} {_hours(s.windows)}" for s in open_days)
    verb = "moves now and then" if pattern.week.seldom else "usually runs"
    hours = f"{verb} {days}" if days else "never runs"
    if pattern.is_always_on:
        hours = "runs around the clock"
    weeks = f"{pattern.weeks} weeks" if pattern.weeks > 1 else "a week"
    since = date_of(pattern.since)
    known = f"known since {since.day} {since:%b %Y}"
    told = f"learned from {weeks}: {hours}; {100 * pattern.sure:.0f} % sure, {known}"
    return "; ".join([told, *_rare(pattern)])


def _rare(pattern: Pattern) -> Iterator[str]:
    for what, weight in zip(("reads", "writes"), pattern.weights, strict=True):
        if weight < WHOLE:
            yield f"{what} come far apart, so an hour without counts {weight} %"


def clock(slot: int) -> str:
    """The beginning of a slot of the day, like "07:30"."""
    return f"{slot // 2:02}:{30 * (slot % 2):02}"


def _days(stretch: Stretch) -> str:
    first, last = DAYS[stretch.first], DAYS[stretch.last]
    return first if first == last else f"{first}-{last}"


def _hours(windows: tuple[tuple[int, int], ...]) -> str:
    return " and ".join(f"{clock(start)}-{clock(end)}" for start, end in windows)


def _windows(values: bytes) -> tuple[tuple[int, int], ...]:
    """From and until, in slots, where it counts at all."""
    windows: list[tuple[int, int]] = []
    for slot, value in enumerate(values):
        if not value:
            continue
        if windows and windows[-1][1] == slot:
            windows[-1] = (windows[-1][0], slot + 1)
        else:
            windows.append((slot, slot + 1))
    return tuple(windows)
