"""Fleet incidents: when so many syncs of one type fall silent that the cause is not an office."""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from nexhealth_exporter.model import IntegrationType

SILENT_LEAST_SYNCS = 10
"""An incident needs at least so many silent syncs, however small the fleet."""

BEGINS_FROM_SHARE, LASTS_FROM_SHARE = 0.30, 0.15
"""Shares of the syncs that are expected up; the gap keeps an incident from flapping."""


class Silence(NamedTuple):
    """A sync that is expected up: since when it has used half of its warning allowance.

    `since` is None while either of its marks is fresher than that.
    """

    integration_type: IntegrationType
    since: float | None


def incidents(
    before: Mapping[IntegrationType, float], expected_up: Iterable[Silence], at: float
) -> dict[IntegrationType, float]:
    """The incidents under way at the instant `at`, by type, each with its start.

    The start is the instant at which enough syncs had fallen silent. It follows from
    the marks alone, so a restarted exporter and a second replica agree on it.
    An incident lasts while no sync of its type is expected up: nothing says that it is over.
    """
    up: dict[IntegrationType, int] = {}
    silent: dict[IntegrationType, list[float]] = {}
    for integration_type, since in expected_up:
        up[integration_type] = up.get(integration_type, 0) + 1
        if since is not None and since <= at:
            silent.setdefault(integration_type, []).append(since)
    lasting = {kind: start for kind, start in before.items() if kind not in up}
    for integration_type, expected in up.items():
        instants = sorted(silent.get(integration_type, ()))
        needed = max(SILENT_LEAST_SYNCS, math.ceil(expected * BEGINS_FROM_SHARE))
        if integration_type in before and len(instants) >= expected * LASTS_FROM_SHARE:
            lasting[integration_type] = before[integration_type]
        elif len(instants) >= needed:
            lasting[integration_type] = instants[needed - 1]
    return lasting


def is_held_back(deadline: float, begun: float | None) -> bool:
    """Whether a fleet incident that began at `begun` accounts for a deadline that has passed."""
    return begun is not None and deadline > begun
