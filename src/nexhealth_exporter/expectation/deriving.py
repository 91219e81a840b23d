"""From evidence of some weeks to a pattern: which slots of the week run, and how sure that is."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from nexhealth_exporter.expectation.pattern import YOUNG_WEEKS, Pattern, Tuning, Week, tuning_of
from nexhealth_exporter.expectation.quiet import SLOTS, Quiet
from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.model import IntegrationType

DAYS_KEPT = 42
DECAY = 0.84
"""What a week counts to the week after it."""

LEAST_VALUE = 0.15
"""What a slot counts that only just runs."""

SURE = 0.75
"""A pattern is used from here on."""

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

MORNING, MORNING_VALUE = 2, 50
"""After a night, so many slots count no more than so many percent: people come late."""

UNSEEN = 5
"""So many slots of which nothing was seen run if those around them do: rounds may be rare."""

NIGHT_SLOTS = 8
"""A rest of so many slots is a night."""

NIGHT = (1 << 12) - 1
"""The slots from midnight to 06:00."""

AGAIN, USUAL = 3, 0.14
"""A direction's pause is usual from so many days, and this share of the days."""


class Evidence(NamedTuple):
    """What was seen, as masks of slots from the local day `first` on (days since 1970).

    `quiets` are the quiet stretches of reads and of writes, the longest first.
    """

    first: int
    active: int
    silent: int
    suspect: int
    pauses: tuple[int, int]
    quiets: tuple[tuple[Quiet, ...], ...]


