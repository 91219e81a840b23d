"""For each slot of the week: how much of what was seen says that it runs, and that it rests."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from nexhealth_exporter.expectation.evidence import DAY_MASK, DAYS_KEPT, Day, Evidence, added
from nexhealth_exporter.expectation.nights import is_from_closing_to_opening, share_on
from nexhealth_exporter.expectation.pauses import runs as runs_of
from nexhealth_exporter.expectation.quiet import SAME_HOUR_MOST_SLOTS
from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.expectation.slots import SLOTS, WEEK, weekday_of

WEEKLY_DECAY = 0.84
"""The weight of a week relative to the week after it; the latest week weighs 1."""

SEEN_LEAST_SLOTS = 2 * SLOTS
"""So many slots of the week must have been seen before anything is sure."""

SETTLED_FROM_WEIGHT = 1.5
"""With less evidence of its own, a slot must be confirmed by the other weekdays."""

RUNS_FROM_SHARE = 0.5
"""A slot that runs in this share of weeks runs rather than rests."""

UNSTEADY_LEAST_SHARE = 0.7
"""On a weekday that was off lately, a slot must run in this share of weeks. An office that opens
every other week stays below it, even if one of its weeks off is not known."""

RECURRED_FROM_WEIGHT = WEEKLY_DECAY
"""With so much evidence for either, a slot is known to run in some weeks and to rest in others."""

USUAL_FROM_FACTOR = 0.5
"""The usual slots of a weekday have so many times the evidence of its most active slot."""

CLEAR_FROM_DISTANCE = 0.45
"""Pooled shares so far from `RUNS_FROM_SHARE` show that the weekdays agree on a slot."""

POOLED_WEIGHT = 0.35
"""The weight of the evidence of another weekday that agrees."""

STREAK_DAYS = 3
"""A slot rests if it rested on so many working days in a row, or on that weekday in two weeks."""

NEW_HOURS_MOST_SLOTS = 6
"""A day that began later or ended earlier by at most so many slots shows new hours at once."""


class SeenDay(NamedTuple):
    """A day of which something was seen, and the slots in which it rested and moved."""

    number: int
    """The local day, in days since 1970."""
    rest: int
    active: int


class _Weekday(NamedTuple):
    """What was seen of one weekday; `runs`, `rests` and `share` are by slot of the day."""

    runs: list[float]
    rests: list[float]
    share: list[float | None]
    seen: int
    stopped: int
    comes_and_goes: bool
    days: list[SeenDay]


@dataclass(frozen=True, slots=True)
class Shares:
    """The evidence for each slot of the week, Monday first, and what follows from it.

    Sequences of floats are by slot of the week, those of masks and flags by weekday.
    """

    runs: Sequence[float]
    """How much evidence there is that the slot runs, in weeks of weight 1."""
    rests: Sequence[float]
    """How much evidence there is that it rests."""
    share: Sequence[float | None]
    """Its share of weeks in which it runs; None if nothing was seen of it."""
    pooled: Sequence[float | None]
    """The same share, drawn towards that of other weekdays that agree with it."""
    seen: Sequence[int]
    """The slots of which anything is known, even if only that a silence was suspect."""
    stopped: Sequence[int]
    """The slots that rest lately, whatever they did before: hours have changed."""
    off: Sequence[int]
    """The slots of nights in which the machine is switched off at times."""
    comes_and_goes: Sequence[bool]
    """Whether it was off on one of the latest two of these weekdays."""
    days: Sequence[SeenDay]
    """The days on which it moved, the latest first."""
    oldest: int
    """The first local day of which something was seen."""

    def has_stopped(self, at: int) -> bool:
        """Whether the slot of the week is among `stopped`."""
        return _has(self.stopped, at)

    def may_be_off(self, at: int) -> bool:
        """Whether the slot of the week is among `off`."""
        return _has(self.off, at)

    def sure(self) -> float:
        """The average probability that a slot is rightly taken to run or to rest.

        Left out are slots that need not be known any better: those of nights in which the machine
        may be off, and those that come and go with their weekday.
        """
        total = number = seen = 0.0
        for at, own in enumerate(self.share):
            if own is None:
                continue
            seen += 1
            runs, rests, pooled = self.runs[at], self.rests[at], self.pooled[at]
            is_known_to_vary = (
                self.comes_and_goes[at // SLOTS]
                and min(runs, rests) >= RECURRED_FROM_WEIGHT
                and own < UNSTEADY_LEAST_SHARE
            )
            if self.may_be_off(at) or is_known_to_vary:
                continue
            more, less = (runs, rests) if runs > rests else (rests, runs)
            is_clear = pooled is not None and abs(pooled - RUNS_FROM_SHARE) >= CLEAR_FROM_DISTANCE
            if is_clear and at < SATURDAY * SLOTS:
                more += 1
            total += (more + 0.3) / (more + less + 0.6)
            number += 1
        return total / number if number and seen >= SEEN_LEAST_SLOTS else 0.0

    def moves_explained(self, least_share: float) -> float:
        """The share of a usual week's moves in slots that run in at least that share of weeks.

        Nights in which the machine may be off are left out. It is the median of the weeks, since a
        machine that was left on over one long weekend moved more in that week than in the usual
        hours of many.
        """
        running = [0] * 7
        for at, share in enumerate(self.pooled):
            if share is not None and share >= least_share:
                running[at // SLOTS] |= 1 << at % SLOTS
        explained: dict[int, int] = {}
        moved: dict[int, int] = {}
        for number, _, active in self.days:
            weekday = weekday_of(number)
            monday = number - weekday
            counted = active & ~self.off[weekday]
            in_hours = (counted & running[weekday]).bit_count()
            explained[monday] = explained.get(monday, 0) + in_hours
            moved[monday] = moved.get(monday, 0) + counted.bit_count()
        shares = [explained[monday] / slots for monday, slots in moved.items() if slots]
        return median(shares) if shares else 0.0

    def activity(self) -> bytes:
        """The share of weeks in which it moved, by hour of the week, in percent."""
        return bytes(
            round(100 * max(self.share[2 * n] or 0.0, self.share[2 * n + 1] or 0.0))
            for n in range(7 * 24)
        )


def shares_of(
    evidence: Evidence, today: int, is_skipped: Callable[[int], bool], off: Sequence[int]
) -> Shares:
    """What the days before the local day `today` show; nothing is learned from skipped ones."""
    evidence = _confirmed(evidence)
    week = [_weekday(evidence, today, weekday, is_skipped) for weekday in range(7)]
    seen_days = sorted((day for own in week for day in own.days), reverse=True)
    moved_days = [day for day in seen_days if day.active]
    lately = _stopped_lately(week, moved_days)
    beside = _beside_days_off(week, seen_days)
    return Shares(
        runs=[run for own in week for run in own.runs],
        rests=[rest for own in week for rest in own.rests],
        share=[share for own in week for share in own.share],
        pooled=[share for weekday in range(7) for share in _pooled(week, weekday, beside)],
        seen=[own.seen for own in week],
        stopped=[own.stopped | late for own, late in zip(week, lately, strict=True)],
        off=off,
        comes_and_goes=[own.comes_and_goes for own in week],
        days=moved_days,
        oldest=seen_days[-1].number if seen_days else today,
    )


def _weekday(
    evidence: Evidence, today: int, weekday: int, is_skipped: Callable[[int], bool]
) -> _Weekday:
    """What was seen on this weekday, week by week, the latest first."""
    yesterday = today - 1
    newest = yesterday - (weekday_of(yesterday) - weekday) % 7
    numbers = range(newest, newest - DAYS_KEPT, -7)
    days = [Day(0, 0, 0) if is_skipped(n) else Day.of(evidence, n) for n in numbers]
    known_days = [day for day in days if day.known]
    on = sum(bool(day.active) for day in known_days)
    # People are off at weekends. It is to run that must recur, not to rest, but if it ran first, or
    # runs without people, the rest may have been an outage.
    is_mostly_off = (
        weekday >= SATURDAY
        and known_days
        and 2 * on <= len(known_days)
        and not known_days[-1].active
        and _is_off_at_night(evidence, today)
    )
    runs, rests = [0.0] * SLOTS, [0.0] * SLOTS
    seen = has_run = rested_once = stopped = 0
    seen_days: list[SeenDay] = []
    for week, (number, day) in enumerate(zip(numbers, days, strict=True)):
        if not day.known:
            continue
        rest, weight = _rest_of(days, week), WEEKLY_DECAY**week
        if is_mostly_off and not day.active:
            rest = day.silent if on else day.silent | day.suspect
        runs = added(runs, day.active, weight)
        rests = added(rests, rest, weight)
        seen |= day.known
        has_run |= day.active
        stopped |= rested_once & rest & ~has_run
        rested_once |= rest & ~has_run
        seen_days.append(SeenDay(number, rest, day.active))
    share = [
        run / (run + rest) if run + rest else None for run, rest in zip(runs, rests, strict=True)
    ]
    return _Weekday(runs, rests, share, seen, stopped, _comes_and_goes(seen_days, runs), seen_days)


def _is_off_at_night(evidence: Evidence, today: int) -> bool:
    """Whether it is switched off in most nights between two working days."""
    days = range(today - DAYS_KEPT, today)
    return share_on(evidence, (d for d in days if 0 < weekday_of(d) < SATURDAY)) < RUNS_FROM_SHARE


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


def _beside_days_off(week: Sequence[_Weekday], days: Sequence[SeenDay]) -> list[int]:
    """By weekday, the slots that rested right before or after a day off on which it runs at times.

    The evening before such a day, and the morning after it, come and go with it, and are not like
    those of other weekdays.
    """
    beside = [0] * 7
    rested = {day.number: day.rest for day in days}
    for number, rest, active in days:
        weekday = weekday_of(number)
        if active or not rest:
            continue
        if week[weekday].share[0]:
            evening = rested.get(number - 1, 0)
            began = (evening ^ DAY_MASK).bit_length()
            beside[weekday - 1] |= DAY_MASK >> began << began
        if week[weekday].share[-1]:
            morning = rested.get(number + 1, 0)
            beside[(weekday + 1) % 7] |= morning & ~(morning + 1)
    return beside


def _apart(days: Sequence[Day], week: int, weeks: int) -> Iterator[Day]:
    """The days so many weeks before and after that one, if they are among `days`."""
    return (days[at] for at in (week - weeks, week + weeks) if 0 <= at < len(days))


def _comes_and_goes(days: Sequence[SeenDay], runs: Sequence[float]) -> bool:
    """Whether one of the latest two days was off.

    A day without a move counts only if it rested in half of the usual slots or more: a rest in a
    few of them shows no more than that the machine was on for longer once.
    """
    most = max(runs)
    usual = sum(1 << slot for slot, run in enumerate(runs) if run >= most * USUAL_FROM_FACTOR)
    latest = [
        active
        for _, rest, active in days
        if active or 2 * (rest & usual).bit_count() >= usual.bit_count() > 0
    ]
    return not all(latest[:2])


def _pooled(week: Sequence[_Weekday], weekday: int, beside: Sequence[int]) -> list[float | None]:
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


def _pooled_share(slot: int, own: _Weekday, others: Sequence[_Weekday]) -> float:
    runs, rests = own.runs[slot], own.rests[slot]
    is_new = runs + rests < SETTLED_FROM_WEIGHT
    for other in others:
        share = other.share[slot]
        if share is not None and (is_new or share >= RUNS_FROM_SHARE):
            runs += POOLED_WEIGHT * other.runs[slot]
            rests += POOLED_WEIGHT * other.rests[slot]
    return runs / (runs + rests)


def _stopped_lately(week: Sequence[_Weekday], days: Sequence[SeenDay]) -> list[int]:
    """By weekday, the slots that rested on the latest days on which they usually run.

    `days` are those on which it moved, the latest first.
    """
    usual = [
        sum(1 << slot for slot, share in enumerate(own.share) if (share or 0) >= RUNS_FROM_SHARE)
        for own in week
    ]
    stopped = [0] * 7
    for group in (alike(0), alike(SATURDAY)):
        own_days = [day for day in days if weekday_of(day.number) in group]
        rested = _rested_in_a_row(own_days, usual)
        late = early = 0
        if own_days:
            number, rest, active = own_days[0]
            late, early = _shortened(usual[weekday_of(number)] & rest, active)
        for weekday in group:
            stopped[weekday] = rested | _ends(usual[weekday], late, early)
    return stopped


def _rested_in_a_row(days: Sequence[SeenDay], usual: Sequence[int]) -> int:
    """The slots that rested on the latest `STREAK_DAYS` of the days on which they usually run.

    `days` has the latest first; `usual` are the usual slots by weekday.
    """
    unbroken, streaks = DAY_MASK, [0] * STREAK_DAYS
    for number, rest, _ in days:
        own = usual[weekday_of(number)]
        # Slots that ran end their streak; those that rested make it longer by a day.
        longer = unbroken & own & rest
        for length in range(STREAK_DAYS - 1, 0, -1):
            streaks[length] |= longer & streaks[length - 1]
        streaks[0] |= longer
        unbroken &= ~(own & ~rest)
    return streaks[-1]


def _has(slots: Sequence[int], at: int) -> bool:
    """Whether a slot of the week is in the masks by weekday."""
    weekday, slot = divmod(at, SLOTS)
    return bool(slots[weekday] >> slot & 1)


def alike(weekday: int) -> range:
    """The working days if it is one of them, else the days of the weekend."""
    return range(SATURDAY) if weekday < SATURDAY else range(SATURDAY, 7)


def _shortened(rest: int, active: int) -> tuple[int, int]:
    """By how many slots a day began later and ended earlier than usual; 0 if by too many."""
    late = (rest & ((active & -active) - 1)).bit_count()
    early = (rest >> active.bit_length()).bit_count()
    return (
        late if late <= NEW_HOURS_MOST_SLOTS else 0,
        early if early <= NEW_HOURS_MOST_SLOTS else 0,
    )


def _ends(usual: int, first: int, last: int) -> int:
    """So many of the first and of the last slots of a usual day."""
    ends = 0
    for _ in range(first):
        lowest = usual & -usual
        ends, usual = ends | lowest, usual ^ lowest
    for _ in range(last):
        highest = 1 << usual.bit_length() >> 1
        ends, usual = ends | highest, usual ^ highest
    return ends
