"""The weekly pattern of one sync, derived from what was seen of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nexhealth_exporter.expectation.schedule import DAY
from nexhealth_exporter.model import IntegrationType

SLOT = 1800
SLOTS = 48
"""Slots of a local day."""

DAYS_KEPT = 42
DECAY = 0.84
"""What a week counts to the week after it."""

SATURDAY = 5


class Evidence(NamedTuple):
    """What was seen, as masks of slots from the local day `first` on (days since 1970).

    `quiets` are the quiet stretches of reads and of writes, in seconds, the longest first.
    """

    first: int
    active: int
    silent: int
    suspect: int
    pauses: tuple[int, int]
    quiets: tuple[tuple[float, ...], ...]
    seen_for: float = 0.0
    """Seconds since the sync was first met."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Pattern:
    """The expectation of a sync by slot of the week, Monday first, in percent.

    `pauses` are slots of the day in which that direction (read, write) usually rests.
    `stretch` is the factor on the allowance of each direction. `sure` is from 0 to 1;
    `weeks` is how many weeks taught it. `since` is the local day since which it is used.
    """

    values: bytes
    pauses: tuple[int, int]
    stretch: tuple[float, float]
    sure: float
    weeks: int
    since: int
    activity: bytes = b""
    """Share of the weeks in which it moved, by hour of the week, in percent."""

    @property
    def patience(self) -> float:
        """The factor on the allowance before a page: a young pattern may be wrong."""
        return 1.0 if self.weeks >= YOUNG_WEEKS else YOUNG_STRETCH[self.weeks - 1]

    @property
    def is_always_on(self) -> bool:
        """Whether it runs around the clock."""
        return sum(value > 0 for value in self.values) >= 0.97 * len(self.values)


class Tuning(NamedTuple):
    """How evidence becomes an expectation, by integration type."""

    rests_below: float
    """A slot that was active in a smaller share of weeks counts as rest."""
    runs_from: float
    """From this share on it counts fully."""
    usual_quiet: float
    """Seconds of quiet that the type's allowance has room for."""
    least_stretch: float
    morning: int
    """Slots after a rest that count only half: people come late."""
    morning_value: float
    irregular_value: float
    """What a slot counts at most that lies beside a rest which comes only sometimes."""


SERVER = Tuning(0.76, 0.95, 45 * 60.0, 0.93, 5, 0.4, 0.3)
CLOUD = Tuning(0.50, 0.85, 150 * 60.0, 1.0, 0, 1.0, 1.0)
LEAST_VALUE = 0.15
"""What a slot counts that only just runs."""

SURE = 0.75
"""A pattern is used from here on."""

LEAST_SEEN = 2.5 * DAY
LEAST_SLOTS = 2 * SLOTS
"""So many slots of the week must have been seen."""

FEW = 1.5
"""With less evidence of its own, a slot must be borne out by the other weekdays."""

HALF = 0.5
CLEAR = 0.45
"""So far from half, the weekdays agree on a slot."""

POOLED = 0.35
"""What the evidence of another weekday that agrees counts."""

YOUNG_WEEKS, YOUNG_STRETCH = 3, (2.0, 1.6)
"""Before a pattern has so many weeks, more is tolerated: in its first, in its second."""

STREAK_DAYS, STREAK_WEEKS = 3, 2
"""A slot that rested on so many working days on end, or on that weekday in so many weeks, rests."""

NIGHT = 8
"""A rest of so many slots is a night."""

SELDOM, STEADY = 0.1, 0.97
"""Between them a slot neither rests nor runs always."""

AGAIN, USUAL = 3, 0.14
"""A direction's pause is usual from so many days, and this share of the days."""

MARGIN = 1.25
MOST_STRETCH = 2.0


