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
    """A sync that is expected up: since when each direction has used half of its warning allowance.

    None while the mark of that direction is fresher than that.
    """

    integration_type: IntegrationType
    read_since: float | None
    write_since: float | None


def incidents(
    before: Mapping[IntegrationType, float], expected_up: Iterable[Silence], at: float
) -> dict[IntegrationType, float]:
    """The incidents under way at the instant `at`, by type, each with its start.

    One begins when enough syncs are silent in the same direction, be it reads or writes: the
    vendor's reads may stop while writes go on. It ends when too few are in either direction.
    The start is the instant at which enough syncs had fallen silent. It follows from
    the marks alone, so a restarted exporter and a second replica agree on it.
    An incident lasts while no sync of its type is expected up: nothing says that it is over.
    """
    up: dict[IntegrationType, int] = {}
    silent: dict[IntegrationType, tuple[list[float], list[float]]] = {}
    for integration_type, read, write in expected_up:
        if integration_type not in up:
            up[integration_type], silent[integration_type] = 0, ([], [])
        up[integration_type] += 1
        reads, writes = silent[integration_type]
        if read is not None and read <= at:
            reads.append(read)
        if write is not None and write <= at:
            writes.append(write)
    lasting = {kind: start for kind, start in before.items() if kind not in up}
    for integration_type, expected in up.items():
        ways = silent[integration_type]
        needed = max(SILENT_LEAST_SYNCS, math.ceil(expected * BEGINS_FROM_SHARE))
        enough = [sorted(instants)[needed - 1] for instants in ways if len(instants) >= needed]
        if integration_type in before and max(map(len, ways)) >= expected * LASTS_FROM_SHARE:
            lasting[integration_type] = before[integration_type]
        elif enough:
            lasting[integration_type] = min(enough)
    return lasting


def is_held_back(deadline: float, begun: float | None) -> bool:
    """Whether a fleet incident that began at `begun` accounts for a deadline that has passed."""
    return begun is not None and deadline > begun
