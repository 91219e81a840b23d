"""What six weeks show of each weekday: in which slots it ran, and in which it rested."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from nexhealth_exporter.expectation.evidence import DAYS_KEPT, Day, Evidence, added
from nexhealth_exporter.expectation.evidence import runs as runs_of
from nexhealth_exporter.expectation.nights import is_from_closing_to_opening, share_on
from nexhealth_exporter.expectation.quiet import SAME_HOUR_MOST_SLOTS
from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.expectation.slots import SLOTS, WEEK, weekday_of

WEEKLY_DECAY = 0.84
"""The weight of a week relative to the week after it; the latest week weighs 1."""

RUNS_FROM_SHARE = 0.5
"""A slot that runs in this share of weeks runs rather than rests."""

USUAL_FROM_FACTOR = 0.5
"""The usual slots have so many times the evidence of the most active one."""


class SeenDay(NamedTuple):
    """A day of which something was seen, and the slots in which it rested and moved."""

    number: int
    """The local day, in days since 1970."""
    rest: int
    active: int


class Weekday(NamedTuple):
    """What was seen of one weekday; `runs`, `rests` and `share` are by slot of the day."""

    runs: Sequence[float]
    """How much evidence there is that the slot runs, in weeks of weight 1."""
    rests: Sequence[float]
    """How much evidence there is that it rests."""
    share: Sequence[float | None]
    """Its share of weeks in which it runs; None if nothing was seen of it."""
    seen: int
    """The slots of which anything is known, even if only that a silence was suspect."""
    days: Sequence[SeenDay]
    """The days of which something is known, the latest first."""
    comes_and_goes: bool
    """Whether one of the latest two of them was off."""


def weekdays_of(evidence: Evidence, today: int, is_skipped: Callable[[int], bool]) -> list[Weekday]:
    """What the days before the local day `today` show; nothing is learned from skipped ones."""
    evidence = _confirmed(evidence)
    return [_weekday(evidence, today, weekday, is_skipped) for weekday in range(7)]


def alike(weekday: int) -> range:
    """The working days if it is one of them, else the days of the weekend."""
    return range(SATURDAY) if weekday < SATURDAY else range(SATURDAY, 7)


def _weekday(
    evidence: Evidence, today: int, weekday: int, is_skipped: Callable[[int], bool]
) -> Weekday:
    """What was seen on this weekday, week by week, the latest first."""
    yesterday = today - 1
    newest = yesterday - (weekday_of(yesterday) - weekday) % 7
    numbers = range(newest, newest - DAYS_KEPT, -7)
    days = [Day(0, 0, 0) if is_skipped(n) else Day.of(evidence, n) for n in numbers]
    is_mostly_off = (
        weekday >= SATURDAY
        and _is_mostly_off([day for day in days if day.known])
        and _is_off_at_night(evidence, today)
    )
    runs, rests = [0.0] * SLOTS, [0.0] * SLOTS
    seen = 0
    seen_days: list[SeenDay] = []
    for week, (number, day) in enumerate(zip(numbers, days, strict=True)):
        if not day.known:
            continue
        weight = WEEKLY_DECAY**week
        is_day_off = is_mostly_off and not day.active
        rest = day.silent | day.suspect if is_day_off else _rest_of(days, week)
        runs = added(runs, day.active, weight)
        rests = added(rests, rest, weight)
        seen |= day.known
        seen_days.append(SeenDay(number, rest, day.active))
    share = [
        run / (run + rest) if run + rest else None for run, rest in zip(runs, rests, strict=True)
    ]
    return Weekday(runs, rests, share, seen, seen_days, _comes_and_goes(seen_days, runs))


def _is_mostly_off(days: Sequence[Day]) -> bool:
    """Whether it was off on half of the days or more, and on the first one.

    People are off at weekends, so that it is to run that must recur, not to rest. If it ran first,
    the rest may have been an outage.
    """
    on = sum(bool(day.active) for day in days)
    return bool(days) and 2 * on <= len(days) and not days[-1].active


def _is_off_at_night(evidence: Evidence, today: int) -> bool:
    """Whether it rests in most nights between working days: else a dead weekend is an outage."""
    workdays = (day for day in range(today - DAYS_KEPT, today) if 0 < weekday_of(day) < SATURDAY)
    return share_on(evidence, workdays) < RUNS_FROM_SHARE


def _rest_of(days: Sequence[Day], week: int) -> int:
    """The slots in which the day of that week rested, so far as other weeks confirm it."""
    day = days[week]
    again = 0
    for other in _apart(days, week, 1):
        again |= other.silent | other.suspect
    rest = (day.silent | (day.suspect & again)) & ~day.active
    if day.active:
        return rest
    # A whole day off is a day of rest only if it recurs. Some offices rest every other week, of
    # which one may have been a holiday. A longer silence may be an outage, or a vacation.
    for other in (*_apart(days, week, 2), *_apart(days, week, 4)):
        if not other.active:
            again |= day.silent & other.silent
    return rest & again


def _confirmed(evidence: Evidence) -> Evidence:
    """The evidence in which what was suspect is silent if it has come again.

    A rest from closing to opening on the same weekdays and at about the same hours as another one
    is no outage, however long it was.
    """
    if not evidence.suspect:
        return evidence
    rests = runs_of((evidence.silent | evidence.suspect) & ~evidence.active)
    spans = [((rest & -rest).bit_length() - 1, rest.bit_length(), rest) for rest in rests]
    spans = [span for span in spans if is_from_closing_to_opening(*span[:2])]
    again = 0
    for first, last, rest in spans:
        if rest & evidence.suspect and any(
            first != other and _is_weeks_apart(first, other) and _is_weeks_apart(last, end)
            for other, end, _ in spans
        ):
            again |= rest
    return evidence._replace(
        silent=evidence.silent | evidence.suspect & again, suspect=evidence.suspect & ~again
    )


def _is_weeks_apart(slot: int, other: int) -> bool:
    """Whether both slots lie at about the same hour of the same weekday."""
    apart = (slot - other) % WEEK
    return min(apart, WEEK - apart) <= SAME_HOUR_MOST_SLOTS


def _apart(days: Sequence[Day], week: int, weeks: int) -> Iterator[Day]:
    """The days so many weeks before and after that one, if they are among `days`."""
    return (days[at] for at in (week - weeks, week + weeks) if 0 <= at < len(days))


def _comes_and_goes(days: Sequence[SeenDay], runs: Sequence[float]) -> bool:
    """Whether one of the latest two days was off.

    A day without a move counts only if it rested in half of the usual slots or more: a rest in a
    few of them shows no more than that it was left on for longer once.
    """
    most = max(runs)
    usual = sum(1 << slot for slot, run in enumerate(runs) if run >= most * USUAL_FROM_FACTOR)
    latest = [
        active
        for _, rest, active in days
        if active or 2 * (rest & usual).bit_count() >= usual.bit_count() > 0
    ]
    return not all(latest[:2])
