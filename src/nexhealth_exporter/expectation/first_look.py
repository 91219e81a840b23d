"""What is tolerated of a sync that rested when it was first met."""

from collections.abc import Mapping

from nexhealth_exporter.expectation.expectation import Expectation, clamped
from nexhealth_exporter.expectation.schedule import HOUR
from nexhealth_exporter.model import Severity

DAY_OFF_MOST_SECONDS = 12.0 * HOUR
"""A silence of more expected time before the first look is no day off."""

ANEW_FACTOR = 0.5
"""So much of the allowance is given anew from the first look on."""


def after_first_look(
    allowed: Mapping[Severity, float], expectation: Expectation, mark: float, first_seen: float
) -> Mapping[Severity, float]:
    """The allowances, in seconds, of a sync with that mark that was first seen at `first_seen`.

    Nothing but default hours is known of it. If it rested by these when it was met, it may have had
    its last day off, and can show only at its next opening that it runs.
    """
    if mark >= first_seen or expectation.piece(clamped(first_seen)).value > 0:
        return allowed
    before = expectation.unexpected(mark, first_seen)
    if before > DAY_OFF_MOST_SECONDS:
        return allowed
    return {
        severity: max(seconds, before + ANEW_FACTOR * seconds)
        for severity, seconds in allowed.items()
    }
