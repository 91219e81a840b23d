"""Slots in which a sync has come to rest lately, whatever it did before: its hours have changed."""

from collections.abc import Sequence

from nexhealth_exporter.expectation.schedule import SATURDAY
from nexhealth_exporter.expectation.slots import weekday_of
from nexhealth_exporter.expectation.weekdays import RUNS_FROM_SHARE, SeenDay, Weekday, alike

NEW_HOURS_MOST_SLOTS = 6
"""A day that began later or ended earlier by at most so many slots shows new hours at once."""


def stopped_lately(week: Sequence[Weekday]) -> list[int]:
    """By weekday, the slots that rested on its latest two days, or that a new day is shorter by."""
    stopped = [_rested_twice(own.days) for own in week]
    usual = [
        sum(1 << slot for slot, share in enumerate(own.share) if (share or 0) >= RUNS_FROM_SHARE)
        for own in week
    ]
    for group in (alike(0), alike(SATURDAY)):
        moved_days = [day for weekday in group for day in week[weekday].days if day.active]
        if not moved_days:
            continue
        number, rest, active = max(moved_days)
        late, early = _shortened(usual[weekday_of(number)] & rest, active)
        for weekday in group:
            stopped[weekday] |= _ends(usual[weekday], late, early)
    return stopped


def _rested_twice(days: Sequence[SeenDay]) -> int:
    """The slots that rested twice since they last ran; `days` are of one weekday, latest first."""
    has_run = once = twice = 0
    for _, rest, active in days:
        has_run |= active
        twice |= once & rest & ~has_run
        once |= rest & ~has_run
    return twice


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
