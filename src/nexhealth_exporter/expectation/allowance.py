"""How much unexpected lag is tolerated, per direction and severity."""

from collections.abc import Mapping
from typing import NamedTuple

from nexhealth_exporter.model import IntegrationType, Operation, Severity, Source

MINUTE, HOUR = 60.0, 3600.0

SERVER: Mapping[Severity, float] = {
    Severity.WARNING: 45 * MINUTE,
    Severity.CRITICAL: 4 * HOUR,
}
CLOUD: Mapping[Severity, float] = {
    Severity.WARNING: 2.5 * HOUR,
    Severity.CRITICAL: 6 * HOUR,
}
UNFAMILIAR: Mapping[Severity, float] = {
    Severity.WARNING: 4 * HOUR,
    Severity.CRITICAL: 9 * HOUR,
}
"""While only default hours are known, whatever the type: the office may keep others."""


class Bounds(NamedTuple):
    """A configured allowance in seconds: exact when both are equal, else the limits."""

    low: float
    high: float


AllowanceRules = Mapping[tuple[IntegrationType, Operation, Severity], Bounds]
"""What the operator configured; leaves that are missing keep the built-in allowance."""


def allowances(
    integration_type: IntegrationType,
    operation: Operation,
    source: Source,
    rules: AllowanceRules,
) -> dict[Severity, float]:
    """Seconds of unexpected lag that are tolerated, for both severities."""
    if source is Source.DEFAULT:
        usual = UNFAMILIAR
    elif integration_type is IntegrationType.SERVER:
        usual = SERVER
    else:
        usual = CLOUD
    warning, critical = (
        _bounded(usual[severity], rules.get((integration_type, operation, severity)))
        for severity in (Severity.WARNING, Severity.CRITICAL)
    )
    # One configured alone must not let the page come before the ticket.
    return {Severity.WARNING: warning, Severity.CRITICAL: max(warning, critical)}


def _bounded(seconds: float, bounds: Bounds | None) -> float:
    return seconds if bounds is None else min(max(seconds, bounds.low), bounds.high)
