"""What is known about all institutions at one moment, and how polls change it.

A `Fleet` is frozen and replaced whole: new = old.after(polls). Nothing in it depends on the clock;
whoever draws it passes the instant.

standing   one institution and its syncs; the hours and the policy by which they are judged
judging    how a standing changes: by a poll, a new policy, or a past learned elsewhere
standings  a mapping of many standings, of which a few change at a time
fleet      all standings, the fleet incidents under way, the latest round
"""

from nexhealth_exporter.fleet.fleet import Fleet, Round
from nexhealth_exporter.fleet.judging import relearn_offset
from nexhealth_exporter.fleet.standing import (
    Hours,
    Memory,
    Policy,
    Standing,
    SyncMemory,
    SyncStanding,
)
from nexhealth_exporter.fleet.standings import Standings

__all__ = [
    "Fleet",
    "Hours",
    "Memory",
    "Policy",
    "Round",
    "Standing",
    "Standings",
    "SyncMemory",
    "SyncStanding",
    "relearn_offset",
]
