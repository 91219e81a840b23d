"""Fleet incidents: when so many syncs of one type fall silent that the cause is not an office."""

import math
from collections.abc import Iterable, Iterator, Mapping
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

    One begins when enough syncs are silent in both directions, or enough in the same direction:
    the vendor's reads may stop while writes go on. Then at least half of them must be silent in
    that direction alone. Else offices that are closed, and silent in both, would need only a few
    others to look like an incident. It ends when too few are silent in either direction.
    The start is the instant at which enough syncs had fallen silent. It follows from
    the marks alone, so a restarted exporter and a second replica agree on it.
    An incident lasts while no sync of its type is expected up: nothing says that it is over.
    """
    up: dict[IntegrationType, int] = {}
    silent: dict[IntegrationType, list[Silence]] = {}
    for silence in expected_up:
        integration_type, read, write = silence
        up[integration_type] = up.get(integration_type, 0) + 1
        if (read is not None and read <= at) or (write is not None and write <= at):
            silent.setdefault(integration_type, []).append(silence)
    lasting = {kind: start for kind, start in before.items() if kind not in up}
    for integration_type, expected in up.items():
        ways = _ways(silent.get(integration_type, ()), at)
        most = max(len(ways.reads), len(ways.writes))
        needed = max(SILENT_LEAST_SYNCS, math.ceil(expected * BEGINS_FROM_SHARE))
        if integration_type in before and most >= expected * LASTS_FROM_SHARE:
            lasting[integration_type] = before[integration_type]
        elif starts := [sorted(way)[needed - 1] for way in ways.telling() if len(way) >= needed]:
            lasting[integration_type] = min(starts)
    return lasting


class _Ways(NamedTuple):
    """Since when syncs of one type are silent in reads, in writes, and in both."""

    reads: list[float]
    writes: list[float]
    both: list[float]

    def telling(self) -> Iterator[list[float]]:
        """Those of which enough are an incident."""
        yield self.both
        for way in (self.reads, self.writes):
            if len(way) >= 2 * len(self.both):
                yield way


def _ways(silent: Iterable[Silence], at: float) -> _Ways:
    ways = _Ways([], [], [])
    for _, read, write in silent:
        if read is not None and read <= at:
            ways.reads.append(read)
            if write is not None and write <= at:
                ways.both.append(max(read, write))
        if write is not None and write <= at:
            ways.writes.append(write)
    return ways


def is_held_back(deadline: float, begun: float | None) -> bool:
    """Whether a fleet incident that began at `begun` accounts for a deadline that has passed."""
    return begun is not None and deadline > begun
