"""Slots: the half hours of an office's wall clock, counted from 1970. Patterns are made of them.

A local day is counted from 1970 as well: day `d` begins with slot `d * SLOTS`.
"""

from nexhealth_exporter.expectation.schedule import DAY
from nexhealth_exporter.expectation.zone import offset_at

SLOT = 1800
"""Seconds in a slot."""

SLOTS = DAY // SLOT
"""Slots in a day."""

WEEK = 7 * SLOTS
"""Slots in a week."""

_FIRST_WEEKDAY = 3
"""1970 began on a Thursday."""


def slot_of(at: float, zone: str) -> int:
    """The slot that contains the instant `at`."""
    return int((at + offset_at(zone, at)) // SLOT)


def weekday_of(day: int) -> int:
    """The weekday of a local day; 0 is Monday."""
    return (day + _FIRST_WEEKDAY) % 7


def monday_of(slot: int) -> int:
    """The first slot of the week that contains `slot`."""
    return slot - (slot + _FIRST_WEEKDAY * SLOTS) % WEEK
