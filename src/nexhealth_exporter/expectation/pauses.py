"""When, and for how long, one direction rests though the other moves."""

from collections.abc import Iterator
from typing import NamedTuple

from nexhealth_exporter.expectation.evidence import DAY_MASK, DAYS_KEPT, Evidence, added
from nexhealth_exporter.expectation.pattern import WHOLE, Tuning, tuning_of
from nexhealth_exporter.expectation.quiet import NIGHT_SLOTS
from nexhealth_exporter.expectation.slots import SLOT, SLOTS
from nexhealth_exporter.model import IntegrationType

NIGHT = (1 << 12) - 1
"""The slots from midnight to 06:00."""

AGAIN, USUAL = 3, 0.14
"""A direction's pause is usual from so many days, and this share of the days."""


class Rhythm(NamedTuple):
    """When one direction rests each day (slots), and what an hour of it counts else, in percent."""

    pauses: int = 0
    weight: int = WHOLE


def rhythm(evidence: Evidence, today: int, way: int, kind: IntegrationType) -> Rhythm:
    """How one direction moves while the other does.

    One that pauses for many hours of the day moves seldom: were that rest, nothing would be
    expected of it any more. In a browser one just has nothing to do at times.
    """
    pauses = 0
    if kind is IntegrationType.SERVER:
        pauses = _pauses(evidence, today, way)
        if (pauses & ~NIGHT).bit_count() <= NIGHT_SLOTS:
            return Rhythm(pauses)
    return Rhythm(weight=_weight(evidence, way, tuning_of(kind)))


def _weight(evidence: Evidence, way: int, tuning: Tuning) -> int:
    """So much that the most that is tolerated before a ticket has room for its usual pauses."""
    lasted = sorted((pause & evidence.active).bit_count() for pause in _runs(evidence.pauses[way]))
    if len(lasted) < AGAIN:
        return WHOLE
    usual = (lasted[-AGAIN] + 1) * SLOT
    most = tuning.most_stretch * tuning.usual_quiet
    return max(1, min(WHOLE, round(WHOLE * most / (tuning.margin * usual))))


def _pauses(evidence: Evidence, today: int, way: int) -> int:
    """Slots of the day in which one direction rests again and again while the sync moves."""
    paused, moved = [0.0] * SLOTS, [0.0] * SLOTS
    pauses = evidence.pauses[way]
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
    for pause in _runs(evidence.pauses[way]):
        if pause.bit_count() <= NIGHT_SLOTS:
            first = (pause & -pause).bit_length() - 1
            of_day = pause >> first << first % SLOTS
            of_day = (of_day | of_day >> SLOTS) & NIGHT
            twice |= once & of_day
            once |= of_day
    return twice


def most_alone(evidence: Evidence, way: int) -> int:
    """In how many half hours of one pause of that direction the other one moved, at most."""
    pauses = _runs(evidence.pauses[way])
    return max(((pause & evidence.active).bit_count() for pause in pauses), default=0)


def _runs(mask: int) -> Iterator[int]:
    """The stretches of neighbouring slots, each as a mask."""
    while mask:
        run = mask & ~(mask + (mask & -mask))
        yield run
        mask ^= run
