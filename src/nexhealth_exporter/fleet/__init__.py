"""What is known of all institutions at one moment, and how polls change it.

A `Fleet` is frozen and replaced whole: new = old.after(polls). Nothing in it depends on
the clock; whoever draws it brings the instant.

standing   one institution and its syncs; the hours and the policy that they are judged by
judging    how a standing changes: by a poll, a new policy, a past that others remember
standings  many of them, which change a few at a time
fleet      all of them, the fleet incidents that last, the latest round
"""

from nexhealth_exporter.fleet.fleet import Fleet, Round
from nexhealth_exporter.fleet.judging import stagger
from nexhealth_exporter.fleet.standing import (
    Disturbance,
    Hours,
    Kept,
    Memory,
    Policy,
    Standing,
    SyncStanding,
)
from nexhealth_exporter.fleet.standings import Standings

__all__ = [
    "Disturbance",
    "Fleet",
    "Hours",
    "Kept",
    "Memory",
    "Policy",
    "Round",
    "Standing",
    "Standings",
    "SyncStanding",
    "stagger",
]