def derived(
    evidence: Evidence,
    today: int,
    skipped: Callable[[int], bool],
    kind: IntegrationType,
    before: Pattern | None,
) -> Pattern | None:
    """The pattern at the beginning of the local day `today`; None while it is not sure."""
    shares = _Shares(evidence, today, skipped)
    sure = shares.sure()
    if sure < SURE:
        return None
    tuning = tuning_of(kind)
    values = _values(shares, tuning)
    weeks = min(6, max(1, (today - shares.oldest) // 7))
    if weeks >= YOUNG_WEEKS and shares.told_from(tuning.rests_below) < HALF:
        return None
    week = Week(
        values=bytes(values),
        activity=shares.activity(),
        pauses=_both_pauses(evidence, today, kind),
        quiets=(evidence.quiets[0], evidence.quiets[1]),
        alone=(_most_alone(evidence, 0), _most_alone(evidence, 1)),
    )
    return Pattern(
        packed=week.packed(),
        sure=round(sure, 3),
        weeks=weeks,
        since=before.since if before else today,
    )


class _Shares:
    """For each slot of the week: how much evidence there is that it runs, and that it rests."""

    def __init__(self, evidence: Evidence, today: int, skipped: Callable[[int], bool]) -> None:
        self.runs: list[float] = []
        self.rests: list[float] = []
        self.oldest = today
        self.stopped = [0] * 7
        """By weekday, the slots that have rested for weeks on end."""
        self.days: list[tuple[int, int, int]] = []
        """Each day on which it moved, with the slots in which it rested and moved."""
        for weekday in range(7):
            self._count(evidence, today, weekday, skipped)
        self.days.sort(reverse=True)
        self.share = [
            run / (run + rest) if run + rest else None
            for run, rest in zip(self.runs, self.rests, strict=True)
        ]
        self.pooled = [
            share if share is None or share < HALF else self._pooled(at)
            for at, share in enumerate(self.share)
        ]
        self._stop_lately()

    def _count(
        self, evidence: Evidence, today: int, weekday: int, skipped: Callable[[int], bool]
    ) -> None:
        # Day 0 of 1970 was a Thursday: weekday 3.
        newest = today - 1 - (today - 1 + 3 - weekday) % 7
        days = [_Day.of(evidence, newest - 7 * week) for week in range(6)]
        runs, rests = [0.0] * SLOTS, [0.0] * SLOTS
        has_run = once = 0
        for week, day in enumerate(days):
            number = newest - 7 * week
            if not (day.active | day.silent | day.suspect) or skipped(number):
                continue
            again = 0
            for other in (*days[max(week - 1, 0) : week], *days[week + 1 : week + 2]):
                again |= other.silent | other.suspect
            rest = (day.silent | (day.suspect & again)) & ~day.active
            if not day.active:
                rest &= again  # a day off that comes once is no day of rest
            weight = DECAY**week
            runs = _added(runs, day.active, weight)
            rests = _added(rests, rest, weight)
            has_run |= day.active
            self.stopped[weekday] |= once & rest & ~has_run
            once |= rest & ~has_run
            if day.active:
                self.days.append((number, rest, day.active))
            self.oldest = min(self.oldest, number)
        self.runs += runs
        self.rests += rests

    def _pooled(self, at: int) -> float:
        """Its share, drawn to that of other weekdays which agree with it."""
        weekday, slot = divmod(at, SLOTS)
        alike = range(5) if weekday < SATURDAY else range(SATURDAY, 7)
        runs, rests = self.runs[at], self.rests[at]
        is_new = runs + rests < FEW
        for day in alike:
            other = day * SLOTS + slot
            share = self.share[other]
            if day != weekday and share is not None and (is_new or share >= HALF):
                runs += POOLED * self.runs[other]
                rests += POOLED * self.rests[other]
        return runs / (runs + rests)

    def _stop_lately(self) -> None:
        """Enter the slots that rested on the latest days on which they usually run."""
        usual = [
            sum(1 << slot for slot in range(SLOTS) if (self.share[day * SLOTS + slot] or 0) >= HALF)
            for day in range(7)
        ]
        for alike in (range(SATURDAY), range(SATURDAY, 7)):
            left, counted = _DAY_MASK, [0] * STREAK_DAYS
            shorter, is_latest = (0, 0), True
            for number, rest, active in self.days:
                weekday = (number + 3) % 7
                if weekday not in alike:
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
            for day in alike:
                self.stopped[day] |= counted[-1] | _ends(usual[day], *shorter)

    def has_stopped(self, at: int) -> bool:
        """Whether it rests lately, whatever it did before: hours have changed."""
        weekday, slot = divmod(at, SLOTS)
        return bool(self.stopped[weekday] >> slot & 1)

    def sure(self) -> float:
        """How sure it is on average that a slot is on its right side."""
        total = number = 0.0
        for at, own in enumerate(self.share):
            if own is None:
                continue
            runs, rests, pooled = self.runs[at], self.rests[at], self.pooled[at]
            more, less = (runs, rests) if runs > rests else (rests, runs)
            if at < SATURDAY * SLOTS and pooled is not None and abs(pooled - HALF) >= CLEAR:
                more += 1
            total += (more + 0.3) / (more + less + 0.6)
            number += 1
        return total / number if number >= LEAST_SLOTS else 0.0

    def told_from(self, least: float) -> float:
        """Which share of its moves lies in slots that run in at least that share of weeks."""
        told = (
            run
            for run, share in zip(self.runs, self.pooled, strict=True)
            if share is not None and share >= least
        )
        return sum(told) / (sum(self.runs) or 1.0)

    def activity(self) -> bytes:
        """Share of weeks in which it moved, by hour of the week, in percent."""
        return bytes(
            round(100 * max(self.share[2 * n] or 0.0, self.share[2 * n + 1] or 0.0))
            for n in range(7 * 24)
        )


class _Day(NamedTuple):
    active: int
    silent: int
    suspect: int

    @classmethod
    def of(cls, evidence: Evidence, day: int) -> "_Day":
        shift = (day - evidence.first) * SLOTS
        if shift < 0:
            return cls(0, 0, 0)
        return cls(
            evidence.active >> shift & _DAY_MASK,
            evidence.silent >> shift & _DAY_MASK,
            evidence.suspect >> shift & _DAY_MASK,
        )


_DAY_MASK = (1 << SLOTS) - 1


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


def _added(totals: list[float], mask: int, weight: float) -> list[float]:
    if not mask:
        return totals
    bits = f"{mask:048b}"[::-1]
    return [t + weight if bit == "1" else t for t, bit in zip(totals, bits, strict=True)]


def _values(shares: _Shares, tuning: Tuning) -> list[int]:
    span = tuning.runs_from - tuning.rests_below
    values: list[int] = []
    for at, share in enumerate(shares.pooled):
        if share is None or share < tuning.rests_below or shares.has_stopped(at):
            values.append(0)
        else:
            part = min(1.0, (share - tuning.rests_below) / span)
            values.append(5 * round(20 * (LEAST_VALUE + (1 - LEAST_VALUE) * part)))
    _bridge(values, shares.share)
    _slow_mornings(values)
    return values


def _bridge(values: list[int], shares: Sequence[float | None]) -> None:
    """Slots of which nothing was seen count as the lesser of those around them, if few."""
    count = len(values)
    for at, value in enumerate(values):
        unseen = 0
        while value and unseen <= UNSEEN and shares[(at + 1 + unseen) % count] is None:
            unseen += 1
        if 0 < unseen <= UNSEEN:
            least = min(value, values[(at + 1 + unseen) % count])
            for step in range(unseen):
                values[(at + 1 + step) % count] = least


def _slow_mornings(values: list[int]) -> None:
    """After a night the first slots count less: an office may open late."""
    count, rest = len(values), 0
    for at in [*range(count), *range(count)]:
        if values[at] == 0:
            rest += 1
            continue
        if rest >= NIGHT_SLOTS:
            for step in range(MORNING):
                late = (at + step) % count
                values[late] = min(values[late], MORNING_VALUE)
        rest = 0


def _both_pauses(evidence: Evidence, today: int, kind: IntegrationType) -> tuple[int, int]:
    """The pauses of a server's directions; in a browser, one just has nothing to do at times.

    Where both pause for many hours of the day, that is how seldom they move: nothing would be
    expected of the sync any more.
    """
    if kind is not IntegrationType.SERVER:
        return (0, 0)
    read, write = _pauses(evidence, today, 0), _pauses(evidence, today, 1)
    both = read & write & ~NIGHT
    if both.bit_count() <= NIGHT_SLOTS:
        return read, write
    return read & ~both, write & ~both


def _pauses(evidence: Evidence, today: int, way: int) -> int:
    """Slots of the day in which one direction rests again and again while the sync moves."""
    paused, moved = [0.0] * SLOTS, [0.0] * SLOTS
    pauses = evidence.pauses[way]
    if not pauses:
        return 0
    for day in range(max(today - DAYS_KEPT, evidence.first), today):
        shift = (day - evidence.first) * SLOTS
        active = evidence.active >> shift & _DAY_MASK
        moved = _added(moved, active, 1)
        paused = _added(paused, pauses >> shift & active, 1)
    mask = _at_night(evidence, way)
    for slot in range(SLOTS):
        if paused[slot] >= max(AGAIN, USUAL * moved[slot]):
            mask |= 1 << slot
    # It wanders: a slot before and one after rest too.
    return (mask | mask << 1 | mask >> 1) & _DAY_MASK


def _at_night(evidence: Evidence, way: int) -> int:
    """Slots of the night in which short pauses of that direction have met, whatever the other did.

    Twice is enough there: machines save themselves then, and nobody works.
    """
    once = twice = 0
    for pause in _runs(evidence.pauses[way]):
        if pause.bit_count() <= NIGHT_SLOTS:
            first = (pause & -pause).bit_length() - 1
            of_day = pause >> first << first % SLOTS
            of_day = (of_day | of_day >> SLOTS) & NIGHT
            twice |= once & of_day
            once |= of_day
    return twice


def _most_alone(evidence: Evidence, way: int) -> int:
    """In how many half hours of one pause of that direction the other one moved, at most."""
    pauses = _runs(evidence.pauses[way])
    return max(((pause & evidence.active).bit_count() for pause in pauses), default=0)


def _runs(mask: int) -> Iterator[int]:
    """The stretches of neighbouring slots, each as a mask."""
    while mask:
        run = mask & ~(mask + (mask & -mask))
        yield run
        mask ^= run
