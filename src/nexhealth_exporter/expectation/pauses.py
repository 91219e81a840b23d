"""When, and for how long, one direction rests while the other moves."""

from collections.abc import Iterable
from typing import NamedTuple

from nexhealth_exporter.expectation.evidence import DAY_MASK, DAYS_KEPT, Evidence, counts, runs
from nexhealth_exporter.expectation.pattern import FULL_WEIGHT_PERCENT, Pauses
from nexhealth_exporter.expectation.quiet import NIGHT_LEAST_SLOTS
from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.expectation.slots import SLOT, SLOTS, weekday_of
from nexhealth_exporter.expectation.tuning import tuning_of
from nexhealth_exporter.expectation.weekdays import USUAL_FROM_FACTOR
from nexhealth_exporter.model import IntegrationType

NIGHT_MASK = (1 << 12) - 1
"""The slots from midnight to 06:00."""

DAILY_LEAST_DAYS, DAILY_LEAST_SHARE = 3, 0.11
"""A slot is a daily pause if the direction paused in it on so many days, and on this share of the
days on which the sync moved in it."""

TYPICAL_PAUSE_RANK = 3
"""The typical pause of a direction is its third longest."""

TYPICAL_ABSENCE_RANK = 5
"""The typical absence is the fifth longest. Each was long enough for a page, but a direction that
stays away so often, and always comes back, is not broken each time."""

PAUSE_ROOM_FACTOR = 2.0
"""A ticket leaves room for twice the typical pause: the longest of later weeks is seldom longer."""

SHORT_ABSENCE_MOST_SLOTS = SLOTS // 2
"""An absence of at most so many slots may be a recurring pause, such as a weekly backup."""

AWAY_LEAST_SILENCES, AWAY_LEAST_SHARE = 3, 0.8
"""A direction is away in a slot of the day if so many silences as long as a night lay over it, and
if it rested on this share of the days on which the sync moved in it."""

HOURS_LEAST_SLOTS = 8
"""A direction that is away for all but fewer slots of a working day keeps no hours of its own."""


class Rhythm(NamedTuple):
    """How one direction moves while the other does.

    In `pauses` it rests; outside them, an hour counts `weight` percent. `alone` is the greatest
    number of half hours outside them in which the other direction moved during one silence.
    """

    pauses: Pauses
    weight: int
    alone: int


def rhythm(evidence: Evidence, today: int, way: int, kind: IntegrationType) -> Rhythm:
    """The rhythm of one direction (0 read, 1 write).

    A server's direction that pauses in many hours of the day moves seldom: if these hours were
    rest, nothing would be expected of it any more. People at a browser just have nothing to do at
    times, whatever the hour.
    """
    is_server = kind is IntegrationType.SERVER
    daily = _daily_pauses(evidence, today, way) if is_server else 0
    away = _away(evidence, today, way)
    if (_usual(evidence, today) & ~(daily | away.workdays)).bit_count() < HOURS_LEAST_SLOTS:
        # Who reads once a day has no hours in which silence would show much.
        away = Pauses()
    is_spread = (daily & ~NIGHT_MASK & ~away.workdays).bit_count() > NIGHT_LEAST_SLOTS
    pauses = away if is_spread else Pauses(*(daily | slots for slots in away))
    moved = evidence.active & ~pauses.over(evidence.first, today - evidence.first + 1)
    pauses_alone = _slots_alone(moved, evidence.pauses[way])
    absences_alone = _slots_alone(moved, evidence.absences[way])
    typical_absence = _ranked(absences_alone, TYPICAL_ABSENCE_RANK)
    typical = typical_absence
    if is_spread or not is_server:
        typical = max(typical, _ranked(pauses_alone, TYPICAL_PAUSE_RANK))
    return Rhythm(
        pauses=pauses,
        weight=_weight((typical + 1) * SLOT, kind),
        alone=max([typical_absence, *pauses_alone]),
    )


def _weight(pause: float, kind: IntegrationType) -> int:
    """The weight in percent at which a ticket, at its latest, leaves room for such pauses.

    `pause` is in seconds.
    """
    tuning = tuning_of(kind)
    most = tuning.ticket_factor_most * tuning.usual_quiet
    percent = round(FULL_WEIGHT_PERCENT * most / (PAUSE_ROOM_FACTOR * pause))
    return max(1, min(FULL_WEIGHT_PERCENT, percent))


def _slots_alone(moved: int, silences: int) -> list[int]:
    """In how many of the half hours in `moved` each silence lasted, the most first."""
    return sorted(((run & moved).bit_count() for run in runs(silences)), reverse=True)


