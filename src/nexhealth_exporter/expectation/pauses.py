"""When, and for how long, one direction rests though the other moves."""

from collections.abc import Iterator
from typing import NamedTuple

from nexhealth_exporter.expectation.evidence import DAY_MASK, DAYS_KEPT, Evidence, added
from nexhealth_exporter.expectation.pattern import WHOLE
from nexhealth_exporter.expectation.quiet import NIGHT_SLOTS
from nexhealth_exporter.expectation.slots import SLOT, SLOTS
from nexhealth_exporter.expectation.tuning import tuning_of
from nexhealth_exporter.model import IntegrationType

NIGHT = (1 << 12) - 1
"""The slots from midnight to 06:00."""

AGAIN, USUAL = 3, 0.11
"""A direction's pause is usual from so many days, and this share of the days."""

MANY = 5
"""From so many absences on one is usual, though each was long enough for a page."""

ROOM = 2.0
"""There is room for so many times its third longest pause: the longest of other weeks is seldom
more."""

SHORT = SLOTS // 2
"""An absence of no more slots may be a pause that comes again, as for a backup once a week."""


class Rhythm(NamedTuple):
    """How one direction moves while the other does.

    `pauses` are the slots of the day in which it rests each day, `weight` is what an hour of it
    counts else, in percent. `alone` is in how many half hours of one pause the other one moved, at
    most.
    """

    pauses: int
    weight: int
    alone: int


def rhythm(evidence: Evidence, today: int, way: int, kind: IntegrationType) -> Rhythm:
    """The rhythm of one direction (0 read, 1 write).

    One that pauses for many hours of the day moves seldom: were that rest, nothing would be
    expected of it any more. In a browser one just has nothing to do at times.
    """
    lasted, away = _alone(evidence, evidence.pauses[way]), _alone(evidence, evidence.absences[way])
    # Whoever stays away again and again, and comes back, is not broken each time.
    gone = away[-MANY] if len(away) >= MANY else 0
    alone = max(gone, *lasted, 0)
    pauses, usual = 0, gone
    if kind is IntegrationType.SERVER:
        pauses = _pauses(evidence, today, way)
    is_spread = (pauses & ~NIGHT).bit_count() > NIGHT_SLOTS
    if (is_spread or kind is not IntegrationType.SERVER) and len(lasted) >= AGAIN:
        usual = max(usual, lasted[-AGAIN])
    return Rhythm(0 if is_spread else pauses, _weight((usual + 1) * SLOT, kind), alone)


def _weight(usual: float, kind: IntegrationType) -> int:
    """So much that the most that is tolerated before a ticket has room for so many seconds."""
    tuning = tuning_of(kind)
    most = tuning.most_stretch * tuning.usual_quiet
    return max(1, min(WHOLE, round(WHOLE * most / (ROOM * usual))))


def _alone(evidence: Evidence, silences: int) -> list[int]:
    """In how many half hours of each silence the other direction moved, the fewest first."""
    return sorted((run & evidence.active).bit_count() for run in runs(silences))


def _pauses(evidence: Evidence, today: int, way: int) -> int:
    """Slots of the day in which one direction rests again and again while the sync moves."""
    paused, moved = [0.0] * SLOTS, [0.0] * SLOTS
    pauses = evidence.pauses[way]
    for absence in runs(evidence.absences[way]):
        if absence.bit_count() <= SHORT:
            pauses |= absence
    if not pauses:
        return 0
    for day in range(max(today - DAYS_KEPT, evidence.first), today):
        shift = (day - evidence.first) * SLOTS
        active = evidence.active >> shift & DAY_MASK
        moved = added(moved, active, 1)
        paused = added(paused, pauses >> shift & active, 1)
    mask = _at_night(evidence, way)
    for slot in range(SLOTS):
        if paused[slot] >= max(AGAIN, USUAL * moved[slot]):
            mask |= 1 << slot
    # It wanders: a slot before and one after rest too.
    return (mask | mask << 1 | mask >> 1) & DAY_MASK


def _at_night(evidence: Evidence, way: int) -> int:
    """Slots of the night in which short pauses of that direction have met, whatever the other did.

    Twice is enough there: machines save themselves then, and nobody works.
    """
    once = twice = 0
    for pause in runs(evidence.pauses[way]):
        if pause.bit_count() <= NIGHT_SLOTS:
            first = (pause & -pause).bit_length() - 1
            of_day = pause >> first << first % SLOTS
            of_day = (of_day | of_day >> SLOTS) & NIGHT
            twice |= once & of_day
            once |= of_day
    return twice


def runs(mask: int) -> Iterator[int]:
    """The stretches of neighbouring slots, each as a mask."""
    while mask:
        run = mask & ~(mask + (mask & -mask))
        yield run
        mask ^= run
