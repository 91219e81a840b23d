"""For each slot of the week: how much of what was seen speaks for its running, and for rest."""

from collections.abc import Callable, Sequence
from statistics import median

from nexhealth_exporter.expectation.evidence import DAY_MASK, Day, Evidence, added
from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.expectation.slots import SLOTS, weekday_of

DECAY = 0.84
"""What a week counts to the week after it."""

LEAST_SLOTS = 2 * SLOTS
"""So many slots of the week must have been seen."""

FEW = 1.5
"""With less evidence of its own, a slot must be borne out by the other weekdays."""

HALF = 0.5

CLEAR = 0.45
"""So far from half, the weekdays agree on a slot."""

POOLED = 0.35
"""What the evidence of another weekday that agrees counts."""

STREAK_DAYS = 3
"""A slot that rested on so many working days on end rests; or in two weeks on that weekday."""

EDGE = 6
"""A day that was shorter at its ends by no more slots each is taken for new hours at once."""


class Shares:
    """For each slot of the week: how much evidence there is that it runs, and that it rests.

    `off` are, by weekday, the slots of nights in which it is switched off at times.
    """

    def __init__(
        self, evidence: Evidence, today: int, skipped: Callable[[int], bool], off: Sequence[int]
    ) -> None:
        self.off = off
        self.runs: list[float] = []
        self.rests: list[float] = []
        self.oldest = today
        self.stopped = [0] * 7
        """By weekday, the slots that have rested for weeks on end."""
        self.days: list[tuple[int, int, int]] = []
        """Each day on which it moved, with the slots in which it rested and moved."""
        self.comes_and_goes = [False] * 7
        """By weekday, whether it was off on one of the latest two."""
        self.seen = [0] * 7
        """By weekday, the slots of which anything is known, be it that a silence was suspect."""
        for weekday in range(7):
            self._count(evidence, today, weekday, skipped)
        self.days.sort(reverse=True)
        self.share = [
            run / (run + rest) if run + rest else None
            for run, rest in zip(self.runs, self.rests, strict=True)
        ]
        self.pooled = [
            share
            if share is None or share < HALF or self.comes_and_goes[at // SLOTS]
            else self._pooled(at)
            for at, share in enumerate(self.share)
        ]
        self._stop_lately()

    def _count(
        self, evidence: Evidence, today: int, weekday: int, skipped: Callable[[int], bool]
    ) -> None:
        yesterday = today - 1
        newest = yesterday - (weekday_of(yesterday) - weekday) % 7
        numbers = [newest - 7 * week for week in range(6)]
        days = [Day(0, 0, 0) if skipped(n) else Day.of(evidence, n) for n in numbers]
        runs, rests = [0.0] * SLOTS, [0.0] * SLOTS
        has_run = once = 0
        counted: list[tuple[int, int]] = []
        for week, (number, day) in enumerate(zip(numbers, days, strict=True)):
            if not (day.active | day.silent | day.suspect):
                continue
            self.seen[weekday] |= day.active | day.silent | day.suspect
            again = 0
            for other in _beside(days, week, 1):
                again |= other.silent | other.suspect
            rest = (day.silent | (day.suspect & again)) & ~day.active
            if not day.active:
                # Some rest every other week, of which one may have been a holiday.
                # A longer silence may be an outage, or a vacation.
                for other in (*_beside(days, week, 2), *_beside(days, week, 4)):
                    again |= day.silent & other.silent if not other.active else 0
                rest &= again  # a day off that comes once is no day of rest
            weight = DECAY**week
            runs = added(runs, day.active, weight)
            rests = added(rests, rest, weight)
            has_run |= day.active
            self.stopped[weekday] |= once & rest & ~has_run
            once |= rest & ~has_run
            counted.append((rest, day.active))
            if day.active:
                self.days.append((number, rest, day.active))
            self.oldest = min(self.oldest, number)
        self.runs += runs
        self.rests += rests
        most = max(runs)
        usual = sum(1 << slot for slot, run in enumerate(runs) if run >= most * HALF)
        latest = [active for rest, active in counted if active or _has_most(rest, usual)][:2]
        self.comes_and_goes[weekday] = not all(latest)

    def _pooled(self, at: int) -> float:
        """Its share, drawn to that of other weekdays which agree with it."""
        weekday, slot = divmod(at, SLOTS)
        runs, rests = self.runs[at], self.rests[at]
        is_new = runs + rests < FEW
        for day in alike(weekday):
            other = day * SLOTS + slot
            share = self.share[other]
            if day == weekday or self.comes_and_goes[day]:
                continue
            if share is not None and (is_new or share >= HALF):
                runs += POOLED * self.runs[other]
                rests += POOLED * self.rests[other]
        return runs / (runs + rests)

    def _stop_lately(self) -> None:
        """Enter the slots that rested on the latest days on which they usually run."""
        usual = [
            sum(1 << slot for slot in range(SLOTS) if (self.share[day * SLOTS + slot] or 0) >= HALF)
            for day in range(7)
        ]
        for group in (alike(0), alike(SATURDAY)):
            left, counted = DAY_MASK, [0] * STREAK_DAYS
            shorter, is_latest = (0, 0), True
            for number, rest, active in self.days:
                weekday = weekday_of(number)
                if weekday not in group:
                    continue
                if is_latest:
                    shorter = _shorter(usual[weekday] & rest, active)
                    is_latest = False
                # Slots that ran end their streak; those that rested make it longer by a day.
                told = usual[weekday]
                longer = left & told & rest
                for length in range(STREAK_DAYS - 1, 0, -1):
                    counted[length] |= longer & counted[length - 1]
                counted[0] |= longer
                left &= ~(told & ~rest)
            for day in group:
                self.stopped[day] |= counted[-1] | _ends(usual[day], *shorter)

    def has_stopped(self, at: int) -> bool:
        """Whether it rests lately, whatever it did before: hours have changed."""
        return _has(self.stopped, at)

    def may_be_off(self, at: int) -> bool:
        """Whether it lies in a night in which it is switched off at times."""
        return _has(self.off, at)

    def sure(self) -> float:
        """How sure it is on average that a slot is on its right side.

        Of nights in which it may be off nothing need be known.
        """
        total = number = seen = 0.0
        for at, own in enumerate(self.share):
            if own is None:
                continue
            seen += 1
            if self.may_be_off(at):
                continue
            runs, rests, pooled = self.runs[at], self.rests[at], self.pooled[at]
            more, less = (runs, rests) if runs > rests else (rests, runs)
            if at < SATURDAY * SLOTS and pooled is not None and abs(pooled - HALF) >= CLEAR:
                more += 1
            total += (more + 0.3) / (more + less + 0.6)
            number += 1
        return total / number if number and seen >= LEAST_SLOTS else 0.0

    def told_from(self, least: float) -> float:
        """Which share of the moves of a usual week lies in slots that run in that share of weeks.

        Nights in which it may be off are left out. A machine that was left on over a long weekend
        moved more in that week than in the usual hours of many: so each week is one voice.
        """
        running = [0] * 7
        for at, share in enumerate(self.pooled):
            if share is not None and share >= least:
                running[at // SLOTS] |= 1 << at % SLOTS
        told: dict[int, int] = {}
        moved: dict[int, int] = {}
        for number, _, active in self.days:
            weekday = weekday_of(number)
            week = number - weekday
            counted = active & ~self.off[weekday]
            told[week] = told.get(week, 0) + (counted & running[weekday]).bit_count()
            moved[week] = moved.get(week, 0) + counted.bit_count()
        shares = [told[week] / slots for week, slots in moved.items() if slots]
        return median(shares) if shares else 0.0

    def activity(self) -> bytes:
        """Share of weeks in which it moved, by hour of the week, in percent."""
        return bytes(
            round(100 * max(self.share[2 * n] or 0.0, self.share[2 * n + 1] or 0.0))
            for n in range(7 * 24)
        )


def _has(slots: Sequence[int], at: int) -> bool:
    weekday, slot = divmod(at, SLOTS)
    return bool(slots[weekday] >> slot & 1)


def alike(weekday: int) -> range:
    """The weekdays that are working days, or days of the weekend, as that one is."""
    return range(SATURDAY) if weekday < SATURDAY else range(SATURDAY, 7)


def _beside(days: list[Day], week: int, apart: int) -> list[Day]:
    """The days so many weeks before and after that one, if they are known."""
    return [days[at] for at in (week - apart, week + apart) if 0 <= at < len(days)]


def _has_most(rest: int, usual: int) -> bool:
    """Whether it rested in half of its usual slots or more: in a few, it was on longer once."""
    return 2 * (rest & usual).bit_count() >= usual.bit_count() > 0


def _shorter(rest: int, active: int) -> tuple[int, int]:
    """By how many slots a day began later and ended earlier than usual; 0 if by too many."""
    late = (rest & ((active & -active) - 1)).bit_count()
    early = (rest >> active.bit_length()).bit_count()
    return late if late <= EDGE else 0, early if early <= EDGE else 0


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
