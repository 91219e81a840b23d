"""Slots: half hours of an office's wall clock, of which patterns are made, counted from 1970."""

from nexhealth_exporter.expectation.schedule import DAY
from nexhealth_exporter.expectation.zone import offset_at

SLOT = 1800
"""Seconds of a slot."""

SLOTS = DAY // SLOT
"""Slots of a day."""

WEEK = 7 * SLOTS
"""Slots of a week."""

_MONDAY = 4 * SLOTS
"""1970 began on a Thursday."""


def slot_of(at: float, zone: str) -> int:
    """The slot in which the instant lies."""
    return int((at + offset_at(zone, at)) // SLOT)


def monday_of(slot: int) -> int:
    """The first slot of the week in which that one lies."""
    return slot - (slot - _MONDAY) % WEEK
