"""Fleet incidents: when so many syncs of one type fall silent that the cause is not an office."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from nexhealth_exporter.expectation.schedule import HOUR
from nexhealth_exporter.model import IntegrationType

SILENT_LEAST_SYNCS = 10
"""An incident needs at least so many silent syncs, however small the fleet."""

BEGINS_FROM_SHARE, LASTS_FROM_SHARE = 0.30, 0.15
"""Shares of the syncs that are expected up; the gap keeps an incident from flapping."""

TOGETHER_SECONDS = 6.0 * HOUR
"""What one cause silences in one direction has used half of its warning allowances within so long:
at most two and a half expected hours each, and the last offices open three hours after the first.
"""


class Incident(NamedTuple):
    """The start and the end of a fleet incident; the end is infinite while it lasts."""

    start: float
    end: float


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

    One begins when enough syncs are silent in both directions, or enough have fallen silent in the
    same direction within `TOGETHER_SECONDS`: the vendor's reads may stop while writes go on.
    Then at least half of them must be silent in that direction alone. Else offices that are closed,
    and silent in both, would need only a few others to look like an incident. It ends when too few
    are silent in both, and too few in either direction of those that were not so long before it.
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
        needed = max(SILENT_LEAST_SYNCS, math.ceil(expected * BEGINS_FROM_SHARE))
        start = before.get(integration_type)
        if start is not None and ways.most(start) >= expected * LASTS_FROM_SHARE:
            lasting[integration_type] = start
        elif starts := list(ways.starts(needed)):
            lasting[integration_type] = min(starts)
    return lasting


class _Ways(NamedTuple):
    """Since when syncs of one type are silent in reads, in writes, and in both; sorted."""

    reads: list[float]
    writes: list[float]
    both: list[float]

    def most(self, start: float) -> int:
        """How many are silent by an incident that began at `start`."""
        since = start - TOGETHER_SECONDS
        return max(
            len(self.both),
            len(self.reads) - bisect_left(self.reads, since),
            len(self.writes) - bisect_left(self.writes, since),
        )

    def starts(self, needed: int) -> Iterator[float]:
        """The instants at which so many were silent that an incident had begun.

        Each follows from the silences until then, so later ones move no start.
        """
        yield from self.both[needed - 1 : needed]
        for way in (self.reads, self.writes):
            for reached, instant in enumerate(way[needed - 1 :], needed):
                since = instant - TOGETHER_SECONDS
                fallen = reached - bisect_left(way, since)
                in_both = bisect_right(self.both, instant) - bisect_left(self.both, since)
                if fallen >= max(needed, 2 * in_both):
                    yield instant


def _ways(silent: Iterable[Silence], at: float) -> _Ways:
    ways = _Ways([], [], [])
    for _, read, write in silent:
        if read is not None and read <= at:
            ways.reads.append(read)
            if write is not None and write <= at:
                ways.both.append(max(read, write))
        if write is not None and write <= at:
            ways.writes.append(write)
    for instants in ways:
        instants.sort()
    return ways


def is_held_back(deadline: float, begun: float | None) -> bool:
    """Whether a fleet incident that began at `begun` accounts for a deadline that has passed."""
    return begun is not None and deadline > begun