def tuning_of(kind: IntegrationType) -> Tuning:
    """A sync of unknown type is taken for browser-based: the cautious reading."""
    return SERVER if kind is IntegrationType.SERVER else CLOUD


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
    if sure < SURE or evidence.seen_for < LEAST_SEEN:
        return None
    tuning = tuning_of(kind)
    values = _values(shares, tuning)
    weeks = min(6, max(1, (today - shares.oldest) // 7))
    return Pattern(
        values=bytes(values),
        pauses=_both_pauses(evidence, today, kind),
        stretch=(
            _stretch(evidence.quiets[0], tuning, weeks),
            _stretch(evidence.quiets[1], tuning, weeks),
        ),
        sure=round(sure, 3),
        weeks=weeks,
        since=before.since if before else today,
        activity=shares.activity(),
    )


class _Shares:
    """For each slot of the week: how much evidence there is that it runs, and that it rests."""

    def __init__(self, evidence: Evidence, today: int, skipped: Callable[[int], bool]) -> None:
        self.runs = [0.0] * (7 * SLOTS)
        self.rests = [0.0] * (7 * SLOTS)
        self.oldest = today
        self.streak = [0] * (7 * SLOTS)
        """For how many weeks it has rested on end."""
        self.days: dict[int, tuple[int, int]] = {}
        """Active and resting slots of each working day that teaches."""
        for weekday in range(7):
            self._count(evidence, today, weekday, skipped)
        self.share = [self._own(n) for n in range(7 * SLOTS)]
        self.pooled = [self._pooled(n) for n in range(7 * SLOTS)]

    def _count(
        self, evidence: Evidence, today: int, weekday: int, skipped: Callable[[int], bool]
    ) -> None:
        # Day 0 of 1970 was a Thursday: weekday 3.
        newest = today - 1 - (today - 1 + 3 - weekday) % 7
        days = [_Day.of(evidence, newest - 7 * week) for week in range(6)]
        for week, day in enumerate(days):
            number = newest - 7 * week
            if not (day.active | day.silent | day.suspect) or skipped(number):
                continue
            around = [
                d for d in (days[week - 1] if week else None, *days[week + 1 : week + 2]) if d
            ]
            again = 0
            for other in around:
                again |= other.silent | other.suspect
            rest = day.silent | (day.suspect & again)
            rest &= ~day.active
            self._add(weekday, DECAY**week, day.active, rest)
            if day.active:
                self.days[number] = (day.active, rest)
            self.oldest = min(self.oldest, number)

    def _add(self, weekday: int, weight: float, active: int, rest: int) -> None:
        for slot in range(SLOTS):
            at = weekday * SLOTS + slot
            if active >> slot & 1:
                self.runs[at] += weight
            elif rest >> slot & 1:
                if not self.runs[at]:
                    self.streak[at] += 1
                self.rests[at] += weight

    def _own(self, at: int) -> float | None:
        seen = self.runs[at] + self.rests[at]
        return self.runs[at] / seen if seen else None

    def _pooled(self, at: int) -> float | None:
        """Its share, drawn to that of other weekdays which agree with it."""
        own = self.share[at]
        weekday, slot = divmod(at, SLOTS)
        alike = range(5) if weekday < SATURDAY else range(SATURDAY, 7)
        others = [day * SLOTS + slot for day in alike if day != weekday]
        is_new = self.runs[at] + self.rests[at] < FEW
        side = [
            n for n in others if (share := self.share[n]) is not None and (is_new or share >= HALF)
        ]
        if own is None or own < HALF:
            return own
        weight = POOLED
        runs = self.runs[at] + weight * sum(self.runs[n] for n in side)
        rests = self.rests[at] + weight * sum(self.rests[n] for n in side)
        return runs / (runs + rests) if runs + rests else None

    def has_stopped(self, at: int) -> bool:
        """Whether it rests lately, whatever it did before: hours have changed."""
        if self.streak[at] >= STREAK_WEEKS:
            return True
        weekday, slot = divmod(at, SLOTS)
        alike = [
            self.days[day]
            for day in sorted(self.days, reverse=True)
            if (n := (day + 3) % 7 * SLOTS + slot) // SLOTS // SATURDAY == weekday // SATURDAY
            and (self.share[n] or 0.0) >= HALF
        ][:STREAK_DAYS]
        return len(alike) == STREAK_DAYS and all(rest >> slot & 1 for _, rest in alike)

    def sure(self) -> float:
        """How sure it is on average that a slot is on its right side."""
        total = number = 0.0
        for at, own in enumerate(self.share):
            if own is None:
                continue
            runs, rests, pooled = self.runs[at], self.rests[at], self.pooled[at]
            agrees = at // SLOTS < SATURDAY and pooled is not None and abs(pooled - HALF) >= CLEAR
            more, less = max(runs, rests) + agrees, min(runs, rests)
            total += (more + 0.3) / (more + less + 0.6)
            number += 1
        return total / number if number >= LEAST_SLOTS else 0.0

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


def _values(shares: _Shares, tuning: Tuning) -> list[int]:
    span = tuning.runs_from - tuning.rests_below
    values: list[int] = []
    for at, share in enumerate(shares.pooled):
        if share is None or share < tuning.rests_below or shares.has_stopped(at):
            values.append(0)
        else:
            part = min(1.0, (share - tuning.rests_below) / span)
            values.append(5 * round(20 * (LEAST_VALUE + (1 - LEAST_VALUE) * part)))
    if tuning.irregular_value < 1:
        _irregular(values, shares.pooled, tuning)
    _slow_mornings(values, tuning)
    return values


def _irregular(values: list[int], shares: Sequence[float | None], tuning: Tuning) -> None:
    """Slots beside a rest that comes only sometimes, as a backup, count less: it wanders."""
    count, most = len(values), round(100 * tuning.irregular_value)
    for at, share in enumerate(shares):
        if share is None or not SELDOM <= share < tuning.rests_below:
            continue
        for beside in (-2, -1, 1, 2):
            near = (at + beside) % count
            if (shares[near] or 0.0) < STEADY:
                values[near] = min(values[near], most)


def _slow_mornings(values: list[int], tuning: Tuning) -> None:
    """After a night the first slots count less: an office may open late."""
    count = len(values)
    most = round(100 * tuning.morning_value)
    rest = 0
    for at in [*range(count), *range(count)]:
        if values[at] == 0:
            rest += 1
            continue
        if rest >= NIGHT:
            for step in range(tuning.morning):
                late = (at + step) % count
                values[late] = min(values[late], most)
        rest = 0


def _stretch(quiets: Sequence[float], tuning: Tuning, weeks: int) -> float:
    """The factor on the type's allowance that leaves room for the sync's own quiet stretches."""
    second = quiets[1] if len(quiets) > 1 else 0.0
    least = tuning.least_stretch if weeks >= YOUNG_WEEKS else YOUNG_STRETCH[weeks - 1]
    return round(min(max(MARGIN * second / tuning.usual_quiet, least), MOST_STRETCH), 3)


def _both_pauses(evidence: Evidence, today: int, kind: IntegrationType) -> tuple[int, int]:
    """The pauses of a server's directions; in a browser, one just has nothing to do at times."""
    if kind is not IntegrationType.SERVER:
        return (0, 0)
    return _pauses(evidence, today, 0), _pauses(evidence, today, 1)


def _pauses(evidence: Evidence, today: int, way: int) -> int:
    """Slots of the day in which one direction rests again and again while the sync moves."""
    paused = [0] * SLOTS
    moved = [0] * SLOTS
    for day in range(today - DAYS_KEPT, today):
        shift = (day - evidence.first) * SLOTS
        if shift < 0:
            continue
        active = evidence.active >> shift & _DAY_MASK
        if not active:
            continue
        pause = evidence.pauses[way] >> shift & active
        for slot in range(SLOTS):
            moved[slot] += active >> slot & 1
            paused[slot] += pause >> slot & 1
    mask = 0
    for slot in range(SLOTS):
        if paused[slot] >= max(AGAIN, USUAL * moved[slot]):
            mask |= 1 << slot
    # It wanders: a slot before and one after rest too.
    return (mask | mask << 1 | mask >> 1) & _DAY_MASK