def _ranked(counts: list[int], rank: int) -> int:
    """The count at that rank, which begins with 1; 0 if there are fewer."""
    return counts[rank - 1] if len(counts) >= rank else 0


def _away(evidence: Evidence, today: int, way: int) -> Pauses:
    """The slots of the day in which one direction hardly ever moves, though the other does.

    A browser that is left open goes on to check in for writes at night, and reads nothing.
    """
    silences = evidence.pauses[way] | evidence.absences[way]
    long = [run for run in runs(silences) if run.bit_count() >= NIGHT_LEAST_SLOTS]
    moved = evidence.moved[way]
    if not any(run & moved for run in long):
        return Pauses()  # as for most syncs
    masks: list[int] = []
    known = 0
    for is_weekend in (False, True):
        days = [d for d in _days(evidence, today) if (weekday_of(d) >= SATURDAY) is is_weekend]
        moves, rests = (_counted(evidence, slots, days) for slots in (moved, moved & silences))
        # An outage of some days is one silence, which is no habit.
        over = counts(_of_day(evidence, run & moved, days) for run in long)
        often = sum(
            1 << slot
            for slot in range(SLOTS)
            if rests[slot] >= AWAY_LEAST_SHARE * moves[slot]
            and (over[slot] >= AWAY_LEAST_SILENCES or known >> slot & 1)
        )
        # What rests in the nights of working days does so in the first ones of a weekend.
        known = _long_runs(often)
        masks.append(known)
    return Pauses(*masks)


def _usual(evidence: Evidence, today: int) -> int:
    """The slots of a working day in which the sync usually moves."""
    days = [day for day in _days(evidence, today) if weekday_of(day) < SATURDAY]
    moves = _counted(evidence, evidence.active, days)
    least = max(1, USUAL_FROM_FACTOR * max(moves))
    return sum(1 << slot for slot in range(SLOTS) if moves[slot] >= least)


def _of_day(evidence: Evidence, slots: int, days: Iterable[int]) -> int:
    """The slots of the day that are among the slots on any of the days."""
    of_day = 0
    for day in days:
        of_day |= slots >> (day - evidence.first) * SLOTS & DAY_MASK
    return of_day


def _counted(evidence: Evidence, slots: int, days: Iterable[int]) -> list[int]:
    """By slot of the day, on how many of the days it is among the slots."""
    return counts(slots >> (day - evidence.first) * SLOTS & DAY_MASK for day in days)


def _days(evidence: Evidence, today: int) -> range:
    """The days that a pattern is made of."""
    return range(max(today - DAYS_KEPT, evidence.first), today)


def _long_runs(slots: int) -> int:
    """The slots of the day in stretches as long as a night, even over midnight."""
    twice = slots | slots << SLOTS
    long = sum(run for run in runs(twice) if run.bit_count() >= NIGHT_LEAST_SLOTS)
    return (long | long >> SLOTS) & DAY_MASK


def _daily_pauses(evidence: Evidence, today: int, way: int) -> int:
    """The slots of the day in which one direction regularly rests while the sync moves."""
    pauses = evidence.pauses[way]
    for absence in runs(evidence.absences[way]):
        if absence.bit_count() <= SHORT_ABSENCE_MOST_SLOTS:
            pauses |= absence
    if not pauses:
        return 0
    days = _days(evidence, today)
    moved, paused = (
        _counted(evidence, slots, days) for slots in (evidence.active, evidence.active & pauses)
    )
    mask = _nightly_pauses(evidence, way)
    for slot in range(SLOTS):
        if paused[slot] >= max(DAILY_LEAST_DAYS, DAILY_LEAST_SHARE * moved[slot]):
            mask |= 1 << slot
    # The hour of a pause wanders, so a slot before and one after it rest too.
    return (mask | mask << 1 | mask >> 1) & DAY_MASK


def _nightly_pauses(evidence: Evidence, way: int) -> int:
    """The slots of the night in which two short pauses fell, whether or not the other moved.

    Two are enough at night: machines make their backups then, and nobody works.
    """
    once = twice = 0
    for pause in runs(evidence.pauses[way]):
        if pause.bit_count() <= NIGHT_LEAST_SLOTS:
            first = (pause & -pause).bit_length() - 1
            of_day = pause >> first << first % SLOTS
            of_day = (of_day | of_day >> SLOTS) & NIGHT_MASK
            twice |= once & of_day
            once |= of_day
    return twice
